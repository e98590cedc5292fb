"""The figures of an experiment."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import count, groupby
from pathlib import Path
from typing import NamedTuple

from jaxgrad.costs import Summary
from jaxgrad.reports import plots
from jaxgrad.reports.numbers import Unit
from jaxgrad.reports.plots.phases import STEP
from jaxgrad.reports.quantities import Quantity
from jaxgrad.reports.style import FigureStyle
from jaxgrad.studies import compare
from jaxgrad.studies.compare import Comparison, Row, unchanged
from jaxgrad.studies.schema import Experiment
from jaxgrad.studies.sensitivity import Line, Ratio, Sensitivity, number, sensitivity

_DETAILED = 2  # networks that get figures of their own; the tables have all
_GROUPS_A_FIGURE = 10
_NAMES = {"cycles": "clock cycles", "accesses": "SRAM accesses", "dram_bytes": "DRAM bytes", "energy": "energy"}


class Figure(NamedTuple):
    """A figure to draw: its files' name without suffix, its caption, and what draws it at a path, in a style."""

    name: str
    caption: str
    draw: Callable[[Path, FigureStyle], list[Path]]


def figures_of(experiment: Experiment, rows: Sequence[Row], comparisons: Sequence[Comparison]) -> Iterator[Figure]:
    """The figures that the results allow: those of memory and energy only where there is one.

    Each has a file name of its own, although names may differ in nothing but what a file's name can't have; also where
    folders take capitals for small letters.
    """
    taken: set[str] = set()
    for figure in _all(experiment, rows, comparisons):
        numbered = (figure.name if number == 1 else f"{figure.name}_{number}" for number in count(1))
        name = next(name for name in numbered if name.casefold() not in taken)
        taken.add(name.casefold())
        yield figure._replace(name=name)


def _all(experiment: Experiment, rows: Sequence[Row], comparisons: Sequence[Comparison]) -> Iterator[Figure]:
    changes, rows = sensitivity(experiment, rows), unchanged(rows)
    swept = _line_axis(experiment)
    if swept is None:
        yield from _compared(experiment, rows)
    else:
        yield from _swept(experiment, rows, comparisons, swept)
    yield from _areas(experiment, rows)
    if changes:
        yield from _changed(experiment, changes)


def _changed(experiment: Experiment, found: Sensitivity) -> Iterator[Figure]:
    """All changes side by side, and those through several numbers as lines; figures without a ratio are left out."""
    quantities = {figure.quantity: _NAMES.get(figure.quantity, figure.quantity) for figure in found.figures}
    named = {figure: _line_label(figure, found) for figure in found.figures}
    published = {
        name: {named[own]: own.published for own in found.figures if own.quantity == quantity and own.published}
        for quantity, name in quantities.items()
    }

    def ratios(line: Line) -> dict[str, dict[str, float]]:
        """By panel and label."""
        pairs = [(own, ratio) for own, ratio in zip(found.figures, line.ratios, strict=True) if ratio is not None]
        return {
            name: {named[own]: ratio for own, ratio in pairs if own.quantity == quantity}
            for quantity, name in quantities.items()
        }

    in_series = {line for lines in found.series.values() for line in lines}
    marks = {line.label: ratios(line) for line in found.lines if line not in in_series}
    title = f"{experiment.title}: one assumption changed at a time"
    if len(marks) > 1:
        yield Figure(
            "sensitivity",
            title,
            lambda path, style: plots.changes(marks, path, title, published=published, style=style),
        )
    for name, lines in found.series.items():
        curves: dict[str, dict[str, list[tuple[float, float]]]] = {panel: {} for panel in quantities.values()}
        for line in lines:
            for panel, by_label in ratios(line).items():
                for label, ratio in by_label.items():
                    curves[panel].setdefault(label, []).append((number(line) or 0.0, ratio))
        heading = f"{name}, all else as written"
        yield Figure(
            _file("sensitivity", name),
            heading,
            lambda path, style, curves=curves, heading=heading, name=name: plots.panels(
                curves, path, heading, x_label=name, y_label="ratio", published=published, style=style
            ),
        )


