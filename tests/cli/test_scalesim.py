"""``jaxgrad scalesim``: SCALE-Sim's files in, its reports out, beside them what is off in them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jaxgrad.cli import main
from jaxgrad.interop.scalesim.quirks import QUIRKS
from jaxgrad.interop.scalesim.topology import read_topology
from tests.command import ENVIRONMENT
from tests.interop.scalesim.make_goldens import GOLDENS, REPORTS, SPARSE_GOLDENS

CFG = """[general]
run_name = mine
[architecture_presets]
ArrayHeight: 8
ArrayWidth: 4
IfmapSramSzkB: 1
FilterSramSzkB: 1
OfmapSramSzkB: 1
Dataflow: os
[run_presets]
InterfaceBandwidth: CALC
"""
CONV = """Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,

Conv1, 16, 16, 3, 3, 3, 20, 2, # stem
Pool, 6, 6, 2, 2, 5, 5, 2
"""
GEMM = "Layer, M, N, K,\nQKT, 64, 60, 16\n"


@pytest.fixture(autouse=True)
def files(elsewhere: Path) -> None:
    (elsewhere / "a.cfg").write_text(CFG)
    (elsewhere / "user.cfg").write_text(CFG.replace("CALC", "USER"))
    (elsewhere / "conv.csv").write_text(CONV)
    (elsewhere / "gemm.csv").write_text(GEMM)
    (elsewhere / "bad.csv").write_text(CONV.replace("Pool, 6", "Pool, six"))
    (elsewhere / "bad.cfg").write_text(CFG.replace("8", "eight"))
    (elsewhere / "huge.csv").write_text("Layer, M, N, K,\nall, 1000000000, 1000000000, 9,\n")
    (elsewhere / "taken").write_text("")


def test_reports_quirks_and_notes(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["scalesim", "-c", "a.cfg", "-t", "conv.csv", "-i", "conv", "-p", "out", "-s", "Y", "-l", "layout"]) == 0
    )
    text = capsys.readouterr().out
    for shown in ("Conv1", "Pool", "last index", "no drain", "full edge folds", "ofmap fold bug", "output size"):
        assert shown in text
    assert QUIRKS["last index"] in text
    assert "conv.csv, line 3: columns beyond Strides are passed over" in text
    assert "no traces are written" in text
    assert "layout is ignored" in text
    folder = elsewhere / "out" / "mine"
    assert {path.name for path in folder.iterdir()} == {*REPORTS, "QUIRKS_REPORT.csv"}
    rows = [row.split(", ") for row in (folder / "QUIRKS_REPORT.csv").read_text().splitlines()]
    assert rows[0] == ["LayerID", "Layer name", "Quirk", "Figure", "SCALE-Sim", "Corrected,"]
    # 8 x 8 windows, one row and column of them partly outside; 7 x 7 are not
    assert ["0", "Conv1", "output size", "MACs", str(64 * 27 * 20), f"{49 * 27 * 20},"] in rows


def test_sparse_filters_have_a_report_of_their_own_where_the_machine_uses_them(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = next(case for case in json.loads(SPARSE_GOLDENS.read_text()) if case["name"] == "ws 8x2 csr conv")
    (elsewhere / "sparse.csv").write_text(case["topology"])
    layers = {}
    for name, cfg in (("sparse", case["cfg"]), ("dense", case["cfg"].replace("Support: true", "Support: false"))):
        (elsewhere / "machine.cfg").write_text(cfg)
        assert main(["scalesim", "-c", "machine.cfg", "-t", "sparse.csv", "-p", name, "--json"]) == 0
        layers[name] = json.loads(capsys.readouterr().out)["layers"]
    written = {path.name: path.read_text() for path in (elsewhere / "sparse" / "golden").iterdir()}
    assert written["SPARSE_REPORT.csv"] == case["reports"]["SPARSE_REPORT.csv"]
    assert written["BANDWIDTH_REPORT.csv"] == case["reports"]["BANDWIDTH_REPORT.csv"]
    assert {path.name for path in (elsewhere / "dense" / "golden").iterdir()} == {*REPORTS, "QUIRKS_REPORT.csv"}
    for sparse, dense in zip(layers["sparse"], layers["dense"], strict=True):
        assert sparse["macs"] == dense["macs"] == dense["m"] * dense["n"] * dense["k"]
        assert "storage" not in dense
        assert sparse["storage"]["dense"] == dense["n"] * dense["k"]
    assert sum(layer["k"] for layer in layers["sparse"]) < sum(layer["k"] for layer in layers["dense"])


def test_reports_are_scale_sim_s_own(elsewhere: Path) -> None:
    case = next(case for case in json.loads(GOLDENS.read_text()) if case["name"] == "ws 3x7 1-1-1kB conv")
    (elsewhere / "golden.cfg").write_text(case["cfg"])
    (elsewhere / "golden.csv").write_text(case["topology"])
    assert main(["scalesim", "-c", "golden.cfg", "-t", "golden.csv"]) == 0
    for name in REPORTS[1:]:
        assert (elsewhere / "results" / "golden" / name).read_bytes() == case["reports"][name].encode()


def test_a_second_run_takes_the_place_of_the_first(elsewhere: Path) -> None:
    assert main(["scalesim", "-c", "a.cfg", "-t", "conv.csv", "-p", "out"]) == 0
    before = (elsewhere / "out" / "mine" / REPORTS[0]).read_text()
    assert main(["scalesim", "-c", "a.cfg", "-t", "gemm.csv", "-i", "gemm", "-p", "out"]) == 0
    assert (elsewhere / "out" / "mine" / REPORTS[0]).read_text() != before
    assert not list(elsewhere.rglob("*.tmp"))


def test_json_writes_no_files_of_its_own_accord(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(elsewhere.rglob("*"))
    assert main(["scalesim", "-c", "user.cfg", "--calc", "-t", "gemm.csv", "-i", "gemm", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert sorted(elsewhere.rglob("*")) == before
    assert result["config"]["rows"] == 8
    (layer,) = result["layers"]
    assert (layer["name"], layer["m"], layer["n"], layer["k"]) == ("QKT", 64, 60, 16)
    assert layer["cycles"] == 8 * 15 * (8 + 4 + 16 - 2) - 1
    assert layer["ofmap_sram"]["words"] == 64 * 60 + 8 * 15 * 12
    assert {"quirk": "last index", "figure": "Total Cycles", "reported": 3119, "corrected": 3120} in layer[
        "corrections"
    ]


def test_a_model_s_gemms_as_topologies(elsewhere: Path) -> None:
    assert main(["scalesim", "--model", "lenet", "--input-shape", "8x8x1", "--batch", "3", "-p", "out"]) == 0
    assert {path.name for path in (elsewhere / "out").iterdir()} == {
        "lenet_forward.csv",
        "lenet_dx.csv",
        "lenet_dw.csv",
    }
    products = {
        phase: [layer.product for layer in read_topology(elsewhere / "out" / f"lenet_{phase}.csv", "gemm").layers]
        for phase in ("forward", "dx", "dw")
    }
    assert products["forward"][0] == (3 * 64, 6, 25)
    assert products["dw"][0] == (25, 6, 3 * 64)
    assert products["dx"] == [(m, k, n) for m, n, k in products["forward"][1:]]  # the first layer wants none
    assert products["dw"] == [(k, n, m) for m, n, k in products["forward"]]


def test_attention_s_own_products_are_among_a_model_s_gemms(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["scalesim", "--model", "vit-tiny", "--input-shape", "32x16x3", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["notes"] == []
    heads, width, tokens = 3, 64, 8 * 4 + 1
    for phase in ("forward", "dx", "dw"):
        rows = [row for row in result[phase] if row["name"].startswith("blocks.7.attention#")]
        assert len(rows) == 2 * heads  # a head's scores, and its mixed values
        assert all(sorted((row["m"], row["n"], row["k"])) == [tokens, tokens, width] for row in rows)
    assert {row["k"] for row in result["forward"] if row["name"] == "blocks.7.attention#0"} == {tokens, width}


def test_a_model_s_phase_with_reports(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    typed = ["scalesim", "--model", "mlp", "--phase", "dw", "-c", "a.cfg", "-p", "out"]
    assert main(typed) == 0
    assert "mlp dw on 8x4, os" in capsys.readouterr().out
    assert {path.name for path in (elsewhere / "out").iterdir()} == {"mlp_dw.csv", "mine_mlp_dw"}
    assert main([*typed[:-2], "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert [layer["m"] for layer in result["dw"]] == [
        layer.product.m for layer in read_topology(elsewhere / "out" / "mlp_dw.csv", "gemm").layers
    ]


def test_neither_jax_nor_flax_is_imported(elsewhere: Path) -> None:
    code = (
        "import sys; from jaxgrad.cli import main; "
        "code = main(['scalesim', '-c', 'a.cfg', '-t', 'conv.csv']); "
        "sys.exit(code or bool({'jax', 'flax', 'matplotlib'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True).returncode == 0


BAD_INPUT = {
    "-t conv.csv": "-c: got none; give a SCALE-Sim .cfg",
    "-c a.cfg": "-t: got None and --model None; give one of the two",
    "-c a.cfg -t conv.csv --model lenet": "-t: got 'conv.csv' and --model lenet; give one of the two",
    "-c user.cfg -t conv.csv": "-c: got 'user.cfg', whose InterfaceBandwidth is USER; give CALC there, or --calc here",
    "-c bad.cfg -t conv.csv": "bad.cfg, line 4, ArrayHeight: got 'eight'; give a whole number from 1 to ",
    "-c a.cfg -t bad.csv": "bad.csv, line 4, IFMAP Height: got 'six'; give a whole number from 1 to ",
    "-c a.cfg -t gemm.csv": "gemm.csv, line 2: got 4 columns; give Layer name, ",
    "-c a.cfg -t conv.csv -i gemm": "conv.csv, line 1: got the header of convolutions; give -i conv, ",
    "-c a.cfg -t conv.csv -i cnn": "-i: got 'cnn'; choose one of conv, gemm",
    "-c a.cfg -t conv.csv -s yes": "-s: got 'yes'; choose one of Y, N",
    "-c a.cfg -t conv.csv --batch 3": "--batch: got 3; it goes with --model",
    "-c a.cfg -t conv.csv -p taken": "taken/mine: got Not a directory; give a path that can be used",
    "-c a.cfg -t huge.csv -i gemm": "layer 'all' on line 2: got a product of 1000000000 x 1000000000 x 9, too much ",
    "-c none.cfg -t conv.csv": "none.cfg: got No such file or directory; give a path that can be used",
    "-c a.cfg -t none.csv": "none.csv: got No such file or directory; give a path that can be used",
    "--model alexnt": "--model: got 'alexnt'; choose one of mlp, ",
    "--model lenet --phase up": "--phase: got 'up'; choose one of forward, dx, dw",
    "--model lenet --batch 0": "--batch: got 0; give a whole number of at least 1",
    "--model lenet --input-shape 8x8": "--input-shape: got '8x8'; give height, width and channels, such as 32x32x3",
    "--model lenet -l layout.csv": "-l: got 'layout.csv'; it goes without --model",
}


@pytest.mark.parametrize(("typed", "line"), BAD_INPUT.items(), ids=list(BAD_INPUT))
def test_bad_input_ends_in_one_line_and_leaves_nothing(
    typed: str, line: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(elsewhere.rglob("*"))
    assert main(["scalesim", *typed.split()]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"error: {line}")
    assert re.fullmatch(r"error: [^\n]+\n", printed.err)
    assert sorted(elsewhere.rglob("*")) == before


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cfg=st.binary(max_size=60), topology=st.binary(max_size=60), place=st.integers(0, 150))
def test_any_files_end_in_reports_or_one_line(
    cfg: bytes, topology: bytes, place: int, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (elsewhere / "fuzz.cfg").write_bytes(CFG.encode()[:place] + cfg + CFG.encode()[place:])
    (elsewhere / "fuzz.csv").write_bytes(CONV.encode()[:place] + topology + CONV.encode()[place:])
    for files in (["-c", "fuzz.cfg", "-t", "conv.csv"], ["-c", "a.cfg", "-t", "fuzz.csv"]):
        code = main(["scalesim", *files, "--json"])
        printed = capsys.readouterr()
        assert code in (0, 2)
        if code:
            assert re.fullmatch(r"error: [^\n]+\n", printed.err)
        else:
            json.loads(printed.out)
