"""``jaxgrad sweep``: a design space from its file to its table."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path

import pytest

from jaxgrad.cli import main

SPACE = """
title = "a small space"
[workload]
layers = [[40, 24], [24, 10]]
batch = [6, 12]
[space]
rows = [2, 4]
cols = [3, 5]
schedule = ["interleaved", "ws_only"]
[pareto]
objectives = ["cycles"]
"""


def table_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text())))


def test_a_sweep_costs_every_point(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (elsewhere / "space.toml").write_text(SPACE)
    assert main(["sweep", "space.toml"]) == 0
    text = capsys.readouterr().out
    assert "32 points" in text
    assert "40x24, batch 6: Pareto front" in text
    rows = table_of(elsewhere / "results" / "space.csv")
    assert len(rows) == 32
    best = min(
        (row for row in rows if (row["network"], row["batch"]) == ("40x24", "6")), key=lambda r: int(r["cycles"])
    )
    front = table_of(elsewhere / "results" / "space_40x24_batch6_front.csv")
    assert {row["cycles"] for row in front} == {best["cycles"]}


def test_hints_keep_the_options(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (elsewhere / "space.toml").write_text(SPACE)
    typed = ["sweep", "space.toml", "--out", "my table.csv", "--store", "kept", "--retries", "5"]

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("jaxgrad.studies.work.Work.compute", interrupt)
    assert main(typed) == 130
    said = "go on with: jaxgrad sweep space.toml --out 'my table.csv' --store kept --retries 5"
    assert capsys.readouterr().err.strip().endswith(said)


def test_parquet_holds_the_same(elsewhere: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    (elsewhere / "space.toml").write_text(SPACE)
    assert main(["sweep", "space.toml", "--out", "table.parquet"]) == 0
    assert main(["sweep", "space.toml", "--out", "table.csv"]) == 0
    columns = parquet.read_table(elsewhere / "table.parquet").to_pydict()
    assert [str(value) for value in columns["cycles"]] == [row["cycles"] for row in table_of(elsewhere / "table.csv")]


def test_without_its_package_parquet_names_the_extra(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (elsewhere / "space.toml").write_text(SPACE)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert main(["sweep", "space.toml", "--out", "table.parquet"]) == 2
    assert "--out: got 'table.parquet'; give .csv, or pip install 'jaxgrad[parquet]' first" in capsys.readouterr().err


def test_the_page_of_designs_goes_beside_the_table(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("vl_convert", reason="needs pip install 'jaxgrad[interactive]'")
    (elsewhere / "space.toml").write_text(SPACE)
    assert main(["sweep", "space.toml", "--out", "one.csv"]) == 0
    assert capsys.readouterr().out.rstrip().endswith("one.html")
    text = (elsewhere / "one.html").read_text(encoding="utf-8")
    assert "All 32 designs are drawn" in text
    assert '<a href="one.csv">' in text
    assert '<a href="one_40x24_batch6_front.csv">' in text


def test_without_its_extra_a_line_says_so_and_the_rest_is_written(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (elsewhere / "space.toml").write_text(SPACE)
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    assert main(["sweep", "space.toml", "--out", "one.csv"]) == 0
    assert capsys.readouterr().out.count("pip install 'jaxgrad[interactive]'") == 1
    assert (elsewhere / "one.csv").exists()
    assert not (elsewhere / "one.html").exists()


@pytest.mark.parametrize(
    ("changed", "typed", "said"),
    [
        ("", "nowhere.toml", "CONFIG: got 'nowhere.toml'; there is no such file"),
        ("rows = [2, 4]", "space.toml --out table.xls", "--out: got 'table.xls'; give a file that ends in .csv"),
        ("rows = [2, 0]", "space.toml", "space.rows.1 in space.toml: got 0"),
        ("row = [2, 4]", "space.toml", "space.row in space.toml: got [2, 4]; there is no such key"),
    ],
)
def test_what_will_not_do_is_one_line(
    changed: str, typed: str, said: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (elsewhere / "space.toml").write_text(SPACE.replace("rows = [2, 4]", changed))
    assert main(["sweep", *typed.split()]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {said}"), error
    assert len(error.splitlines()) == 1
    assert [path.name for path in elsewhere.iterdir()] == ["space.toml"]
