"""Two results beside each other, as tables that fit 80 columns and as plain data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from jaxgrad.base.errors import shown
from jaxgrad.reports.numbers import Written, apart, cell, fixed, percent
from jaxgrad.reports.results import Comparison, Figure, Pair, ratio
from jaxgrad.reports.screen import PlainTable

_BY_PART = ("cycles", "accesses", "effectual_macs")


def report(comparison: Comparison) -> Iterator[RenderableType]:
    """What differs, table by table; of what is equal that it is."""
    one, other = comparison.one.folder, comparison.other.folder
    yield Text(f"A is {one}, B is {other}; ratios are B to A.\n", overflow="fold")
    if comparison.is_equal:
        yield Text("No difference: settings, curves and counters are equal.")
        return
    if comparison.settings:
        yield settings_table(comparison)
    else:
        yield Text("Equal settings.\n")
    if comparison.curves:
        yield _curves_table(comparison)
    yield from _figures(comparison)


def settings_table(comparison: Comparison) -> Table:
    """The settings that differ."""
    table = PlainTable("Settings that differ")
    table.add_column("key", names=True)
    for header in ("A", "B"):
        table.add_column(header)
    for key, pair in comparison.settings.items():
        table.add_row(key, *("-" if value is None else _text(value) for value in pair))
    return table


def _text(value: Any) -> str:
    return value if isinstance(value, str) else shown(value)


def _curves_table(comparison: Comparison) -> Table:
    epochs = next(iter(comparison.curves.values())).epochs
    table = PlainTable(f"Curves: A has {epochs[0]:,} epochs, B {epochs[1]:,}", gap=1)
    table.add_column("quantity", names=True)
    for header in ("A\nlast", "B\nlast", "A best\n(epoch)", "B best\n(epoch)", "differ\nfrom epoch"):
        table.add_column(header, justify="right", no_wrap=True)
    for name, pair in comparison.curves.items():
        best = ("-" if best is None else f"{_number(name, best[1])} ({best[0]})" for best in pair.best)
        parting = "-" if pair.parting is None else str(pair.parting)
        table.add_row(name, *(_number(name, value) for value in pair.last), *best, parting)
    return table


def _number(name: str, value: float | None) -> Written:
    if value is not None and name.endswith("accuracy"):
        return percent(value, 1, 1)
    return Written(cell(value), value)


def _figures(comparison: Comparison) -> Iterator[RenderableType]:
    """Of the whole what differs; of the parts the sums that matter most."""
    for results, letter in ((comparison.one, "A"), (comparison.other, "B")):
        if not results.figures:
            yield Text(f"{letter} has no counters yet: they are written as training ends.")
    if not comparison.one.figures or not comparison.other.figures:
        return
    whole = {figure: pair for figure, pair in comparison.figures.items() if not figure.part}
    unequal = {figure: pair for figure, pair in whole.items() if pair[0] != pair[1]}
    if unequal:
        yield _whole_table(unequal, f"Counters that differ: {len(unequal)} of {len(whole)}")
    else:
        yield Text("Equal counters.")
    parts = _parts(comparison)
    unequal_parts = {
        part: differing
        for part, sums in parts.items()
        if (differing := {name: pair for name, pair in sums.items() if pair[0] != pair[1]})
    }
    if unequal_parts:
        yield _parts_table(unequal_parts, f"Layers that differ: {len(unequal_parts)} of {len(parts)}")


def _whole_table(figures: Mapping[Figure, Pair], title: str) -> Table:
    table = PlainTable(title)
    table.add_column("counter", names=True)
    table.add_column("of", names=True)
    for header in ("A", "B", "ratio"):
        table.add_column(header, justify="right", no_wrap=True)
    for figure, pair in figures.items():
        table.add_row(figure.name, figure.group, *apart(*pair), fixed(ratio(pair), 3))
    return table


def _parts(comparison: Comparison) -> dict[str, dict[str, Pair]]:
    """By part, sums over its groups of what matters most; None where a part is in one of the two alone."""
    parts: dict[str, dict[str, Pair]] = {}
    for figure, pair in comparison.figures.items():
        if figure.part and figure.name in _BY_PART:
            sums = parts.setdefault(figure.part, {})
            earlier = sums.get(figure.name, (0, 0))
            sums[figure.name] = (_plus(earlier[0], pair[0]), _plus(earlier[1], pair[1]))
    return parts


def _plus(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


def _parts_table(parts: Mapping[str, Mapping[str, Pair]], title: str) -> Table:
    table = PlainTable(title)
    table.add_column("layer", names=True)
    table.add_column("counter", names=True)
    for header in ("A", "B", "ratio"):
        table.add_column(header, justify="right", no_wrap=True)
    for part, sums in parts.items():
        for name, pair in sums.items():
            table.add_row(part, name, *apart(*pair), fixed(ratio(pair), 3))
    return table


def as_dict(comparison: Comparison) -> dict[str, Any]:
    """All of it as plain data, for JSON: pairs as lists, equal figures too."""
    figures: dict[str, Any] = {}
    for figure, pair in comparison.figures.items():
        group = figures.setdefault(figure.part or "total", {}).setdefault(figure.group or "run", {})
        group[figure.name] = {"values": list(pair), "ratio": ratio(pair)}
    return {
        "folders": [str(comparison.one.folder), str(comparison.other.folder)],
        "equal": comparison.is_equal,
        "settings": {key: list(pair) for key, pair in comparison.settings.items()},
        "curves": {
            name: {
                "last": list(pair.last),
                "best": [best and {"epoch": best[0], "value": best[1]} for best in pair.best],
                "epochs": list(pair.epochs),
                "differ_from_epoch": pair.parting,
            }
            for name, pair in comparison.curves.items()
        },
        "counters": figures.pop("total", {}),
        "layers": figures,
    }
