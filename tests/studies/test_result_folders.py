"""Any two results of one kind can be compared, and no others; what is broken is one line."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jaxgrad.base.errors import InputError
from jaxgrad.reports.results import Comparison, Figure
from jaxgrad.studies.result_folders import compared
from jaxgrad.training import runs
from jaxgrad.training.config import resolve

POINT = {"network": "lenet", "at": {"batch": "2"}, "variant": "WS", "array": [4, 8], "values": {"cycles": 7.0}}
EXPERIMENT = {"title": "t", "compare": "step", "baseline": "WS", "units": {"cycles": "clock cycles"}}
EVENTS = [
    {"name": "process_name", "ph": "M", "pid": 1, "tid": 0, "args": {"name": "interleaved: 72 cycles"}},
    {"name": "thread_name", "ph": "M", "pid": 1, "tid": 3, "args": {"name": "load"}},
    {"name": "W", "ph": "X", "pid": 1, "tid": 3, "ts": 0, "dur": 4},
    {"name": "W", "ph": "X", "pid": 1, "tid": 3, "ts": 9, "dur": 5},
]
DESIGN = {"network": "a", "batch": 2, "rows": 4, "cols": 4, "schedule": "os_only", "cycles": 10, "energy_pj": 1.5}

Make = Callable[[Path], Path]


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def experiment(folder: Path, *points: dict[str, Any], **keys: Any) -> Path:
    return write(folder / "results.json", {**EXPERIMENT, "points": list(points or (POINT,)), **keys}).parent


def table(path: Path, *designs: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = designs or (DESIGN, {**DESIGN, "rows": 8})
    with path.open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerows([list(rows[0]), *(["" if value is None else value for value in row.values()] for row in rows)])
    return path


def unequal(comparison: Comparison) -> dict[Figure, Any]:
    return {figure: pair for figure, pair in comparison.figures.items() if pair[0] != pair[1]}


KINDS: dict[str, Make] = {
    "a training run": lambda folder: runs.create(folder / "run", resolve(None, []).to_toml()).folder,
    "results of an experiment": lambda folder: experiment(folder / "results"),
    "results of an experiment with pipelines": lambda folder: write(
        folder / "p.json", {"points": [], "comparisons": []}
    ),
    "results of an experiment that trains": lambda folder: write(
        folder / "t.json", {"baseline": "a", "variants": [], "runs": []}
    ),
    "results of an experiment on memory": lambda folder: write(folder / "m.json", {"keep": [1], "networks": {}}),
    "results of an experiment with a control problem": lambda folder: write(
        folder / "c.json", {"control": {}, "descent": {}, "points": []}
    ),
    "results of an experiment on the dynamics of training": lambda folder: write(
        folder / "d.json", {"dynamics": {}, "claims": []}
    ),
    "a trace": lambda folder: write(folder / "trace" / "trace.json", {"traceEvents": EVENTS}).parent,
    "a table of designs": lambda folder: table(folder / "sweep.csv"),
    "diagnostics of training": lambda folder: (
        write(folder / "diagnosis" / "diagnostics.jsonl", '{"step": 1, "noise": 2.0}\n').parent
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_has_no_difference_and_another_kind_is_refused(kind: str, tmp_path: Path) -> None:
    given = KINDS[kind](tmp_path)
    assert compared(given, given).is_equal
    assert compared(given, given).kind == kind
    other = next(name for name in KINDS if name != kind)
    with pytest.raises(InputError) as raised:
        compared(given, KINDS[other](tmp_path / "other"))
    message = str(raised.value)
    assert message.endswith(f"which is {other}; give two of one kind: {given} is {kind}")
    assert len(message.splitlines()) == 1


def test_numbers_are_compared_at_the_same_place_whatever_their_order(tmp_path: Path) -> None:
    second = {**POINT, "at": {"batch": "16"}, "values": {"cycles": 30.0, "energy": None}}
    changed = {**second, "values": {"cycles": 33.0, "energy": 2.0}, "array": [4, 9]}
    one = experiment(tmp_path / "one", POINT, second)
    other = experiment(tmp_path / "other", changed, POINT, baseline="OS")
    comparison = compared(one, other)
    place = "points / lenet, batch 16, WS"
    assert unequal(comparison) == {
        Figure(f"{place} / values", "", "cycles"): (30.0, 33.0),
        Figure(f"{place} / values", "", "energy"): (None, 2.0),
        Figure(f"{place} / array", "", "[1]"): (8, 9),
    }
    assert comparison.settings == {"baseline": ("WS", "OS")}


def test_what_was_asked_for_is_a_setting_also_where_it_is_a_number(tmp_path: Path) -> None:
    one, other = (
        write(tmp_path / f"{batch}.json", {"config": {"batch": batch}, "layers": {}, "total": {"cycles": 5 * batch}})
        for batch in (2, 4)
    )
    comparison = compared(one, other)
    assert comparison.settings == {"config.batch": (2, 4)}
    assert unequal(comparison) == {Figure("total", "", "cycles"): (10, 20)}


def test_entries_that_say_the_same_of_themselves_are_told_apart_by_their_order(tmp_path: Path) -> None:
    twice = [{**POINT, "values": {"cycles": 1.0}}, {**POINT, "values": {"cycles": 2.0}}]
    comparison = compared(experiment(tmp_path / "one", *twice), experiment(tmp_path / "other", twice[0], POINT))
    assert unequal(comparison) == {Figure("points / lenet, batch 2, WS #2 / values", "", "cycles"): (2.0, 7.0)}


def test_traces_are_compared_by_what_takes_how_long_on_each_track(tmp_path: Path) -> None:
    """A schedule's name in a trace has its cycles, which are a result."""
    longer = [dict(event) for event in EVENTS]
    longer[0]["args"] = {"name": "interleaved: 80 cycles"}
    longer.append({**EVENTS[-1], "ts": 20})
    one, other = (
        write(tmp_path / name / "trace.json", {"traceEvents": e}) for name, e in (("a", EVENTS), ("b", longer))
    )
    assert unequal(compared(one.parent, other)) == {
        Figure("interleaved / load", "W", "duration"): (9, 14),
        Figure("interleaved / load", "W", "events"): (2, 3),
    }


