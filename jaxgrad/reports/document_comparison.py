"""Two files of results beside each other: numbers that differ, the farthest apart first, on 80 columns and as data."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from jaxgrad.reports.comparison import settings_table
from jaxgrad.reports.numbers import apart, fixed
from jaxgrad.reports.results import Comparison, Figure, Pair, ratio
from jaxgrad.reports.screen import PlainTable

_SHOWN = 20
_NAMED = 3


def report(comparison: Comparison) -> Iterator[RenderableType]:
    """What differs; of what is equal that it is."""
    one, other = comparison.one.folder, comparison.other.folder
    yield Text(f"A is {one}, B is {other}, each {comparison.kind}; ratios are B to A.\n", overflow="fold")
    if comparison.is_equal:
        numbers, settings = len(comparison.figures), len(comparison.one.settings)
        yield Text(f"No difference: {numbers:,} numbers and {settings:,} settings are equal.")
        return
    if comparison.settings:
        yield settings_table(comparison)
    unequal = differing(comparison)
    if unequal:
        table = PlainTable(f"Numbers that differ: {len(unequal):,} of {len(comparison.figures):,}", gap=1)
        table.add_column("of", names=True)
        table.add_column("quantity", names=True)
        for header in ("A", "B", "ratio"):
            table.add_column(header, justify="right", no_wrap=True)
        for figure, pair in unequal[:_SHOWN]:
            table.add_row(_of(figure), figure.name, *apart(*pair), fixed(ratio(pair), 3))
        yield table
        if len(unequal) > _SHOWN:
            yield Text(f"Shown are the {_SHOWN} farthest apart; --json has all.")
    elif any(None not in pair for pair in comparison.figures.values()):
        yield Text("All numbers that both have are equal.")
    for letter, missing in (("A", 1), ("B", 0)):
        alone = [figure for figure, pair in comparison.figures.items() if pair[missing] is None]
        if alone:
            yield Text(f"{letter} alone has {len(alone):,} of the numbers, such as {_named(alone)}.")


def differing(comparison: Comparison) -> list[tuple[Figure, Pair]]:
    """Figures that both have and that differ, the farthest apart first."""
    both = [(figure, pair) for figure, pair in comparison.figures.items() if None not in pair and pair[0] != pair[1]]
    return sorted(both, key=lambda each: -_distance(each[1]))


def as_dict(comparison: Comparison) -> dict[str, Any]:
    """All that differs as plain data, for JSON; what one alone has with null for the other."""
    return {
        "folders": [str(comparison.one.folder), str(comparison.other.folder)],
        "kind": comparison.kind,
        "equal": comparison.is_equal,
        "settings": {key: list(pair) for key, pair in comparison.settings.items()},
        "numbers": len(comparison.figures),
        "differences": [
            {"of": _of(figure), "quantity": figure.name, "values": list(pair), "ratio": ratio(pair)}
            for figure, pair in [
                *differing(comparison),
                *((figure, pair) for figure, pair in comparison.figures.items() if None in pair),
            ]
        ],
    }


def _of(figure: Figure) -> str:
    return " / ".join(filter(None, (figure.part, figure.group)))


def _named(figures: Sequence[Figure]) -> str:
    return "; ".join(f"{_of(figure)} {figure.name}".strip() for figure in figures[:_NAMED])


def _distance(pair: Pair) -> float:
    """How far apart they are, as a factor, without its direction."""
    one, other = pair
    return abs(math.log(other / one)) if one and other and one * other > 0 else math.inf
