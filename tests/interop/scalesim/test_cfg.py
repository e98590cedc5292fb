"""SCALE-Sim's .cfg files: its own with their flaws, and what is refused."""

from __future__ import annotations

from configparser import ConfigParser
from configparser import Error as ConfigParserError
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgrad.interop.scalesim.cfg import Config, read_cfg
from jaxgrad.interop.scalesim.layers import RowWise
from tests.refusals import Refusal, assert_refused

# As edgeTPU.cfg of SCALE-Sim 3 has it: no layout, no sparsity, no UseRamulatorTrace, no end of line at the end.
SHIPPED = """[general]
run_name = edgeTPU_ws

[architecture_presets]
ArrayHeight:    4
ArrayWidth:     8
IfmapSramSzkB:    1536
FilterSramSzkB:   256
OfmapSramSzkB:    1536
IfmapOffset:    0
FilterOffset:   10000000
OfmapOffset:    20000000
Dataflow : ws
Bandwidth : 32
MemoryBanks: 1

[run_presets]
InterfaceBandwidth: CALC"""


def read(folder: Path, text: str | bytes) -> Config:
    path = folder / "machine.cfg"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_cfg(path)


def test_a_shipped_file(tmp_path: Path) -> None:
    assert read(tmp_path, SHIPPED) == Config("edgeTPU_ws", 4, 8, 1536, 256, 1536, "ws")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: "# a comment\n; another\n\n" + text + "\nSRAM_row_size: 2\n\n[gpu]\nTensorCores: 32\n",
        lambda text: text.replace("ArrayHeight: ", "arrayheight= "),
        lambda text: text.replace("CALC", "CALC \nUseRamulatorTrace: True\n[layout]\nIfmapCustomLayout: True"),
        lambda text: text.replace("OfmapOffset:    20000000\n", ""),
    ],
)
def test_what_makes_no_difference(change, tmp_path: Path) -> None:
    assert read(tmp_path, change(SHIPPED)) == read(tmp_path, SHIPPED)


def test_a_file_of_version_1(tmp_path: Path) -> None:
    text = """[general]
run_name = "AlphaGoZero_32x32_os"
[architecture_presets]
ArrayHeight:    32
ArrayWidth:     16
IfmapSramSz:    512
FilterSramSz:   256
OfmapSramSz:    128
IfmapOffset:    0
FilterOffset:   10000000
OfmapOffset:    20000000
Dataflow:       os
"""
    config = read(tmp_path, text)
    assert config == Config("AlphaGoZero_32x32_os", 32, 16, 512, 256, 128, "os", notes=config.notes)
    assert config.notes == (f"{tmp_path / 'machine.cfg'} names no InterfaceBandwidth: taken as CALC",)
    twice = text + "OfmapSramSzkB: 128\n"
    field = f"{tmp_path / 'machine.cfg'}, line 13"
    assert_refused(Refusal(lambda: read(tmp_path, twice), field, "OfmapSramSzkB again, as on line 8", "keep one"))


def test_what_is_missing_is_said_or_has_scale_sim_s_own_value(tmp_path: Path) -> None:
    config = read(tmp_path, SHIPPED.replace("InterfaceBandwidth: CALC", "").replace("run_name = edgeTPU_ws", ""))
    assert config.run_name == "scale_run"
    assert config.notes == (f"{tmp_path / 'machine.cfg'} names no InterfaceBandwidth: taken as CALC",)
    assert read(tmp_path, SHIPPED.replace("CALC", "USER")).user_bandwidth


SPARSE = "CALC\n[sparsity]\nSparsitySupport: True"
ROW_WISE = f"{SPARSE}\nSparseRep: csr\nOptimizedMapping: True"

# what to replace -> by what, the place the message names, what it shows, a part of the remedy
REFUSED = [
    ("ArrayHeight:    4", "", "ArrayHeight", "none", "give a line ArrayHeight"),
    ("ArrayHeight:    4", "ArrayHeight: four", "line 5, ArrayHeight", "'four'", "whole number from 1"),
    ("ArrayHeight:    4", "ArrayHeight: 0", "line 5, ArrayHeight", "'0'", "whole number from 1"),
    ("ArrayHeight:    4", "ArrayHeight: -4", "line 5, ArrayHeight", "'-4'", "whole number from 1"),
    ("ArrayHeight:    4", "ArrayHeight: 4_0", "line 5, ArrayHeight", "'4_0'", "whole number from 1"),
    ("ArrayHeight:    4", "ArrayHeight: \u0664", "line 5, ArrayHeight", "'\u0664'", "whole number from 1"),
    ("ArrayHeight:    4", "ArrayHeight: 2000000", "line 5, ArrayHeight", "2000000", "at most 1000000"),
    ("ArrayHeight:    4", "ArrayHeight: 4\nArrayHeight: 5", "line 6", "ArrayHeight again, as on line 5", "keep one"),
    ("ArrayHeight:    4", "ArrayHeight: 4\n  5", "line 6", "'5', indented", "unindent"),
    ("ArrayHeight:    4", "ArrayHeight 4", "line 5", "'ArrayHeight 4'", "key : value"),
    ("FilterSramSzkB:   256", "FilterSramSzkB: 0", "line 8, FilterSramSzkB", "'0'", "whole number from 1"),
    ("IfmapOffset:    0", "IfmapOffset: -1", "line 10, IfmapOffset", "'-1'", "whole number from 0"),
    ("Dataflow : ws", "Dataflow : rs", "line 13, Dataflow", "'rs'", "choose one of os, ws, is"),
    ("CALC", "calc", "line 18, InterfaceBandwidth", "'calc'", "choose one of CALC, USER"),
    ("CALC", SPARSE, "OptimizedMapping", "none", "give a line OptimizedMapping"),
    ("CALC", ROW_WISE, "BlockSize", "none", "give a line BlockSize"),
    ("CALC", f"{ROW_WISE}\nBlockSize: 1", "line 23, BlockSize", "'1'", "whole number from 2"),
    ("CALC", f"{ROW_WISE}\nBlockSize: 3", "line 23, BlockSize", "3", "a divisor of twice ArrayHeight, from 2 to 4"),
    ("CALC", f"{ROW_WISE}\nBlockSize: 8", "line 23, BlockSize", "8", "a divisor of twice ArrayHeight, from 2 to 4"),
    ("CALC", f"{ROW_WISE}\nBlockSize: 4", "RandomNumberGeneratorSeed", "none", "give a line RandomNumberGen"),
    ("CALC", f"{SPARSE}\nOptimizedMapping: no", "SparseRep", "none", "give a line SparseRep"),
    ("CALC", f"{SPARSE}\nOptimizedMapping: no\nSparseRep: coo", "line 22, SparseRep", "'coo'", "choose one of csr"),
    ("[general]", "[general", "line 1", "'[general'", "close the section"),
    ("edgeTPU_ws", "../up", "line 2, run_name", "'../up'", "plain name"),
    ("edgeTPU_ws", "..", "line 2, run_name", "'..'", "plain name"),
    ("edgeTPU_ws", "", "line 2, run_name", "''", "plain name"),
    ("edgeTPU_ws", "a\x1b[2J", "line 2, run_name", "'a\\x1b[2J'", "plain name"),
]


