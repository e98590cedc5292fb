"""Tables beside each other: what tells rows apart, what differs, and by how much."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgrad.base.errors import InputError
from jaxgrad.reports.sheets import Cell, Sheet, SheetPair, SheetsComparison

COLUMNS = "network", "rows", "cols", "phase", "cycles"
ONE = Sheet(COLUMNS, [("lenet", 8, 8, "dX", 10), ("lenet", 8, 8, "dW", 10), ("lenet", 16, 8, "dX", 5)])
CELLS: st.SearchStrategy[Cell] = st.integers(0, 2) | st.sampled_from(["a", None])


@st.composite
def sheets(draw: st.DrawFn) -> Sheet:
    width = draw(st.integers(1, 4))
    rows = draw(st.lists(st.tuples(*[CELLS] * width), min_size=1, max_size=8))
    return Sheet(tuple("abcd"[:width]), rows)


@given(sheets())
def test_keys_tell_all_rows_apart_and_none_could_go(sheet: Sheet) -> None:
    rows = set(sheet.rows)
    assert len({sheet.under(sheet.keys)(row) for row in rows}) == len(rows)
    if len(sheet.keys) > 1:
        for key in sheet.keys:
            less = [name for name in sheet.keys if name != key]
            assert len({sheet.under(less)(row) for row in rows}) < len(rows)


@given(sheets(), st.data())
def test_no_difference_is_of_the_same_rows_in_any_order(sheet: Sheet, data: st.DataObject) -> None:
    shuffled = Sheet(sheet.columns, data.draw(st.permutations(list(sheet.rows))))
    pair = SheetPair(sheet, shuffled)
    assert pair.is_equal
    assert pair.both == len(set(sheet.rows))


@given(sheets(), sheets())
def test_differences_turn_round_with_the_two(one: Sheet, other: Sheet) -> None:
    try:
        pair = SheetPair(one, other)
        differences = pair.differences
    except InputError:
        with pytest.raises(InputError):
            _ = SheetPair(other, one).differences
        return
    back = SheetPair(other, one)
    assert back.is_equal == pair.is_equal
    assert (back.keys, back.alone) == (pair.keys, pair.alone[::-1])
    assert {(each.row, each.column, each.values[::-1]) for each in back.differences} == {*differences}


def test_keys_are_the_fewest_of_the_first() -> None:
    assert ONE.keys == ("rows", "phase")
    assert Sheet(("rows", "cycles"), [(4, 1)]).keys == ("rows",)


def test_rows_are_compared_by_what_tells_them_apart() -> None:
    other = Sheet(COLUMNS, [("lenet", 8, 4, "dW", 30), ("lenet", 8, 4, "dX", 10), ("lenet", 32, 4, "dX", 1)])
    pair = SheetPair(ONE, other)
    assert pair.keys == ("rows", "phase")
    assert (pair.both, pair.alone) == (2, ([(16, "dX")], [(32, "dX")]))
    assert [(each.row, each.column, each.values, each.ratio) for each in pair.differences] == [
        ((8, "dX"), "cols", (8, 4), 0.5),
        ((8, "dW"), "cols", (8, 4), 0.5),
        ((8, "dW"), "cycles", (10, 30), 3.0),
    ]
    assert pair.differences[-1].size > pair.differences[0].size == pytest.approx(math.log(2))


def test_a_column_of_one_alone_is_a_difference_and_a_missing_key_is_refused() -> None:
    less = Sheet(COLUMNS[:-1], [row[:-1] for row in ONE.rows])
    pair = SheetPair(ONE, less)
    assert pair.columns_alone == (["cycles"], [])
    assert not pair.differences
    assert not pair.is_equal
    with pytest.raises(InputError, match="B has no column 'rows', which tells rows of the other apart"):
        SheetsComparison.of((Path("a"), Path("b")), {"": ONE}, {"": Sheet(("phase",), [("dX",)])})


def test_what_is_no_number_in_both_is_the_same_and_nothing_is_divided_by_zero() -> None:
    def of(*values: Cell) -> Sheet:
        return Sheet(("row", "value"), list(enumerate(values)))

    assert SheetPair(of(math.nan, 0, "x"), of(math.nan, 0.0, "x")).is_equal
    differences = SheetPair(of(0, "x", 3, None), of(2, 1, 0, 1)).differences
    assert [each.ratio for each in differences] == [None, None, 0.0, None]
    assert {each.size for each in differences} == {math.inf}


def test_a_table_of_one_alone_is_a_difference() -> None:
    found = SheetsComparison.of((Path("a"), Path("b")), {"x": ONE, "y": ONE}, {"x": ONE, "z": ONE})
    assert found.alone == (["y"], ["z"])
    assert not found.is_equal
