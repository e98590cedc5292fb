"""The table of an experiment's changes: a network's for the screen, all figures side by side for files."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jaxgrad.base.csv_text import csv_text
from jaxgrad.reports.numbers import fixed
from jaxgrad.studies.schema import Experiment
from jaxgrad.studies.sensitivity import AS_WRITTEN, Line, Sensitivity

Cells = tuple[list[str], list[list[str]]]

_PUBLISHED = "published"
ASSUMPTION = "assumption"


def whole(found: Sensitivity) -> Cells:
    """Every figure under every change; the last column is the largest deviation of them all."""
    first = found.figures[0]
    many = len({(figure.variant, figure.over) for figure in found.figures}) > 1
    headers = [
        "\n".join([figure.network, *([f"{figure.variant} over {figure.over}"] if many else []), figure.quantity])
        for figure in found.figures
    ]
    cells = [[line.label, " / ".join(line.arrays), *map(_ratio, line.ratios)] for line in found.lines]
    if any(figure.published is not None for figure in found.figures):
        headers.append("farthest\n[points]")
        for row, line in zip(cells, found.lines, strict=True):
            row.append(_points(found.deviation(line)))
        cells.insert(0, [_PUBLISHED, "", *(_ratio(figure.published) for figure in found.figures), ""])
    return [ASSUMPTION, f"arrays of\n{first.variant} / {first.over}", *headers], cells


def of_networks(found: Sensitivity) -> list[tuple[str, Cells]]:
    """A title and a table for each network, narrow enough for a terminal."""
    tables = []
    for network in dict.fromkeys(figure.network for figure in found.figures):
        chosen = [index for index, figure in enumerate(found.figures) if figure.network == network]
        figures = tuple(found.figures[index] for index in chosen)
        part = Sensitivity(
            figures,
            tuple(line._replace(ratios=tuple(line.ratios[index] for index in chosen)) for line in found.lines),
        )
        compared = dict.fromkeys(f"{figure.variant} over {figure.over}" for figure in figures)
        (_, _, *headers), cells = whole(part)
        short = [header.removeprefix(f"{network}\n") for header in headers]
        table = [ASSUMPTION, *short], [[name, *values] for name, _, *values in cells]
        tables.append((f"{network}, one assumption changed at a time: {', '.join(compared)}", table))
    return tables


def said(found: Sensitivity) -> list[str]:
    """Which changes leave all published figures as near as they were, and which do not; nothing where none is known."""
    count = sum(figure.published is not None for figure in found.figures)
    points = {line: round(100 * (found.deviation(line) or 0.0), 1) for line in found.lines}  # as the tables show them
    written, *changed = found.lines
    if not count:
        return []

    def listed(lines: Iterable[Line]) -> str:
        ordered = sorted(lines, key=points.__getitem__)
        return ", ".join(f"{line.label} ({fixed(points[line], 1)})" for line in ordered) or "no change"

    series = found.series
    alone = [line for line in changed if line.change and line.change.name not in series]
    farther = [line for line in alone if points[line] > points[written]]
    away = f"{fixed(points[written], 1)} points or less away from {count} published figures"
    sentences = [
        f"{AS_WRITTEN.capitalize()}, ours is {away}.",
        f"At most as far away with: {listed(line for line in alone if line not in farther)}.",
        f"Farther with: {listed(farther)}.",
    ]
    for name, lines in series.items():
        nearest, farthest = min(lines, key=points.__getitem__), max(lines, key=points.__getitem__)
        sentences.append(f"Through all {name}: from {listed([nearest])} to {listed([farthest])}.")
    return sentences


def notes(experiment: Experiment) -> list[str]:
    """What the changes are about."""
    return [f"{change.name}: {change.note}" for change in experiment.change if change.note]


def as_csv(found: Sensitivity) -> str:
    """A line for each change and figure; deviations in points of the baseline."""
    header = [
        *("change", "value", "network", "variant", "array", "over", "over_array"),
        *("quantity", "published_ratio", "ratio", "deviation_points"),
    ]
    lines: list[list[Any]] = [header]
    for line in found.lines:
        for figure, ratio in zip(found.figures, line.ratios, strict=True):
            deviation = "" if ratio is None or figure.published is None else 100 * (ratio - figure.published)
            lines.append(
                [
                    *(line.change or ("", "")),
                    *(figure.network, figure.variant, line.arrays[0], figure.over, line.arrays[1], figure.quantity),
                    *("" if figure.published is None else figure.published, "" if ratio is None else ratio),
                    deviation,
                ]
            )
    return csv_text(lines)


def _ratio(value: float | None) -> str:
    return fixed(value, 3)


def _points(value: float | None) -> str:
    return fixed(None if value is None else 100 * value, 1)