def _line_label(figure: Ratio, found: Sensitivity) -> str:
    """Its network, and what is compared where that differs."""
    compared = {(own.variant, own.over) for own in found.figures}
    return figure.network if len(compared) == 1 else f"{figure.network}, {figure.variant} over {figure.over}"


def _line_axis(experiment: Experiment) -> str | None:
    """The axis that lines are drawn against: the last one with several values whose labels are numbers."""
    axes = {axis.name: [label for label, _ in axis.settings()] for axis in experiment.sweep}
    numeric = [name for name, labels in axes.items() if len(labels) > 1 and all(map(_is_number, labels))]
    return numeric[-1] if numeric else None


def _compared(experiment: Experiment, rows: Sequence[Row]) -> Iterator[Figure]:
    """Without an axis for lines: bars for every network and setting, and details of the first ones."""
    phases = _phases(experiment)
    networks: dict[str, dict[str, Summary]] = {}
    for row in rows:
        networks.setdefault(compare.named(row.point.group), {})[row.point.variant] = row.summary
    names = list(networks)
    for start in range(0, len(names), _GROUPS_A_FIGURE):
        page = {name: networks[name] for name in names[start : start + _GROUPS_A_FIGURE]}
        number = f"_{start // _GROUPS_A_FIGURE + 1}" if len(names) > _GROUPS_A_FIGURE else ""
        yield Figure(
            f"cycles{number}",
            f"Clock cycles by phase, normalised to {experiment.baseline}",
            lambda path, style, page=page: plots.normalised_cycles(
                page, path, experiment.title, baseline=experiment.baseline, phases=phases, style=style
            ),
        )
        chosen = {
            f"{name}, {variant}": summary.shares
            for name, variants in page.items()
            for variant, summary in variants.items()
            if summary.shares
        }
        if chosen:
            yield Figure(
                f"choices{number}",
                "Schedules that were chosen, as shares of the layers and of their cycles",
                lambda path, style, chosen=chosen: plots.choices(
                    chosen, path, f"{experiment.title}: schedules chosen", style=style
                ),
            )
    for name in names[:_DETAILED]:
        yield from _details(name, networks[name], phases)


def _details(name: str, summaries: dict[str, Summary], phases: tuple[str, ...]) -> Iterator[Figure]:
    any_summary = next(iter(summaries.values()))
    if any(part.energy_pj for part in any_summary.phases):
        yield Figure(
            _file(name, "energy_components"),
            f"{name}: energy by component",
            lambda path, style: plots.energy_by_component(
                summaries, path, f"{name}: energy by component", phases=phases, style=style
            ),
        )
        yield Figure(
            _file(name, "energy_phases"),
            f"{name}: energy by phase of the training step",
            lambda path, style: plots.energy_by_phase(
                summaries, path, f"{name}: energy by phase", phases=phases, style=style
            ),
        )
    yield Figure(
        _file(name, "accesses"),
        f"{name}: words read and written by operand and level",
        lambda path, style: plots.accesses_by_operand(
            summaries, path, f"{name}: accesses by operand", phases=phases, style=style
        ),
    )
    if len(any_summary.layers) > 1:
        yield Figure(
            _file(name, "utilisation"),
            f"{name}: utilisation of the PEs, layer by layer",
            lambda path, style: plots.utilisation_by_layer(
                summaries, path, f"{name}: utilisation by layer", style=style
            ),
        )
    if any_summary.dram_bytes_per_cycle is not None:
        yield Figure(
            _file(name, "roofline"),
            f"{name}: roofline, each phase of each layer under peak compute and DRAM bandwidth",
            lambda path, style: plots.roofline(summaries, path, f"{name}: roofline", style=style),
        )


