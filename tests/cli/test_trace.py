"""``jaxgrad trace``: its files, its notes, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jaxgrad.cli import main

PICTURES = {"gantt.png", "gantt.svg", "gantt.pdf"}


def test_a_small_array_is_traced_drawn_and_animated(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = "--batch 2 --in-features 3 --out-features 3 --rows 2 --cols 2"
    assert main(["trace", *small.split()]) == 0
    text = capsys.readouterr().out
    folder = elsewhere / "runs" / "trace-1"
    assert {path.name for path in folder.iterdir()} == {"trace.json", "animation.html"} | PICTURES
    assert "interleaved: 40 cycles" in text  # 4 tiles of 3 R + C + 2 B - 2
    assert "sequential: 48 cycles" in text
    assert "no animation" not in text
    trace = json.loads((folder / "trace.json").read_text(encoding="utf-8"))
    assert trace["otherData"]["gemm"] == {"batch": 2, "in_features": 3, "out_features": 3}


def test_the_schedules_that_are_named_are_animated(elsewhere: Path) -> None:
    small = "--batch 2 --in-features 2 --out-features 3 --rows 2 --cols 2 --schedule os,ws --out here"
    assert main(["trace", *small.split()]) == 0
    page = (elsewhere / "here" / "animation.html").read_text(encoding="utf-8")
    data = json.loads(page.partition('id="data">')[2].partition("</script>")[0])
    assert [run["schedule"] for run in data["runs"]] == ["os", "ws"]


def test_a_large_one_is_cut_with_a_note_and_not_animated(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    large = "--batch 64 --in-features 1024 --out-features 1024 --rows 16 --cols 16 --double-buffered --max-tiles 9"
    assert main(["trace", *large.split(), "--schedule", "ws_only, interleaved", "--out", "here"]) == 0
    text = capsys.readouterr().out
    assert {path.name for path in (elsewhere / "here").iterdir()} == {"trace.json"} | PICTURES
    assert "cycles, the first 9 of 4,096 tiles" in text
    assert "no animation: got a 16x16 array; give --rows and --cols of at most 8\n" in text
    trace = json.loads((elsewhere / "here" / "trace.json").read_text(encoding="utf-8"))
    assert [run.partition(":")[0] for run in trace["otherData"]["runs"]] == ["ws_only", "interleaved"]
    assert {event["args"]["tile"] for event in trace["traceEvents"] if event["ph"] == "X"} == set(range(9))


def test_a_layer_is_traced_on_the_array_of_a_machine(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (elsewhere / "machine.toml").write_text("[machine]\nrows = 16\ncols = 16\n")
    typed = "--like head --batch 2 --machine machine.toml --schedule ws --out here"
    assert main(["trace", *typed.split()]) == 0
    said = capsys.readouterr().out
    assert "Y[2,10] = X[2,84] W[84,10] on a 16x16 array" in said
    assert "The sizes are those of head of lenet, 2 images of digits." in said
    about = json.loads((elsewhere / "here" / "trace.json").read_text(encoding="utf-8"))["otherData"]
    assert about["gemm"] == {"batch": 2, "in_features": 84, "out_features": 10}


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("--rows 0", "--rows: got 0; give a whole number of at least 1"),
        ("--batch many", "--batch: got 'many'; give a whole number of at least 1"),
        ("--schedule interleafed", "--schedule: got 'interleafed'; choose one of ws, os, "),
        ("--schedule ws,,os", "--schedule: got ''; choose one of ws, os, "),
        ("--max-tiles 0", "--max-tiles: got 0; give a whole number of at least 1"),
        ("--animation --rows 9", "--animation: got a 9x3 array; give --rows and --cols of at most 8, "),
        ("--animation --batch 900", "--animation: got 7,240 cycles of the GEMM 900x6x6; give sizes that take at most "),
        ("--like last", "--like: got 'last'; lenet has conv1, "),
        ("--machine none.toml", "--machine: got 'none.toml'; there is no such file"),
        ("--out taken", "--out: got 'taken', which is not empty; "),
        ("--batch 9000000000000000000", "cycles: got "),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    typed: str, said: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (elsewhere / "taken").mkdir()
    (elsewhere / "taken" / "thesis.tex").write_text("")
    assert main(["trace", *typed.split()]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: {said}"), err
    assert len(err.splitlines()) == 1
    assert [path.name for path in elsewhere.rglob("*")] == ["taken", "thesis.tex"]
