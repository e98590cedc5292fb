"""One layer's gradients explained: what each schedule spends its cycles on, as a table and in a sentence."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Group
from rich.table import Table
from rich.text import Text

from jaxgrad.array.gemm import Gemm
from jaxgrad.array.mapping import Mapping as OnArray
from jaxgrad.array.schedules import TITLES
from jaxgrad.costs.anatomy import Anatomy, Fit, fits
from jaxgrad.hardware import Accelerator
from jaxgrad.reports import tables
from jaxgrad.reports.numbers import percent, ratio, saving, short
from jaxgrad.reports.screen import PlainTable
from jaxgrad.reports.style import TENSORS, schedule_label


def layout(mapping: OnArray) -> str:
    """What streams, and what stays in the PEs: an operand, or sums.

    >>> from jaxgrad.array.schedules import INTERLEAVED
    >>> layout(INTERLEAVED)
    'b: W stays, dW sums'
    """
    kept = [
        f"{TENSORS[mapping.operand(slot)[0]]} stays" if product.keeps == "operand" else f"{TITLES[product.result]} sums"
        for slot, product in enumerate(mapping.products)
        if product.keeps != "nothing"
    ]
    return f"{mapping.axes[0]}: {', '.join(kept)}"


def table(anatomies: Mapping[str, Anatomy], chosen: str, title: str) -> Table:
    """A row a schedule, ``chosen`` the one to which the others are compared."""
    reference = anatomies[chosen]
    drawn = PlainTable(title, gap=1)
    drawn.add_column("schedule", names=True)
    drawn.add_column("streams: in the PEs")
    for header in (
        "tiles",
        "stream\n[cycles]",
        "rest\n[cycles]",
        "all\n[cycles]",
        "ratio",
        "PEs\nbusy",
        "SRAM\n[words]",
    ):
        drawn.add_column(header, justify="right", no_wrap=True)
    for name, taken in anatomies.items():
        drawn.add_row(
            schedule_label(name),
            "; ".join(map(layout, taken.mappings)),
            short(taken.tiles),
            short(taken.stream_cycles),
            short(taken.other_cycles),
            short(taken.cycles),
            ratio(taken.cycles, reference.cycles),
            percent(taken.utilisation, 1),
            short(taken.accesses),
            style="bold" if name == chosen else None,
        )
    return drawn


def why(anatomies: Mapping[str, Anatomy], chosen: str, gemm: Gemm, array: Accelerator) -> str:
    """Which schedule takes fewest cycles, against ``chosen``, and which axes make the difference."""
    reference = anatomies[chosen]
    best = min(anatomies, key=lambda name: anatomies[name].cycles)
    fastest = anatomies[best]
    if fastest.cycles == reference.cycles:
        best, fastest = chosen, reference
        verdict = f"{schedule_label(chosen)} takes fewest cycles."
    else:
        fewer = saving(fastest.cycles, reference.cycles)
        verdict = f"{schedule_label(fastest.schedule.name)} takes fewest cycles, {fewer} than {schedule_label(chosen)}."
    lines = [verdict, *(_laid(mapping, gemm, array) for mapping in fastest.mappings)]
    if best != chosen:
        lines += [f"{schedule_label(chosen)}: {_laid(mapping, gemm, array)}" for mapping in reference.mappings]
    return "\n".join(lines)


def _laid(mapping: OnArray, gemm: Gemm, array: Accelerator) -> str:
    """How a mapping's three axes suit the array."""
    stream, rows, columns = fits(mapping, gemm, array)
    results = " and ".join(TITLES[result] for result in mapping.results)
    count = rows.tiles * columns.tiles
    slots = len(mapping.products) if mapping.fused else 1
    steps = f"{stream.length:,} steps{f' of {slots} cycles' if slots > 1 else ''}"
    if not array.double_buffered:
        beside = f"beside {array.rows} cycles a load or drain and {array.rows + array.cols - 2} for the wavefront"
    elif slots * stream.length >= array.rows:
        beside = f"long enough to hide a load or drain of {array.rows}"
    else:
        beside = f"too short to hide a load or drain of {array.rows}"
    return (
        f"{results} in {short(count)} {'tile' if count == 1 else 'tiles'}: {stream.axis} streams, {steps}, {beside}; "
        f"{_filled(rows, 'rows')}, {_filled(columns, 'columns')}."
    )


def _filled(fit: Fit, side: str) -> str:
    return f"{fit.axis} ({fit.length:,}) fills {percent(fit.filled, 1)} of the {side}"


def report(anatomies: Mapping[str, Anatomy], chosen: str, gemm: Gemm, array: Accelerator) -> Group:
    """The table, what its words mean, and why the fastest schedule is the fastest."""
    buffered = "double-buffered" if array.double_buffered else "single-buffered"
    title = (
        f"Gradients of Y[{gemm.batch},{gemm.out_features}] = X[{gemm.batch},{gemm.in_features}] "
        f"W[{gemm.in_features},{gemm.out_features}] on a {array.rows}x{array.cols} array, {buffered}"
    )
    words = {
        "streams": "the axis that is streamed: b batch, k in_features, n out_features; then what stays in the PEs",
        "stream": "cycles of the tiles' streams alone",
        "rest": "loads, drains and wavefronts that no stream hides",
        "ratio": f"cycles, normalised to {schedule_label(chosen)}",
        "PEs busy": "share of all PE-cycles with a MAC on real elements",
        "SRAM": "words read and written",
    }
    return Group(table(anatomies, chosen, title), tables.legend(words), "", Text(why(anatomies, chosen, gemm, array)))
