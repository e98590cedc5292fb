"""``jaxgrad search``: a design space searched, from its file to its table."""

from __future__ import annotations

import csv
import io
import itertools
import re
from pathlib import Path

import pytest

from jaxgrad.cli import main

SPACE = """
title = "a small space"
[workload]
layers = [[40, 24]]
batch = [6]
[space]
rows = [1, 2, 4, 6, 8]
cols = [1, 3, 5, 8, 13]
schedule = ["interleaved", "ws_only"]
[descent]
max_pes = 30
starts = 4
steps = 10
"""


def table_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text())))


def test_a_search_tells_the_best_and_what_it_missed(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (elsewhere / "space.toml").write_text(SPACE)
    assert main(["search", "space.toml", "--exhaustive"]) == 0
    text = capsys.readouterr().out
    assert "least cycles in at most 30 PEs; 2 x 4 descents of 10 steps" in text
    assert "of 50 designs" in text
    rows = table_of(elsewhere / "results" / "space_search.csv")
    assert main(["sweep", "space.toml"]) == 0
    every = {(row["schedule"], row["rows"], row["cols"]): row["cycles"] for row in table_of(Path("results/space.csv"))}
    assert rows
    for row in rows:
        assert row["cycles"] == every[row["schedule"], row["rows"], row["cols"]]
        assert int(row["rows"]) * int(row["cols"]) <= 30
        assert 0.5 < float(row["relaxed_cycles"]) / int(row["cycles"]) < 1.2
    assert (elsewhere / "results" / "space_search_40x24_batch6_descents.png").stat().st_size > 10_000


def test_the_page_has_the_designs_looked_at(elsewhere: Path) -> None:
    pytest.importorskip("vl_convert", reason="needs pip install 'jaxgrad[interactive]'")
    (elsewhere / "space.toml").write_text(SPACE)
    assert main(["search", "space.toml", "--method", "descents", "--out", "found.csv"]) == 0
    count = len(table_of(elsewhere / "found.csv"))
    text = (elsewhere / "found.html").read_text(encoding="utf-8")
    assert f"All {count} designs are drawn" in text
    assert "none has less cycles" in text
    assert "relaxed" not in text.partition('<script type="application/json">')[2].partition("</script>")[0]


def test_what_is_found_is_kept(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (elsewhere / "space.toml").write_text(SPACE)
    assert main(["search", "space.toml", "--method", "descents"]) == 0
    first = capsys.readouterr().out
    monkeypatch.setattr("jaxgrad.designs.search.search", None)
    assert main(["search", "space.toml", "--method", "descents"]) == 0
    assert capsys.readouterr().out == first


def test_a_small_space_is_costed_whole_and_says_why(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (elsewhere / "space.toml").write_text(SPACE)
    with monkeypatch.context() as patch:
        patch.setattr("jaxgrad.designs.search.search", None)  # no descents
        assert main(["search", "space.toml"]) == 0
    text = capsys.readouterr().out
    assert re.search(
        r"every one of 50 designs costed, estimated at about [\d.]+ s; 2 x 4 descents of 10 steps would take about "
        r"[\d.]+ s \(--method descents\)",
        text,
    )
    assert "at it" not in text
    every = table_of(Path("results/space_search.csv"))
    assert not list(Path("results").glob("*.png"))
    sizes = itertools.product([1, 2, 4, 6, 8], [1, 3, 5, 8, 13])
    allowed = [(str(rows), str(cols)) for rows, cols in sizes if rows * cols <= 30]
    assert [(row["rows"], row["cols"]) for row in every] == 2 * allowed
    # Descents find the same best design of either kind, at the same cost.
    assert main(["search", "space.toml", "--method", "descents"]) == 0
    found = table_of(Path("results/space_search.csv"))
    for schedule in ("interleaved", "ws_only"):
        least = [min(int(row["cycles"]) for row in table if row["schedule"] == schedule) for table in (every, found)]
        assert least[0] == least[1]
        assert len(found) < len(every)


def test_every_design_and_what_descents_miss_of_them_are_two_things(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (elsewhere / "space.toml").write_text(SPACE)
    assert main(["search", "space.toml", "--method", "every", "--exhaustive"]) == 2
    assert capsys.readouterr().err == "error: --method: got 'every' and --exhaustive; leave one of the two out\n"


def test_nothing_within_the_limits_is_said(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (elsewhere / "space.toml").write_text(SPACE.replace("rows = [1, 2, 4, 6, 8]", "rows = [32, 64]"))
    assert main(["search", "space.toml", "--exhaustive"]) == 0
    assert "No design that was looked at fits" in capsys.readouterr().out
    assert not list(elsewhere.rglob("*.html"))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("max_pes = 30", "max_pes = 0", "descent.max_pes in space.toml: got 0; give a whole number of at least 1"),
        ("max_pes = 30", "max_pe = 3", "descent.max_pe in space.toml: got 3; there is no such key"),
        ("max_pes = 30", "max_area_mm2 = 3.0", "descent.max_area_mm2 in space.toml: got 3.0; give machine.technology"),
        ("max_pes = 30", 'objective = "edp"', "descent.objective in space.toml: got 'edp'; give machine.technology"),
        ("max_pes = 30", 'objective = "area"', "descent.objective in space.toml: got 'area'; choose one of"),
        ("starts = 4", "starts = -1", "descent.starts in space.toml: got -1"),
    ],
)
def test_what_will_not_do_is_one_line(
    old: str, new: str, said: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (elsewhere / "space.toml").write_text(SPACE.replace(old, new))
    assert main(["search", "space.toml"]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {said}"), error
    assert len(error.splitlines()) == 1
    assert [path.name for path in elsewhere.iterdir()] == ["space.toml"]


def test_check_says_what_would_run(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (elsewhere / "space.toml").write_text(SPACE)
    assert main(["search", "space.toml", "--check"]) == 0
    said = capsys.readouterr().out
    assert "2 x 4 descents of 10 steps, or every one of 50 designs costed if that takes less" in said
    assert [path.name for path in elsewhere.iterdir()] == ["space.toml"]
