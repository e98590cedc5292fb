"""Designs to look around in: axes and colours by menus, values ticked on and off, each told under the pointer."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxgrad.base.errors import InputError
from jaxgrad.reports import numbers
from jaxgrad.reports.html import Table, Widget
from jaxgrad.reports.interactive import chart
from jaxgrad.reports.quantities import Quantity
from jaxgrad.reports.style import colours

_MARKUP, _SCRIPT = (Path(__file__).with_name(name) for name in ("designs.html", "designs.js"))
_WIDE = 8.0  # an axis is logarithmic where its values span such a factor
_FIGURES = 6  # significant ones of a place on an axis


@dataclass(frozen=True)
class Result:
    """Something to minimise, of each design.

    Args:
        quantity: its name and unit.
        values: as the quantity is given.
        spanned: whether the marked designs are among the best in it and any other such one.
    """

    quantity: Quantity
    values: Sequence[float]
    spanned: bool = False


@dataclass(frozen=True)
class Designs:
    """What a chart shows, each sequence with a value for each design.

    Args:
        rows: which line of the data each is, from 1 on.
        optimal: which are marked.
        groups: whose front each may be on.
        parameters: what each is, by label with unit.
        results: two at least; the first two are the axes at first.
        colour: the parameter that colours stand for at first.

    Raises:
        InputError: no design, or fewer than two results.
    """

    rows: Sequence[int]
    optimal: Sequence[bool]
    groups: Sequence[str]
    parameters: Mapping[str, Sequence[Any]]
    results: Sequence[Result]
    colour: str

    def __post_init__(self) -> None:
        if not self.rows:
            raise InputError("rows", list(self.rows), "give at least one design")
        if len(self.results) < 2:
            raise InputError("results", len(self.results), "give at least two to draw against each other")

    @property
    def told_apart(self) -> list[str]:
        """The parameters of which there are several values."""
        return [label for label, values in self.parameters.items() if len(set(values)) > 1]

    def table(self, rows: Sequence[int], caption: str = "") -> Table:
        """Some designs, by index, in the table that the chart's script links to its points."""
        told = [self.parameters[label] for label in self.told_apart]
        return Table(
            ["row", *self.told_apart, *(result.quantity.label for result in self.results)],
            [
                (
                    self.rows[row],
                    *(written(values[row]) for values in told),
                    *(result.quantity.written(result.values[row]) for result in self.results),
                )
                for row in rows
            ],
            caption,
        )


def widget(designs: Designs, listed: Sequence[int]) -> Widget:
    """The chart with its menus.

    Args:
        designs: to draw.
        listed: indices of those that the section's first table has, in its order.
    """
    parameters = {f"p{index}": item for index, item in enumerate(designs.parameters.items())}
    results = {f"r{index}": result for index, result in enumerate(designs.results)}
    values = {field: _ordered(column) for field, (_, column) in parameters.items()}
    codes = {field: {value: code for code, value in enumerate(distinct)} for field, distinct in values.items()}
    told = {"row": "row"} | {field: label for field, (label, _) in parameters.items()}
    told |= {f"t{field}": result.quantity.label for field, result in results.items()}
    content = {
        "spec": chart.scatter(told),
        "told": told,
        "axes": [
            {
                "field": field,
                "label": result.quantity.label,
                "log": min(result.values) > 0 and max(result.values) >= _WIDE * min(result.values),
                "spanned": result.spanned,
            }
            for field, result in results.items()
        ],
        "parameters": [
            {
                "field": field,
                "label": label,
                "values": [written(value) for value in values[field]],
                "colours": _colours(values[field]),
                "several": label in designs.told_apart,
            }
            for field, (label, _) in parameters.items()
        ],
        "colour": next(field for field, (label, _) in parameters.items() if label == designs.colour),
        "listed": list(listed),
        "columns": {"row": list(designs.rows), "optimal": list(designs.optimal), "group": list(designs.groups)}
        | {field: [codes[field][value] for value in column] for field, (_, column) in parameters.items()}
        | {
            field: [_rounded(value / result.quantity.unit.size) for value in result.values]
            for field, result in results.items()
        }
        | {
            f"t{field}": [result.quantity.written(value) for value in result.values]
            for field, result in results.items()
        },
    }
    # In JSON no text needs a "<", which could end the element.
    data = json.dumps(content, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    markup = _MARKUP.read_text(encoding="utf-8").replace("DATA", data)
    return Widget(markup, (chart.libraries(), _SCRIPT.read_text(encoding="utf-8")))


def written(value: Any) -> str:
    """A parameter as it is given."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return numbers.given(value) if isinstance(value, float) else str(value)


def _rounded(value: float) -> float:
    return float(f"{value:.{_FIGURES}g}")


def _ordered(values: Sequence[Any]) -> list[Any]:
    """Distinct ones: numbers by size, names by their letters."""
    distinct = list(dict.fromkeys(values))
    return sorted(distinct, key=None if all(map(_is_number, distinct)) else str)


def _colours(values: Sequence[Any]) -> list[str]:
    """One for each: of numbers from dark to light, of names the figures' own."""
    if not all(map(_is_number, values)):
        return list(colours(map(written, values)).values())
    import matplotlib
    from matplotlib.colors import to_hex

    middle = matplotlib.colormaps["viridis"]  # its ends are faint on a dark page, or on a white one
    return [to_hex(middle(0.25 + 0.6 * index / max(1, len(values) - 1))) for index in range(len(values))]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)
