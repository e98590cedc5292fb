"""SCALE-Sim's figures and what they should be, side by side, as rich tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.table import Table
from rich.text import Text

from jaxgrad.interop.scalesim.layers import Layer
from jaxgrad.interop.scalesim.model import Figures
from jaxgrad.interop.scalesim.quirks import ALL, QUIRKS, Correction
from jaxgrad.reports.numbers import Written, exact, fixed, short
from jaxgrad.reports.screen import PlainTable

_MOST_LAYERS = 60  # on screen; the files have them all


def layers_table(
    title: str,
    layers: Sequence[Layer],
    figures: Sequence[Figures],
    corrections: Sequence[Sequence[Correction]],
    *,
    most: int = _MOST_LAYERS,
) -> Table:
    """A line a layer: cycles and utilisation as SCALE-Sim has them and put right, and its DRAM words."""
    table = PlainTable(f"{title}: SCALE-Sim 3.0.0's figures, CALC mode")
    for name in ("layer", "M x N x K"):
        table.add_column(name, names=True)
    for name, full in (
        ("cycles", None), ("put right", "cycles put right"), ("util %", None), ("put right", "util % put right"),
        ("DRAM reads", "DRAM reads [words]"), ("DRAM writes", "DRAM writes [words]"),
    ):  # fmt: skip
        table.add_column(name, justify="right", no_wrap=True, full=full)
    for layer, of, rows in list(zip(layers, figures, corrections, strict=True))[:most]:
        right = {row.figure: row.corrected for row in rows if row.quirk == ALL}
        table.add_row(
            layer.name,
            " x ".join(map(str, layer.product)),
            exact(of.cycles),
            exact(right["Total Cycles"]),
            fixed(of.overall_utilisation, 1),
            fixed(right["Overall Util %"], 1) if "Overall Util %" in right else "",  # of a part that should be none
            short(round(of.ifmap_dram.words + of.filter_dram.words)),
            short(round(of.ofmap_dram.words)),
        )
    if len(layers) > most:
        table.caption = f"and {len(layers) - most} layers more, in the files"
    return table


def quirks_table(corrections: Sequence[Sequence[Correction]]) -> Table:
    """A line a quirk and figure, over the layers in which it shows: sums, and means of what is per cent."""
    table = PlainTable("What is off in them, each quirk on its own")
    table.add_column("quirk", names=True)
    table.add_column("figure", names=True)
    for name in ("layers", "SCALE-Sim", "put right"):
        table.add_column(name, justify="right", no_wrap=True)
    for (quirk, figure), rows in _grouped(corrections).items():
        sums = sum(row.reported for row in rows), sum(row.corrected for row in rows)
        means = [value / len(rows) for value in sums]
        cells = [
            Written(f"{fixed(mean, 1)} (mean)", mean) if "%" in figure else exact(value)
            for value, mean in zip(sums, means, strict=True)
        ]
        table.add_row(quirk, figure, str(len(rows)), *cells)
    return table


def meanings(corrections: Sequence[Sequence[Correction]]) -> Iterator[Text]:
    """What each quirk is that shows, a line each."""
    shown = {quirk for quirk, _ in _grouped(corrections)}
    return (Text.assemble((name, "bold"), f": {meaning}") for name, meaning in QUIRKS.items() if name in shown)


def _grouped(corrections: Sequence[Sequence[Correction]]) -> dict[tuple[str, str], list[Correction]]:
    """In the order of ``QUIRKS``."""
    groups: dict[tuple[str, str], list[Correction]] = {}
    for row in sorted((row for rows in corrections for row in rows), key=lambda row: list(QUIRKS).index(row.quirk)):
        groups.setdefault((row.quirk, row.figure), []).append(row)
    return groups