@pytest.mark.parametrize(("old", "new", "place", "shown", "remedy"), REFUSED)
def test_refused_with_file_and_line(old: str, new: str, place: str, shown: str, remedy: str, tmp_path: Path) -> None:
    field = f"{tmp_path / 'machine.cfg'}, {place}"
    assert_refused(Refusal(lambda: read(tmp_path, SHIPPED.replace(old, new, 1)), field, shown, remedy))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    call = lambda: read(tmp_path, SHIPPED.encode() + b"\n\xff\xfe")  # noqa: E731  # a refusal's call
    assert_refused(Refusal(call, f"{tmp_path / 'machine.cfg'}, line 19", r"b'\xff\xfe'", "UTF-8"))


@pytest.mark.parametrize(
    ("old", "new", "place", "shown", "remedy"),
    [
        ("Dataflow : ws", "Dataflow : os", "line 22, OptimizedMapping", "true with Dataflow os", "give Dataflow : ws"),
        ("10000000", "0", "line 11, FilterOffset", "0 with OptimizedMapping", "give 1 or more"),
    ],
)
def test_ratios_of_filters_on_what_scale_sim_loses_or_stops_on(
    old: str, new: str, place: str, shown: str, remedy: str, tmp_path: Path
) -> None:
    text = SHIPPED.replace("CALC", f"{ROW_WISE}\nBlockSize: 4\nRandomNumberGeneratorSeed: 40")
    assert read(tmp_path, text).row_wise == RowWise(4, 40)
    field = f"{tmp_path / 'machine.cfg'}, {place}"
    assert_refused(Refusal(lambda: read(tmp_path, text.replace(old, new, 1)), field, shown, remedy))


def sizes(config: Config) -> tuple[int, ...]:
    return config.rows, config.cols, config.ifmap_kb, config.filter_kb, config.ofmap_kb


@given(data=st.one_of(st.binary(max_size=300), st.text(max_size=200).map(lambda text: text.encode(errors="replace"))))
def test_any_bytes_are_read_or_refused_in_a_line(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp()
    refused_or_read(folder, data)
    refused_or_read(folder, SHIPPED.encode() + b"\n" + data)


@given(place=st.integers(0, len(SHIPPED) - 1), cut=st.integers(0, 12), put=st.text(max_size=6))
def test_nearly_valid_files_are_read_or_refused_in_a_line(
    place: int, cut: int, put: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = SHIPPED[:place] + put + SHIPPED[place + cut :]
    refused_or_read(tmp_path_factory.getbasetemp(), text.encode(errors="replace"))


def by_configparser(data: bytes) -> tuple[str | int, ...] | None:
    """What SCALE-Sim reads of the machine; none if it fails on the file."""
    parser = ConfigParser()
    try:
        parser.read_string(data.decode())
        own = parser["architecture_presets"]
        names = ("ArrayHeight", "ArrayWidth", "IfmapSramSzkB", "FilterSramSzkB", "OfmapSramSzkB")
        return (own["Dataflow"], *(int(own[name]) for name in names))
    except (ConfigParserError, KeyError, ValueError):
        return None


def test_scale_sim_s_own_reader_has_the_same() -> None:
    assert by_configparser(SHIPPED.encode()) == ("ws", 4, 8, 1536, 256, 1536)


def refused_or_read(folder: Path, data: bytes) -> None:
    try:
        config = read(folder, data)
    except ValueError as error:
        message = str(error)
    else:
        # Never a number that is not in the file, nor another than SCALE-Sim's own reader has.
        assert all(str(size).encode() in data for size in sizes(config))
        assert by_configparser(data) in (None, (config.dataflow, *sizes(config)))
        return
    assert len(message.splitlines()) == 1
    assert ": got " in message
