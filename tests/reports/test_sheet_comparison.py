"""The report of two tables: 80 columns, what differs and where most, and all of it as data."""

from __future__ import annotations

import io
import json
from pathlib import Path

from jaxgrad.reports import screen
from jaxgrad.reports.sheet_comparison import as_dict, report
from jaxgrad.reports.sheets import Sheet, SheetsComparison


def table(times: int, rows: range = range(1, 6), name: str = "interleaved") -> Sheet:
    """Cycles, times so many in every row from the fourth on."""
    cells = [(name, row, 16, 1_000_000 * row * (times if row > 3 else 1), 0.5) for row in rows]
    return Sheet(("schedule", "rows", "cols", "cycles", "energy"), cells)


def both(one: Sheet, other: Sheet) -> SheetsComparison:
    return SheetsComparison.of((Path("a.csv"), Path("b.csv")), {"": one}, {"": other})


def text(comparison: SheetsComparison) -> str:
    file = io.StringIO()
    for part in report(comparison):
        screen.console(file=file, width=80).print(part)
    printed = file.getvalue()
    assert max(map(len, printed.splitlines())) <= 80
    return printed


def test_columns_that_differ_and_values_farthest_apart() -> None:
    printed = text(both(table(1), table(3, range(2, 7))))
    assert "A is a.csv, B is b.csv; ratios are B to A." in printed
    assert "4 rows in both, 1 in A alone, 1 in B alone." in printed
    assert "  A alone: rows 1\n" in printed
    assert "  B alone: rows 6\n" in printed
    lines = [line.split() for line in printed.splitlines()]
    assert ["cycles", "2", "3.000", "3.000", "3.000"] in lines
    assert ["5", "cycles", "5,000,000", "15,000,000", "3.000"] in lines
    assert "energy" not in printed


def test_many_differences_are_the_farthest_and_their_number() -> None:
    one = Sheet(("row", "value"), [(row, 1.0) for row in range(40)])
    other = Sheet(("row", "value"), [(row, 1.0 + row) for row in range(40)])
    lines = text(both(one, other)).splitlines()
    assert "12 of 39," in " ".join(lines)
    shown = [line.split() for line in lines if line.strip().endswith(".000") and len(line.split()) == 4]
    assert [int(row[0]) for row in shown] == list(range(39, 27, -1))


def test_no_difference_is_said() -> None:
    assert "No difference: 5 rows are equal, value by value." in text(both(table(1), table(1)))
    other = {"": table(1), "layers.csv": table(2)}
    printed = text(SheetsComparison.of((Path("a"), Path("b")), {**other, "c.csv": table(1)}, {**other, "": table(2)}))
    assert "A alone has c.csv." in printed
    assert "layers.csv: no difference in 5 rows." in printed


def test_wide_tables_of_long_names_fit() -> None:
    name = "WS, dX keeps W or dY, separate update, its cycles charged"
    rows = [(f"{name} {letter}", row, 10**9 * row, "a text that is rather long") for letter in "ab" for row in (1, 2)]
    other = [(*row[:2], 3 * row[2], "another text that is not short either") for row in rows]
    columns = ("variant", "a_key_with_a_long_name", "a_result_with_a_long_name", "mapping")
    assert "3.000" in text(both(Sheet(columns, rows), Sheet(columns, other)))


def test_as_data() -> None:
    told = as_dict(both(table(1), table(3, range(2, 7))))
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert (told["files"], told["equal"]) == (["a.csv", "b.csv"], False)
    found = told["tables"][""]
    assert (found["keys"], found["rows_in_both"], found["columns_alone"]) == (["rows"], 4, [[], []])
    assert found["rows_alone"] == [[{"rows": 1}], [{"rows": 6}]]
    assert found["differences"][0] == {
        "row": {"rows": 4}, "column": "cycles", "values": [4_000_000, 12_000_000], "ratio": 3.0,
    }  # fmt: skip
    nan = as_dict(both(Sheet(("a", "b"), [(1, float("nan"))]), Sheet(("a", "b"), [(1, 2.0)])))
    assert nan["tables"][""]["differences"][0]["values"] == [None, 2.0]