def _swept(
    experiment: Experiment, rows: Sequence[Row], comparisons: Sequence[Comparison], swept: str
) -> Iterator[Figure]:
    """Lines against an axis: a figure a quantity, network and setting of the other axes."""

    def rest(row: Row) -> tuple[str, ...]:
        return row.point.network, *(f"{axis} {label}" for axis, label in row.point.at.items() if axis != swept)

    for place in dict.fromkeys(map(rest, rows)):
        place_rows = [row for row in rows if rest(row) == place]
        for quantity, name in _NAMES.items():
            lines: dict[str, list[tuple[float, float]]] = {}
            for row in place_rows:
                ratio = row.ratios[quantity]
                if ratio is not None:
                    lines.setdefault(row.point.variant, []).append((float(row.point.at[swept]), ratio))
            if not lines:
                continue
            points = _published(comparisons, place_rows, swept, quantity)
            title = f"{', '.join(place)}: {name}, normalised to {experiment.baseline}"
            yield Figure(
                _file(*place, quantity),
                title,
                lambda path, style, lines=lines, title=title, name=name, points=points: plots.sweep(
                    lines, path, title, x_label=swept, y_label=f"{name} [ratio]", published=points, style=style
                ),
            )


def _published(
    comparisons: Sequence[Comparison], rows: Sequence[Row], swept: str, quantity: str
) -> dict[str, list[tuple[float, float]]]:
    """Published ratios to the baseline, by swept value; a figure without one applies to all."""
    networks = {row.point.network for row in rows}
    points: dict[str, dict[float, float]] = {}
    for comparison in comparisons:
        figure = comparison.published
        elsewhere = any(
            row.point.at[axis] != label for axis, label in figure.at.items() if axis != swept for row in rows
        )
        of_this = figure.quantity == quantity and figure.network in (None, *networks) and not (figure.over or elsewhere)
        if of_this and figure.ratio is not None:
            at = [figure.at[swept]] if swept in figure.at else [row.point.at[swept] for row in rows]
            points.setdefault(figure.variant, {}).update({float(label): figure.ratio for label in at})
    return {variant: list(values.items()) for variant, values in points.items()}


def _areas(experiment: Experiment, rows: Sequence[Row]) -> Iterator[Figure]:
    """Area against cycles, where several areas are known; where batches differ, cycles over the batch."""
    many = any("workload.batch" in axis.keys for axis in experiment.sweep)
    of = (" a row" if experiment.workload.layers else " an image") if many else ""
    quantities = (Quantity("area", Unit("mm2", 1.0)), Quantity(f"clock cycles{of}", Unit("cycles", 1.0)))
    for network, network_rows in _by_network(rows):
        points = [
            plots.Point(
                ", ".join([row.point.variant, *(f"{axis} {label}" for axis, label in row.point.at.items())]),
                (row.values["area"], (row.values["cycles"] or 0.0) / (row.point.spec["batch"] if many else 1)),
                row.point.variant,
            )
            for row in network_rows
            if row.values["area"] is not None
        ]
        if len({point.costs[0] for point in points}) > 1:
            yield Figure(
                _file(network, "pareto"),
                f"{network}: area against clock cycles, and the Pareto-optimal designs",
                lambda path, style, points=points, network=network: plots.pareto(
                    points, path, f"{network}: area and cycles", quantities, style=style
                ),
            )


def _by_network(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    ordered = sorted(rows, key=lambda row: [other.point.network for other in rows].index(row.point.network))
    return [(name, list(group)) for name, group in groupby(ordered, key=lambda row: row.point.network)]


def _phases(experiment: Experiment) -> tuple[str, ...]:
    return STEP if experiment.compare == "step" else (experiment.compare,)


def _file(*parts: str) -> str:
    """A file's name from such parts, whatever is in them."""
    return re.sub(r"[^\w.+-]+", "_", "_".join(parts)).strip("_.")


def _is_number(label: str) -> bool:
    try:
        float(label)
    except ValueError:
        return False
    return True
