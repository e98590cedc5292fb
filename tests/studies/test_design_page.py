"""The page of a design space: which designs it shows, and what it says of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxgrad.studies import design_page
from jaxgrad.studies.design_sweep import gathered

OBJECTIVES = ("cycles", "energy")


def space(designs: int, seed: int = 0) -> dict[str, list[Any]]:
    """Designs of two networks; every tenth does not fit."""
    chance = np.random.default_rng(seed)
    fits = [index % 10 != 3 for index in range(designs)]

    def some(values: np.ndarray) -> list[Any]:
        return [value if fit else None for value, fit in zip(values.tolist(), fits, strict=True)]

    return {
        "network": ["mlp" if index % 2 else "lenet" for index in range(designs)],
        "batch": [8] * designs,
        "rows": chance.integers(1, 64, designs).tolist(),
        "cols": [4] * designs,
        "schedule": ["interleaved"] * designs,
        "sram_kib": [32] * designs,
        "cycles": some(chance.integers(1000, 9000, designs)),
        "energy_pj": some(chance.uniform(1e6, 9e6, designs)),
        "edp_js": some(chance.uniform(1e-9, 9e-9, designs)),
    }


def on_front(table: dict[str, list[Any]], row: int) -> bool:
    """By comparing it with every other of its network."""
    costs = list(zip(table["cycles"], table["energy_pj"], strict=True))
    if None in costs[row]:
        return False
    others = [
        c for c, name in zip(costs, table["network"], strict=True) if name == table["network"][row] and None not in c
    ]
    return not any(all(a <= b for a, b in zip(c, costs[row], strict=True)) and c != costs[row] for c in others)


def shown_of(*tables: dict[str, list[Any]], drawn: int = 1000) -> design_page.Shown:
    return design_page.shown(gathered(tables, OBJECTIVES, drawn))


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("drawn", [0, 7, 1000])
def test_every_front_is_whole_and_the_others_are_bounded(drawn: int, parts: int) -> None:
    table = space(200)
    size = -(-200 // parts)
    some = [{name: values[at : at + size] for name, values in table.items()} for at in range(0, 200, size)]
    shown = shown_of(*some, drawn=drawn)
    optimal = {row + 1 for row in range(200) if on_front(table, row)}
    assert set(shown.rows[: shown.optimal]) == optimal
    others = len(shown.rows) - len(optimal)
    assert len(set(shown.rows)) == len(shown.rows)
    assert others == 180 - len(optimal) if drawn == 1000 else max(0, 2 * drawn - len(optimal)) <= others <= 2 * drawn
    assert (shown.able, shown.designs) == (180, 200)
    for name, values in shown.table.items():
        assert values == [table[name][row - 1] for row in shown.rows]


def test_it_says_how_many_of_how_many_and_has_the_fronts(tmp_path: Path) -> None:
    pytest.importorskip("altair", reason="needs pip install 'jaxgrad[interactive]'")
    pytest.importorskip("vl_convert", reason="needs pip install 'jaxgrad[interactive]'")
    table = space(200)
    (tmp_path / "space.csv").write_text("x")
    shown = shown_of(table, drawn=25)
    data = [tmp_path / "space.csv"]
    assert design_page.write(tmp_path / "space.html", "A space", shown, OBJECTIVES, 0.5, data) == [
        tmp_path / "space.html"
    ]
    text = (tmp_path / "space.html").read_text(encoding="utf-8")
    assert f"{len(shown.rows)} of 180 designs are drawn: all {shown.optimal} Pareto-optimal ones" in text
    assert "20 more do not fit" in text
    assert "none is as good in cycles, energy and better in one" in text
    assert '<a href="space.csv">space.csv</a>' in text
    assert text.partition("<tbody>")[2].partition("</tbody>")[0].count("<tr>") == shown.optimal
    given = json.loads(text.partition('<script type="application/json">')[2].partition("</script>")[0])
    axes = {axis["label"]: axis for axis in given["axes"]}
    assert list(axes) == ["cycles", "energy [uJ]", "time [us]", "EDP [nJ s]"]
    assert all(axis["spanned"] for axis in axes.values())  # time and EDP follow from the objectives
    columns = given["columns"]
    assert sum(columns["optimal"]) == shown.optimal
    cycles = [table["cycles"][row - 1] for row in columns["row"]]
    assert columns[axes["cycles"]["field"]] == cycles
    assert columns[axes["time [us]"]["field"]] == pytest.approx([value / 500 for value in cycles], rel=1e-5)
    several = [one["label"] for one in given["parameters"] if one["several"]]
    assert several == ["network", "rows"]
    assert given["colour"] == next(one["field"] for one in given["parameters"] if one["label"] == "network")


def test_a_long_table_has_some_of_every_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("altair", reason="needs pip install 'jaxgrad[interactive]'")
    pytest.importorskip("vl_convert", reason="needs pip install 'jaxgrad[interactive]'")
    monkeypatch.setattr(design_page, "_LISTED", 4)
    shown = shown_of(space(200))
    design_page.write(tmp_path / "space.html", "A space", shown, OBJECTIVES, 1.0)
    text = (tmp_path / "space.html").read_text(encoding="utf-8")
    assert f"Pareto-optimal designs, 4 of {shown.optimal}" in text
    body = text.partition("<tbody>")[2].partition("</tbody>")[0]
    assert body.count("<tr>") == 4
    assert "mlp" in body
    assert "lenet" in body


def test_where_nothing_fits_there_is_no_page(tmp_path: Path) -> None:
    table = space(4) | {name: [None] * 4 for name in ("cycles", "energy_pj", "edp_js")}
    shown = shown_of(table)
    assert design_page.write(tmp_path / "space.html", "A space", shown, OBJECTIVES, 1.0) == []
    assert not list(tmp_path.iterdir())
