"""Energy of a training step, by component and by phase."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from matplotlib.axes import Axes

from jaxgrad.evaluate import Summary
from jaxgrad.reports.plots import canvas, stacks
from jaxgrad.reports.style import ENERGY, PHASES, Look, phase_of

_UNITS_PJ = {"J": 1e12, "mJ": 1e9, "uJ": 1e6, "nJ": 1e3, "pJ": 1.0}


def energy_by_component(
    summaries: Mapping[str, Summary], path: Path, title: str, *, phases: tuple[str, ...] = ()
) -> list[Path]:
    """Energy of each label, stacked by what takes it (MACs, registers, SRAM, DRAM, ...).

    Args:
        summaries: by label.
        path: of the files, without .png and .svg.
        title: of the figure.
        phases: those that count (see ``Summary.select``), all if none is named.

    Raises:
        ValueError: nothing to draw, or a summary without energies.
    """
    _check(summaries)
    rows = {label: dict(summary.select(*phases).energy_pj) for label, summary in summaries.items()}
    return _draw(rows, ENERGY, path, title, " + ".join(phases) or "a training step")


def energy_by_phase(summaries: Mapping[str, Summary], path: Path, title: str) -> list[Path]:
    """Energy of each label, stacked by phase of the training step.

    Raises:
        ValueError: nothing to draw, or a summary without energies.
    """
    _check(summaries)
    rows: dict[str, dict[str, float]] = {}
    for label, summary in summaries.items():
        row = rows.setdefault(label, {})
        for phase in summary.phases:
            name = phase_of(phase.phase)
            row[name] = row.get(name, 0.0) + sum(phase.energy_pj.values())
    return _draw(rows, PHASES, path, title, "a training step")


def unit(largest_pj: float) -> tuple[str, float]:
    """The unit in which an energy is at least 1, and its size in pJ."""
    return next(((name, size) for name, size in _UNITS_PJ.items() if largest_pj >= size), ("pJ", 1.0))


def _check(summaries: Mapping[str, Summary]) -> None:
    canvas.some("summaries", summaries)
    for label, summary in summaries.items():
        if not any(sum(phase.energy_pj.values()) for phase in summary.phases):
            raise ValueError(f"summaries: got {label!r} without energies; cost it on a machine with a technology")


def _draw(
    rows: Mapping[str, Mapping[str, float]], looks: Mapping[str, Look], path: Path, title: str, what: str
) -> list[Path]:
    name, size = unit(max(sum(row.values()) for row in rows.values()))
    scaled = {label: {part: value / size for part, value in row.items()} for label, row in rows.items()}
    stack = stacks.Stack({"": scaled}, looks)
    if not stack.parts:
        raise ValueError("phases: got some that take no energy; name others, or none for all of them")
    figure = canvas.page(1.35 + stacks.height_inches(stack))
    axes: Axes = figure.subplots()
    stacks.draw(axes, stack, [f"{total:.3g} {name}" for total in stack.totals])
    axes.set_xlabel(f"energy of {what} [{name}]", fontsize=9)
    canvas.legend(figure, stacks.handles(stack), 8)
    stacks.name_parts(figure, axes, stack)
    return canvas.save(figure, path, title)
