"""``jaxgrad pipeline``: pipelines of arrays side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jaxgrad.cli import main
from jaxgrad.cli.pipeline import Counts, Pipelines
from jaxgrad.pipelines import PIPELINES

SMALL = ["pipeline", "--model", "mlp", "--batch", "8", "--time", "macs"]


def result(capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, Any]:
    assert main([*SMALL, *more, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_it_prints_json_alone(capsys: pytest.CaptureFixture[str]) -> None:
    data = result(capsys, "--processors", "2-3", "--pipelines", "single,pipedream,layerpipe")
    assert (data["model"], data["batch"], data["time"]) == ("mlp", 8, "macs")
    assert [(row["processors"], row["pipeline"]) for row in data["rows"]] == [
        (1, "single"), (2, "pipedream"), (2, "layerpipe"), (3, "pipedream"), (3, "layerpipe"),
    ]  # fmt: skip
    assert set(data["rows"][0]) == {
        "processors", "pipeline", "period", "speedup", "over_pipedream", "utilisation", "words_moved", "weight_words",
        "activation_words",
    }  # fmt: skip
    single, *others = data["rows"]
    assert (single["speedup"], single["words_moved"]) == (1, 0)
    for row in others:
        assert row["speedup"] == pytest.approx(single["period"] / row["period"])
        assert row["utilisation"] == pytest.approx(row["speedup"] / row["processors"])
        assert row["over_pipedream"] >= 1


def test_it_writes_figures_and_a_trace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    all_of_them = ["--processors", "2", "--pipelines", "all", "--chunks", "1", "--words-per-cycle", "0.5"]
    assert main([*SMALL, *all_of_them, "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in PIPELINES)
    assert {file.name for file in out.iterdir()} == {
        "speedup.png", "speedup.svg", "speedup.pdf", "gantt.png", "gantt.svg", "gantt.pdf", "trace.json",
        "tables.csv", "tables.md", "tables.tex", "pipeline.json",
    }  # fmt: skip
    events = json.loads((out / "trace.json").read_text())["traceEvents"]
    names = {event["args"]["name"] for event in events if event["ph"] == "M" and "name" in event["args"]}
    assert {"layerpipe", "array 0", "array 1", "link 0 to 1", "link 1 to 0"} <= names


def test_cycles_are_the_arrays(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["pipeline", "--model", "mlp", "--batch", "8", "--rows", "4", "--cols", "4", "--json", "--processors"]
    assert main([*arguments, "2"]) == 0
    small = json.loads(capsys.readouterr().out)["rows"]
    assert main([*arguments, "2", "--double-buffered"]) == 0
    buffered = json.loads(capsys.readouterr().out)["rows"]
    assert all(less["period"] < more["period"] for less, more in zip(buffered, small, strict=True))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--processors", "0"], "--processors: got '0'; give numbers from 1 to 4096"),
        (["--processors", "x"], "--processors: got 'x'; give numbers of arrays, such as 4, 2-10 or 2,4,8"),
        (["--processors", "4-2"], "give numbers from 1 to 4096, the lesser first"),
        (["--processors", "40"], "--processors: got 40; give at most"),
        (["--update-cycles"], "--update-cycles: got True; count time in cycles"),
        (["--words-per-cycle", "0"], "--words-per-cycle: got 0.0; give a number above 0"),
        (
            ["--pipelines", "gpipe", "--microbatches", "3"],
            "--microbatches: got 3; give a number that divides",
        ),
        (["--pipelines", "layerpip"], "did you mean 'layerpipe'"),
    ],
)
def test_bad_input_is_one_line(more: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, *more, "--json"]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_numbers_of_arrays() -> None:
    assert Counts.parsed("--processors", "8,2-4,3").values == (2, 3, 4, 8)
    assert str(Counts((2, 4))) == "2,4"
    assert Pipelines.parsed("--pipelines", "all").names == tuple(PIPELINES)
