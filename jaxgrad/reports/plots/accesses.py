"""Accesses by operand and level."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from jaxgrad.evaluate import Counts, Summary
from jaxgrad.reports.numbers import short
from jaxgrad.reports.plots import canvas, stacks
from jaxgrad.reports.style import OPERANDS

_LEVELS = {"SRAM": "", "DRAM": "dram_"}


def accesses_by_operand(
    summaries: Mapping[str, Summary], path: Path, title: str, *, phases: tuple[str, ...] = ()
) -> list[Path]:
    """Words read and written (hatched) by operand: a panel for SRAM, from the array's side, and one for DRAM.

    Y and dX leave the array as partial sums do, and count as psum in SRAM. A level that nothing passes is left out: DRAM
    where the machine has no memory behind the array.

    Args:
        summaries: by label.
        path: of the files, without .png and .svg.
        title: of the figure.
        phases: those that count (see ``Summary.select``), all if none is named.

    Raises:
        ValueError: nothing to draw.
    """
    canvas.some("summaries", summaries)
    counts = {label: summary.select(*phases).counts for label, summary in summaries.items()}
    levels = {level: _stack(counts, prefix) for level, prefix in _LEVELS.items()}
    levels = {level: stack for level, stack in levels.items() if stack.parts}
    if not levels:
        raise ValueError("phases: got some without an access; name others, or none for all of them")
    height = stacks.height_inches(next(iter(levels.values())))
    figure = canvas.page(1.3 + len(levels) * (0.6 + height))
    panels = figure.subplots(len(levels), 1, squeeze=False)[:, 0]
    for axes, (level, stack) in zip(panels, levels.items(), strict=True):
        stacks.draw(axes, stack, [short(round(total)) for total in stack.totals])
        axes.set_xlabel(f"{level} accesses of {' + '.join(phases) or 'a training step'} [words]", fontsize=9)
    canvas.legend(figure, stacks.handles(*levels.values()), 6)
    return canvas.save(figure, path, title)


def _stack(counts: Mapping[str, Counts], prefix: str) -> stacks.Stack:
    rows = {
        label: {name: float(own.get(f"{prefix}{name}", 0)) for name in OPERANDS} for label, own in counts.items()
    }
    return stacks.Stack({"": rows}, OPERANDS)
