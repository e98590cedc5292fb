"""SCALE-Sim's topology files: its own with their flaws, what is refused, and what is written for it to read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgrad.interop.scalesim.layers import Layer, Product, Sparsity, gemm_layer
from jaxgrad.interop.scalesim.topology import KINDS, Kind, Topology, read_topology, write_gemms
from tests.refusals import Refusal, assert_refused

HEADER = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,"


def read(folder: Path, text: str | bytes, kind: Kind = "conv") -> Topology:
    path = folder / "net.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_topology(path, kind)


# Rows as SCALE-Sim's own files have them -> the layers.
SHIPPED = {
    f"{HEADER}\nConv1, 224, 224, 3, 3, 3, 32, 2,\n": [Layer("Conv1", 224, 224, 3, 3, 3, 32, 2, 2)],
    # spread over columns; no comma, or a space, at the end; blank rows; tabs
    f"{HEADER}\n\nConv1     ,224         ,224  ,11  ,11 ,3 ,96 ,4      ,\n\n\n": [
        Layer("Conv1", 224, 224, 11, 11, 3, 96, 4, 3)
    ],
    f"{HEADER}\nConv11,28,28,1,1,256,256,1": [Layer("Conv11", 28, 28, 1, 1, 256, 256, 1, 2)],
    f"{HEADER} \nEmb0,1024,16,1,16,1,4,1, \n\tConv14_dw_0,14,14,3,3,1,1,1,\n": [
        Layer("Emb0", 1024, 16, 1, 16, 1, 4, 1, 2),
        Layer("Conv14_dw_0", 14, 14, 3, 3, 1, 1, 1, 3),
    ],
    # tabs for commas
    "Layer name\t IFMAP Height\t IFMAP Width\t Filter Height\t Filter Width\t Channels\t Num Filter\t Strides\t \n"
    "Conv1_1\t572\t572\t3\t3\t1\t64\t1\t\n": [Layer("Conv1_1", 572, 572, 3, 3, 1, 64, 1, 2)],
    # rows of commas alone, and a name that ends in a quote
    f"{HEADER}\n,,,,,,,,\nAttn_QxK',1,64,1,1,1,64,1,\n": [Layer("Attn_QxK'", 1, 64, 1, 1, 1, 64, 1, 3)],
    # a ratio, which has no effect as long as SparsitySupport is off
    "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides, Sparsity,\n"
    "CONV_1,     5,            5,           3,             3,            2,        6,          1,       2:4,": [
        Layer("CONV_1", 5, 5, 3, 3, 2, 6, 1, 2, sparsity=Sparsity(2, 4))
    ],
    # a column that has its way with nothing in SCALE-Sim, which fails on it
    f"{HEADER} Batch Size,\nEmbedding, 512, 512, 1, 1, 3, 4096, 1, 2,\n": [
        Layer("Embedding", 512, 512, 1, 1, 3, 4096, 1, 2, batch=2)
    ],
    # two names for one thing: the header's titles are not looked at
    "Layer, IFMAP Width, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n"
    "Conv1,700,161,41,11,1,32,2,": [Layer("Conv1", 700, 161, 41, 11, 1, 32, 2, 2)],
}  # fmt: skip


@pytest.mark.parametrize("text", SHIPPED)
def test_shipped_rows(text: str, tmp_path: Path) -> None:
    assert read(tmp_path, text) == Topology(SHIPPED[text], [])


@pytest.mark.parametrize(
    "text",
    [
        f"{HEADER},,Eh,Ew,e2\n,,,,,,,,,,,,\nConv1,224,224,7,7,3,64,2,,,110,110,12100\n",
        f"{HEADER}\n\nConv1,224,224,7,7,3,64,2,#dw\n",
        f"{HEADER}\n\nConv1,224,224,7,7,3,64,2, 2\n",
    ],
)
def test_columns_beyond_are_passed_over_and_said_to_be(text: str, tmp_path: Path) -> None:
    topology = read(tmp_path, text)
    assert topology.layers == [Layer("Conv1", 224, 224, 7, 7, 3, 64, 2, 3)]
    assert topology.notes == [f"{tmp_path / 'net.csv'}, line 3: columns beyond Strides are passed over"]


def test_gemms(tmp_path: Path) -> None:
    text = "Layer,M,N,K\nQKT,1024,1000,64\n\nQKTV,8,64,1024,\nsparse, 1, 5, 16, 1:2,"
    expected = [
        gemm_layer("QKT", 1024, 1000, 64, 2),
        gemm_layer("QKTV", 8, 64, 1024, 4),
        replace(gemm_layer("sparse", 1, 5, 16, 5), sparsity=Sparsity(1, 2)),
    ]
    topology = read(tmp_path, text, "gemm")
    assert topology.layers == expected
    assert [layer.product for layer in expected] == [(1024, 1000, 64), (8, 64, 1024), (1, 5, 8)]
    assert topology.notes == []


@pytest.mark.parametrize("header", ["", f"{HEADER}\n", f"{HEADER} Padding, Sparsity N:M,\n"])
def test_a_ratio_stands_in_its_column_or_in_any_that_has_no_title(header: str, tmp_path: Path) -> None:
    extra = "1, 2:4," if "Padding" in header else "2:4,"
    (layer,) = read(tmp_path, f"{header}c,6,6,3,3,6,8,1, {extra}\n").layers
    assert (layer.sparsity, layer.padding, layer.stride_width) == (Sparsity(2, 4), int("Padding" in header), None)


def test_dp_in_a_name_is_a_layer_a_channel(tmp_path: Path) -> None:
    layers, notes = read(tmp_path, f"{HEADER}\nConvDP,7,7,3,3,3,2,1,\n")
    assert notes == [f"{tmp_path / 'net.csv'}, line 2: DP in the name 'ConvDP' makes it a layer a channel, 3 of them"]
    assert layers == [Layer(f"ConvDPChannel_{number}", 7, 7, 3, 3, 1, 2, 1, 2) for number in range(3)]


def test_header_names_padding_batch_and_groups(tmp_path: Path) -> None:
    header = f"{HEADER} Groups, Note, Padding, Batch"
    layers = read(tmp_path, f"{header}\nc,6,6,3,3,4,8,1,2,,1,3,\nd,6,6,3,3,4,8,1,,,,\n").layers
    assert layers == [
        Layer("c", 6, 6, 3, 3, 4, 8, 1, 2, padding=1, batch=3, groups=2),
        Layer("d", 6, 6, 3, 3, 4, 8, 1, 3),
    ]


def test_a_layer_in_place_of_the_header_is_read(tmp_path: Path) -> None:
    topology = read(tmp_path, "a,6,6,3,3,4,8,1,\nb,9,9,3,3,4,8,2,1,\nc,9,9,3,3,4,8,2,2,\n")
    assert topology.layers == [
        Layer("a", 6, 6, 3, 3, 4, 8, 1, 1),
        Layer("b", 9, 9, 3, 3, 4, 8, 2, 2, stride_width=1),
        Layer("c", 9, 9, 3, 3, 4, 8, 2, 3),
    ]
    place = tmp_path / "net.csv"
    assert topology.notes == [
        f"{place}, line 1 is a layer and no header: it is read, SCALE-Sim passes it over",
        f"{place}, line 2: two strides, of which SCALE-Sim 3.0.0 reads one from a file",
    ]
    gemms = read(tmp_path, "QKT,1024,1000,64,\nQKTV,8,64,1024,\n", "gemm")
    assert [layer.name for layer in gemms.layers] == ["QKT", "QKTV"]


def test_two_strides(tmp_path: Path) -> None:
    """Seven rows of windows in steps of one, five columns of them in steps of two."""
    header = HEADER.replace("Strides", "Stride height, Stride width")
    (layer,) = read(tmp_path, f"{header}\nc,9,11,3,3,2,5,1,2,\n").layers
    assert layer.strides == (1, 2)
    assert layer.product == (7 * 5, 5, 18)
    assert layer.product.macs == sum(18 * 5 for _ in range(0, 7, 1) for _ in range(0, 9, 2))
    (layer,) = read(tmp_path, f"{header}\nc,6,7,2,3,1,10,1,4,\n").layers
    assert layer.product.macs == layer.cropped.macs == layer.true_product.macs == 5 * 2 * 6 * 10 == 600


# names -> whether DP in them says depthwise
NAMES = {
    **dict.fromkeys(["DP", "DP1", "DP_1", "Conv_DP", "ConvDP", "ConvDP2", "conv2DP", "block1/DP", "convDPLayer"], True),
    **dict.fromkeys(["DPseparable", "x.DP.y", "DPConv"], True),
    **dict.fromkeys(["ENDPOINT", "MIDPOINT_2", "UDP_head", "DPN92_1", "DPN", "Conv2DPad", "UDPConv"], False),
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_dp_inside_of_a_word_says_nothing(name: str, tmp_path: Path) -> None:
    layers, notes = read(tmp_path, f"{HEADER}\n{name},7,7,3,3,3,2,1,\n")
    assert [layer.name for layer in layers] == [f"{name}Channel_{number}" for number in range(3)]  # as SCALE-Sim's
    if NAMES[name]:
        assert [layer.row for layer in layers] == [None] * 3
        return
    whole = Layer(name, 7, 7, 3, 3, 3, 2, 1, 2)
    assert [layer.row for layer in layers] == [(whole, number) for number in range(3)]
    (note,) = notes
    assert note.endswith("3 of them; it is no sign of a depthwise layer, and put right it is one")


# rows after the header, kind -> where, what is shown, a part of the remedy
REFUSED = {
    ("c,6,6,3,3,4,8,", "conv"): ("line 2", "7 columns", "for a GEMM topology give -i gemm"),
    ("c,6,6", "conv"): ("line 2", "3 columns", "give Layer name, IFMAP Height"),
    ("c,6,6", "gemm"): ("line 2", "3 columns", "give Layer, M, N, K"),
    ("\nc,6,six,3,3,4,8,1", "conv"): ("line 3, IFMAP Width", "'six'", "whole number from 1"),
    ("c,6,,3,3,4,8,1", "conv"): ("line 2, IFMAP Width", "''", "whole number from 1"),
    ("c,6,6,3,3,4,8,0", "conv"): ("line 2, Strides", "'0'", "whole number from 1"),
    ("c,6,6,3,3,-4,8,1", "conv"): ("line 2, Channels", "'-4'", "whole number from 1"),
    ("c,6,6,3,3,4.0,8,1", "conv"): ("line 2, Channels", "'4.0'", "whole number from 1"),
    ("c,6,6,3,3,1e3,8,1", "conv"): ("line 2, Channels", "'1e3'", "whole number from 1"),
    ("c,6,6,3,3,9999999999,8,1", "conv"): ("line 2, Channels", "'9999999999'", "to 1000000000"),
    ("c,6,6,7,3,4,8,1", "conv"): ("line 2, Filter Height", "7", "at most IFMAP Height, 6"),
    ("c,6,6,3,7,4,8,1", "conv"): ("line 2, Filter Width", "7", "at most IFMAP Width, 6"),
    ("c\x1b[2J,6,6,3,3,4,8,1", "conv"): ("line 2, Layer name", r"'c\x1b[2J'", "printable"),
    ("DP,6,6,3,3,100001,8,1", "conv"): ("line 2, Channels", "100001 with DP", "at most 100000"),
    ("g,0,3,4", "gemm"): ("line 2, M", "'0'", "whole number from 1"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "kind"), REFUSED)
def test_refused_with_file_and_line(text: str, kind: Kind, tmp_path: Path) -> None:
    place, shown, remedy = REFUSED[text, kind]
    header = HEADER if kind == "conv" else "Layer, M, N, K,"
    call = Refusal(lambda: read(tmp_path, f"{header}\n{text}", kind), f"{tmp_path / 'net.csv'}, {place}", shown, remedy)
    assert_refused(call)


@pytest.mark.parametrize(
    ("text", "kind", "place", "shown", "remedy"),
    [
        ("", "conv", "", "no layers", "header line"),
        (f"{HEADER}\n\n,,,\n", "conv", "", "no layers", "header line"),
        (f"{HEADER}\nc,6,6,3,3,4,8,1,", "gemm", ", line 1", "the header of convolutions", "give -i conv"),
        ("Layer, M, N, K, Batch,\ng,1,2,3,4,", "gemm", ", line 1", "a column 'batch'", "convolutions alone"),
        (f"{HEADER} Batch, Batch\n", "conv", ", line 1", "two columns 'batch'", "keep one"),
        ("Batch, a, b\n", "conv", ", line 1", "'batch' as column 1", "after Strides"),
        (f"{HEADER} Groups\nc,6,6,3,3,4,8,1,3", "conv", ", line 2, groups", "3", "a divisor of Channels, 4"),
        (f"{HEADER} Groups\nc,6,6,3,3,6,8,1,3", "conv", ", line 2, groups", "3", "a divisor of Num Filter, 8"),
        (f"{HEADER} Groups\nDP,6,6,3,3,6,8,1,2", "conv", ", line 2, groups", "2 with DP", "give one of the two"),
        (f"{HEADER} Padding\nc,6,6,3,3,6,8,1,-1", "conv", ", line 2, padding", "'-1'", "whole number from 0"),
        (f"{HEADER} Sparsity\nc,6,6,3,3,6,8,1,half", "conv", ", line 2, sparsity", "'half'", "give N:M"),
        (f"{HEADER}\nc,6,6,3,3,6,8,1,5:4", "conv", ", line 2, Sparsity", "'5:4'", "N from 1 to M"),
        (f"{HEADER} Stride width\nc,6,6,3,3,6,8,1,0", "conv", ", line 2, stride width", "'0'", "whole number from 1"),
        (
            f"{HEADER} Stride height\nc,6,6,3,3,6,8,1,2",
            "conv",
            ", line 2, stride height",
            "'2'",
            "the width's after",
        ),
    ],
)
def test_refused_by_the_header(text: str, kind: Kind, place: str, shown: str, remedy: str, tmp_path: Path) -> None:
    field = f"{tmp_path / 'net.csv'}{place}"
    assert_refused(Refusal(lambda: read(tmp_path, text, kind), field, shown, remedy))


def test_written_gemms_are_read_back(tmp_path: Path) -> None:
    gemms = [("layers[0].conv", Product(3, 4, 5)), ("DP, a", Product(7, 1, 1))]
    text = write_gemms(gemms)
    assert text == "Layer, M, N, K,\nlayers[0].conv, 3, 4, 5,\nDP  a, 7, 1, 1,\n"
    assert [layer.product for layer in read(tmp_path, text, "gemm").layers] == [product for _, product in gemms]


NEARLY = f"{HEADER} Padding, Groups,\nConv1,24,24,7,7,3,64,2,1,1,\nConvDP,7,7,3,3,3,2,1,,,\n\nFC,1,1,1,1,48,10,1,0,2,"


@given(data=st.binary(max_size=200), kind=st.sampled_from(KINDS))
def test_any_bytes_are_read_or_refused_in_a_line(
    data: bytes, kind: Kind, tmp_path_factory: pytest.TempPathFactory
) -> None:
    refused_or_read(tmp_path_factory.getbasetemp(), data, kind)
    refused_or_read(tmp_path_factory.getbasetemp(), f"{HEADER}\n".encode() + data, kind)


@given(
    cuts=st.lists(st.tuples(st.integers(0, len(NEARLY)), st.integers(0, 9), st.text(max_size=5)), max_size=3),
    kind=st.sampled_from(KINDS),
)
def test_nearly_valid_files_are_read_or_refused_in_a_line(
    cuts: list[tuple[int, int, str]], kind: Kind, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = NEARLY
    for place, cut, put in cuts:
        text = text[:place] + put + text[place + cut :]
    refused_or_read(tmp_path_factory.getbasetemp(), text.encode(errors="replace"), kind)


def refused_or_read(folder: Path, data: bytes, kind: Kind) -> None:
    try:
        topology = read(folder, data, kind)
    except ValueError as error:
        message = str(error)
        lines = []
    else:
        message = "a line: got none"
        topology_text = data.decode().replace("\r\n", "\n").replace("\r", "\n")
        lines = [(layer, topology_text.split("\n")[layer.line - 1]) for layer in topology.layers]
    assert len(message.splitlines()) == 1
    assert ": got " in message
    # Every number is one of its own line, in its own column.
    for layer, line in lines:
        cells = [cell.strip() for cell in line.strip().split("," if "," in line else "\t")]
        if kind == "gemm":
            assert tuple(map(int, cells[1:4])) == layer.product
        else:
            sizes = (layer.ifmap_height, layer.ifmap_width, layer.filter_height, layer.filter_width)
            channels = 1 if "DP" in cells[0] else int(cells[5])
            assert (*sizes, layer.filters, layer.stride) == tuple(int(cells[place]) for place in (1, 2, 3, 4, 6, 7))
            assert layer.channels == channels
            assert layer.name.startswith(cells[0])