def test_designs_are_compared_by_what_they_are(tmp_path: Path) -> None:
    """What is the same of all is a setting; empty fields are none; Parquet and CSV say the same."""
    rows = [DESIGN, {**DESIGN, "rows": 8, "energy_pj": None}]
    one = table(tmp_path / "one.csv", *rows)
    other = table(tmp_path / "other.csv", {**rows[1], "cycles": 12}, rows[0])
    comparison = compared(one, other)
    assert unequal(comparison) == {Figure("rows 8", "", "cycles"): (10, 12)}
    assert len(comparison.figures) == 3
    assert not comparison.settings
    assert compared(one, table(tmp_path / "third.csv", *({**row, "batch": 4} for row in rows))).settings == {
        "batch": ("2", "4")
    }
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = {name: [row[name] for row in rows] for name in DESIGN}
    parquet.write_table(pyarrow.table(columns), tmp_path / "one.parquet")
    assert compared(one, tmp_path / "one.parquet").is_equal


def test_designs_that_both_have_are_found_whatever_varies_in_one_alone(tmp_path: Path) -> None:
    """By rows here and by schedules there; and what is one value here and another there is a setting that differs."""
    taller, interleaved = {**DESIGN, "rows": 8}, {**DESIGN, "schedule": "interleaved"}
    one = table(tmp_path / "one.csv", DESIGN, taller)
    for other in ([{**DESIGN, "cycles": 12}], [interleaved, {**DESIGN, "cycles": 12}]):
        comparison = compared(one, table(tmp_path / "other.csv", *other))
        found = [(figure, pair) for figure, pair in unequal(comparison).items() if None not in pair]
        assert [(figure.part.split(", ")[0], figure.name, pair) for figure, pair in found] == [
            ("rows 4", "cycles", (10, 12))
        ]
        assert not comparison.settings
    elsewhere = table(tmp_path / "third.csv", {**DESIGN, "network": "b"}, {**taller, "network": "b", "cycles": 9})
    comparison = compared(one, elsewhere)
    assert comparison.settings == {"network": ("a", "b")}
    assert unequal(comparison) == {Figure("rows 8", "", "cycles"): (10, 9)}


@pytest.mark.parametrize("nothing", ["NaN", "-Infinity"])
def test_what_is_no_number_is_not_there_and_equal_to_itself(nothing: str, tmp_path: Path) -> None:
    place = write(tmp_path / "results.json", json.dumps({**EXPERIMENT, "points": [POINT]}).replace("7.0", nothing))
    assert compared(place, place).is_equal
    designs = table(tmp_path / "a.csv", {**DESIGN, "energy_pj": float(nothing)})
    assert compared(designs, designs).is_equal
    assert Figure("the design", "", "energy_pj") not in compared(designs, designs).figures


def test_a_folder_with_one_table_is_it_and_fronts_are_left_out(tmp_path: Path) -> None:
    place = table(tmp_path / "sweep" / "a.csv").parent
    table(place / "a_lenet_batch2_front.csv", DESIGN)
    assert compared(place, place / "a.csv").is_equal
    table(place / "b.csv")
    with pytest.raises(InputError, match=r"with several tables; give one of a\.csv, b\.csv"):
        compared(place, place)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.json", '{"points": [', "which is no whole JSON (Expecting value"),
        ("x.json", "", "which is no whole JSON"),
        ("x.json", "[1]", "which no jaxgrad command writes; give what --json printed, or a folder of results"),
        ("x.json", '{"a": 1}', "which no jaxgrad command writes"),
        ("x.txt", "hello", "which is no whole JSON"),
        ("x.jsonl", '{"step": 1}\n{"st', "which is no whole JSON"),
        ("x.csv", "a,b\n1,2\n", "which is no table of designs; give one that jaxgrad sweep or jaxgrad search wrote"),
        ("x.csv", "network,rows,cols,schedule,cycles\na,4,4,os\n", "which is no whole table (line 2 has not 5 fields)"),
        ("x.csv", "network,rows,cols,schedule,cycles\na,4,4,os,fast\n", "which is no whole table (invalid literal"),
        ("x.csv", "", "which is no table of designs"),
        ("x.parquet", "PAR", "which is no whole table"),
    ],
)
def test_what_is_broken_or_of_no_kind_is_one_line(name: str, content: str, said: str, tmp_path: Path) -> None:
    broken = write(tmp_path / name, content)
    with pytest.raises(InputError) as raised:
        compared(experiment(tmp_path / "good"), broken)
    assert str(raised.value).startswith(f"B: got '{broken}', {said}")
    assert len(str(raised.value).splitlines()) == 1


def test_a_folder_with_nothing_but_half_of_a_file_holds_no_results(tmp_path: Path) -> None:
    write(tmp_path / ".results.json.123.tmp", '{"points')
    for given in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(InputError, match=r"A: got '.*', which holds no results; give the folder of a training run"):
            compared(given, given)


def test_tables_that_are_too_long_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jaxgrad.studies.design_tables._MOST", 1)
    with pytest.raises(InputError, match="with 2 designs; give tables of at most 1"):
        compared(table(tmp_path / "a.csv"), tmp_path / "a.csv")
