"""Clock cycles of a training step, normalised to a baseline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from matplotlib.axes import Axes

from jaxgrad.array.counts import STALLS
from jaxgrad.base.errors import InputError, shown
from jaxgrad.costs import PhaseSummary, Summary
from jaxgrad.reports.numbers import fixed, short
from jaxgrad.reports.pages import Page
from jaxgrad.reports.plots import canvas, stacks
from jaxgrad.reports.plots.phases import STEP, chosen, named
from jaxgrad.reports.style import PHASES, SCREEN, FigureStyle, Look, phase_of

_STALL_HATCH = "//////"
_STALLED = {phase: f"{phase} stalls" for phase in PHASES}  # parts of a stack


def normalised_cycles(
    groups: Mapping[str, Mapping[str, Summary]],
    path: Path,
    title: str,
    *,
    baseline: str,
    phases: tuple[str, ...] = STEP,
    style: FigureStyle = SCREEN,
) -> list[Path]:
    """Clock cycles of a training step, normalised to ``baseline``, stacked by phase; stalls on DRAM are hatched.

    Args:
        groups: summaries by label, by group (a network, say); one group goes without a heading.
        path: of the files, without their suffixes.
        title: of the figure.
        style: how it is printed.
        baseline: the label that is 1 in each group.
        phases: those that count (see ``phases.chosen``).

    Raises:
        ValueError: nothing to draw, or a group lacks the baseline.
    """
    canvas.some("groups", groups)
    rows: dict[str, dict[str, dict[str, float]]] = {}
    cycles: list[int] = []
    for group, summaries in groups.items():
        if baseline not in summaries:
            has = ", ".join(summaries) or "no summary"
            raise InputError("baseline", baseline, f"{group or 'the group'} has {has}: name one of all groups")
        parts = chosen(summaries, phases)
        totals = {label: sum(part.time_cycles for part in selected) for label, selected in parts.items()}
        reference = totals[baseline]
        if not reference:
            raise InputError(
                "baseline", baseline, "give one that takes some", problem=f"got {shown(baseline)} of 0 cycles"
            )
        rows[group] = {label: _row(selected, reference) for label, selected in parts.items()}
        cycles += totals.values()
    looks: dict[str, Look] = {}
    for phase, look in PHASES.items():
        looks |= {phase: look, _STALLED[phase]: look._replace(label="stalls", hatch=_STALL_HATCH)}
    stack = stacks.Stack(rows, looks)
    figure = Page(1.35 + stacks.height_inches(stack), style)
    axes: Axes = figure.subplots()
    ends = [f"{fixed(total, 2)} ({short(count)})" for total, count in zip(stack.totals, cycles, strict=True)]
    stacks.draw(axes, stack, ends)
    axes.axvline(1, color="black", linewidth=0.8, linestyle="--", zorder=0.9)
    label = f"cycles of {named(phases)}, normalised to {baseline} (in brackets: clock cycles)"
    canvas.label(axes.xaxis, label)
    handles = {label: patch for label, patch in stacks.handles(stack).items() if label != "stalls"}
    if set(_STALLED.values()) & set(stack.parts):
        handles["stalls: waiting for DRAM (in the phase's colour)"] = stacks.patch(Look("", "#777777", _STALL_HATCH))
    canvas.legend(figure, handles, 7)
    stacks.keep_clear(figure, axes, 1)
    stacks.name_parts(figure, axes, stack)
    return canvas.save(figure, path, title)


def _row(parts: Iterable[PhaseSummary], reference: int) -> dict[str, float]:
    row: dict[str, float] = {}
    for part in parts:
        name = phase_of(part.phase)
        stalled = part.counts.get(STALLS, 0)
        row[name] = row.get(name, 0.0) + (part.time_cycles - stalled) / reference
        row[_STALLED[name]] = row.get(_STALLED[name], 0.0) + stalled / reference
    return row
