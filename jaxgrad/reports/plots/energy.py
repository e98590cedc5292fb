"""Energy of a training step, by component and by phase."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from matplotlib.axes import Axes

from jaxgrad.base.errors import InputError
from jaxgrad.costs import PhaseSummary, Summary
from jaxgrad.reports.numbers import energy_unit
from jaxgrad.reports.pages import Page
from jaxgrad.reports.plots import canvas, stacks
from jaxgrad.reports.plots.phases import STEP, chosen, named
from jaxgrad.reports.style import PHASES, SCREEN, FigureStyle, Look, energy_looks, phase_of


def energy_by_component(
    summaries: Mapping[str, Summary],
    path: Path,
    title: str,
    *,
    phases: tuple[str, ...] = STEP,
    style: FigureStyle = SCREEN,
) -> list[Path]:
    """Energy of each label, a horizontal stacked bar of its components (MACs, registers, SRAM, DRAM, ...).

    Args:
        summaries: by label.
        path: of the files, without their suffixes.
        title: of the figure.
        style: how it is printed.
        phases: those that count (see ``phases.chosen``).

    Raises:
        ValueError: nothing to draw, or a summary without energies.
    """
    levels = dict.fromkeys(name for summary in summaries.values() for name in summary.levels)
    return _draw(summaries, path, title, phases, style, energy_looks(levels), lambda part: part.energy_pj)


def energy_by_phase(
    summaries: Mapping[str, Summary],
    path: Path,
    title: str,
    *,
    phases: tuple[str, ...] = STEP,
    style: FigureStyle = SCREEN,
) -> list[Path]:
    """As ``energy_by_component``, stacked by phase of the training step."""
    return _draw(
        summaries, path, title, phases, style, PHASES, lambda part: {phase_of(part.phase): sum(part.energy_pj.values())}
    )


def _draw(
    summaries: Mapping[str, Summary],
    path: Path,
    title: str,
    phases: tuple[str, ...],
    style: FigureStyle,
    looks: Mapping[str, Look],
    shares: Callable[[PhaseSummary], Mapping[str, float]],
) -> list[Path]:
    rows: dict[str, dict[str, float]] = {}
    for label, parts in chosen(summaries, phases).items():
        row = rows.setdefault(label, {})
        for part in parts:
            for name, value_pj in shares(part).items():
                row[name] = row.get(name, 0.0) + value_pj
        if not any(row.values()):
            raise InputError(
                "summaries", label, "cost it on a machine with a technology", problem=f"got {label!r} without energy"
            )
    unit = energy_unit(max(sum(row.values()) for row in rows.values()))
    scaled = {label: {part: value / unit.size for part, value in row.items()} for label, row in rows.items()}
    stack = stacks.Stack({"": scaled}, looks)
    figure = Page(1.35 + stacks.height_inches(stack), style)
    axes: Axes = figure.subplots()
    stacks.draw(axes, stack, [unit.quantity(total * unit.size) for total in stack.totals])
    canvas.label(axes.xaxis, f"energy of {named(phases)} [{unit.name}]")
    canvas.legend(figure, stacks.handles(stack), 8)
    stacks.name_parts(figure, axes, stack)
    return canvas.save(figure, path, title)
