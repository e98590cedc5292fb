"""Accesses by operand and level."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from jaxgrad.array.counts import DRAM, SRAM
from jaxgrad.base.errors import InputError
from jaxgrad.costs import PhaseSummary, Summary
from jaxgrad.reports.numbers import short
from jaxgrad.reports.pages import Page
from jaxgrad.reports.plots import canvas, stacks
from jaxgrad.reports.plots.phases import STEP, chosen, named
from jaxgrad.reports.style import OPERANDS, SCREEN, FigureStyle


def accesses_by_operand(
    summaries: Mapping[str, Summary],
    path: Path,
    title: str,
    *,
    phases: tuple[str, ...] = STEP,
    style: FigureStyle = SCREEN,
) -> list[Path]:
    """Words read and written (hatched) by operand: one panel for each memory, from the scratchpad outwards.

    Y and dX leave the array as partial sums do, and count as psum in SRAM. A level that nothing passes is left out:
    DRAM where the machine has no memory.

    Args:
        summaries: by label.
        path: of the files, without their suffixes.
        title: of the figure.
        style: how it is printed.
        phases: those that count (see ``phases.chosen``).

    Raises:
        ValueError: nothing to draw.
    """
    parts = chosen(summaries, phases)
    names = dict.fromkeys(name for summary in summaries.values() for name in summary.levels)
    memories = {"SRAM": SRAM, **{name: name for name in names}, "DRAM": DRAM}
    levels = {label: _stack(parts, level) for label, level in memories.items()}
    levels = {level: stack for level, stack in levels.items() if stack.parts}
    if not levels:
        raise InputError(
            "summaries", None, "give costs of a network with a layer on the array", problem="got some without an access"
        )
    height = stacks.height_inches(next(iter(levels.values())))
    figure = Page(1.3 + len(levels) * (0.6 + height), style)
    panels = figure.subplots(len(levels), 1, squeeze=False)[:, 0]
    for axes, (level, stack) in zip(panels, levels.items(), strict=True):
        stacks.draw(axes, stack, [short(round(total)) for total in stack.totals])
        canvas.label(axes.xaxis, f"{level} accesses of {named(phases)} [words]")
    canvas.legend(figure, stacks.handles(*levels.values()), 6)
    for axes, stack in zip(panels, levels.values(), strict=True):
        stacks.name_parts(figure, axes, stack)
    return canvas.save(figure, path, title)


def _stack(parts: Mapping[str, list[PhaseSummary]], level: str) -> stacks.Stack:
    rows = {
        label: {key: float(sum(part.counts.get(key._replace(level=level), 0) for part in phases)) for key in OPERANDS}
        for label, phases in parts.items()
    }
    return stacks.Stack({"": rows}, OPERANDS)
