"""What has a table: it says its columns, and is a pandas or an Arrow table, or one in a notebook, by that alone."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from jaxgrad.base.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

SHOWN = 20
"""Rows in a notebook."""

_CELL = "text-align:right;white-space:nowrap;padding:.1em .6em;border-bottom:1px solid rgba(128,128,128,.4)"


class Tabular:
    """A class that gives its ``columns`` has the rest."""

    __slots__ = ()

    def columns(self) -> dict[str, list[Any]]:
        """Values by column, all of one length; names say the unit, None is what there is not."""
        raise NotImplementedError

    def to_dataframe(self) -> pd.DataFrame:
        """The table in pandas; whole numbers stay exact, also where some are missing.

        Raises:
            InputError: pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError:
            raise _missing("to_dataframe", "pandas") from None
        columns = self.columns()
        return pd.DataFrame({name: pd.Series(values, dtype=_dtype(values)) for name, values in columns.items()})

    def to_arrow(self) -> pa.Table:
        """The table in Arrow, of which ``polars.from_arrow`` makes a data frame.

        Raises:
            InputError: pyarrow is not installed.
        """
        try:
            import pyarrow as pa
        except ImportError:
            raise _missing("to_arrow", "pyarrow") from None
        return pa.table(self.columns())

    def _repr_html_(self) -> str | None:
        """The first rows for a notebook, in the page's own colours; of a single row, a line for each column."""
        columns = self.columns()
        length = len(next(iter(columns.values()), ()))
        if length == 1:
            return _table([("", "value")], [(name, *values) for name, values in columns.items()])
        rows = list(zip(*(values[:SHOWN] for values in columns.values()), strict=True))
        note = f"<p>{SHOWN} of {length:,} rows; to_dataframe() has all</p>" if length > SHOWN else ""
        return _table([tuple(columns)], rows) + note


class Records(list[dict[str, Any]], Tabular):
    """A list of rows, each values by column.

    >>> Records([{"epoch": 1, "loss": 0.5}, {"epoch": 2}]).columns()
    {'epoch': [1, 2], 'loss': [0.5, None]}
    """

    def columns(self) -> dict[str, list[Any]]:
        return of_rows(self)


class Columns(dict[str, list[Any]], Tabular):
    """Values by column.

    >>> Columns(rows=[4, 8], energy_pj=[1.5, None]).columns()
    {'rows': [4, 8], 'energy_pj': [1.5, None]}
    """

    def columns(self) -> dict[str, list[Any]]:
        return dict(self)


def of_rows(rows: Iterable[Mapping[str, Any]], missing: Any = None) -> dict[str, list[Any]]:
    """Columns of rows, in the order in which their names come; ``missing`` where a row has none."""
    rows = list(rows)
    return {
        name: [row.get(name, missing) for row in rows] for name in dict.fromkeys(name for row in rows for name in row)
    }


def _dtype(values: list[Any]) -> str | None:
    """Of whole numbers with gaps one that has both; pandas' own guess would make them floats."""
    there = [value for value in values if value is not None]
    whole = there and all(isinstance(value, int) and not isinstance(value, bool) for value in there)
    return "Int64" if whole and len(there) < len(values) else None


def _missing(field: str, package: str) -> InputError:
    return InputError(field, None, "pip install 'jaxgrad[dataframe]' first", problem=f"got no {package}")


def _table(headers: Iterable[Iterable[Any]], rows: Iterable[Iterable[Any]]) -> str:
    def line(tag: str, cells: Iterable[Any]) -> str:
        return (
            "<tr>"
            + "".join(f'<{tag} style="{_CELL}">{html.escape(_written(cell))}</{tag}>' for cell in cells)
            + "</tr>"
        )

    head, body = "".join(line("th", cells) for cells in headers), "".join(line("td", cells) for cells in rows)
    # A notebook's own style would give every other row a colour for its light theme.
    return f'<table style="background:transparent;color:inherit"><thead>{head}</thead><tbody>{body}</tbody></table>'


def _written(cell: Any) -> str:
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return "-"
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        return str(cell)
    return f"{cell:,}" if isinstance(cell, int) else f"{cell:.4g}"
