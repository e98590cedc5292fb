"""A run's measurements on one page: loss, gradient, noise, sharpness and balance against steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from jaxgrad.reports.pages import Page
from jaxgrad.reports.plots import canvas
from jaxgrad.reports.style import SCREEN, FigureStyle

_BLUE, _ORANGE, _GREEN, _RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
_AVERAGED = 0.1  # of all measurements, in a running mean


def diagnostics(
    records: Sequence[Mapping[str, Any]],
    path: Path,
    title: str,
    stopped: int | None = None,
    *,
    style: FigureStyle = SCREEN,
) -> list[Path]:
    """Six panels with one axis of steps; what is not positive is left out where that axis may be logarithmic.

    Args:
        records: lines of ``diagnostics.jsonl``.
        path: of the files, without their suffixes.
        title: of the figure.
        stopped: the step at which the loss stopped falling: a dashed line.
        style: how it is printed.

    Raises:
        ValueError: nothing to draw.
    """
    canvas.some("records", records)
    across = style.columns(2)
    figure = Page(7.2 if across == 2 else 10.0, style)
    panels = figure.subplots(6 // across, across, sharex=True, squeeze=False).reshape(-1)
    steps = np.array([record["step"] for record in records], float)
    columns = {
        name: np.array([record[name] for record in records], float)
        for name in (
            "loss", "gradient_squared", "noise", "mean_square", "sharpness", "gradient_curvature", "update_curvature",
            "update_size", "distance_from_start", "descent", "rise",
        )
    }  # fmt: skip
    wide = max(1, round(_AVERAGED * len(records)))
    _lines(panels[0], steps, {"loss of the sample": columns["loss"]}, "loss [nats]")
    squares = columns["gradient_squared"]
    norms = {"sample, corrected": np.sqrt(np.where(squares > 0, squares, np.nan))}
    if wide > 1:
        averaged = _running(squares, wide)
        norms[f"of {wide} together"] = np.sqrt(np.where(averaged > 0, averaged, np.nan))
    _lines(panels[1], steps, norms, "norm of the gradient")
    noise = {"noise, |g_b - grad f|^2": columns["noise"], "|g_b|^2": columns["mean_square"]}
    _lines(panels[2], steps, noise, "mean over batches")
    curvature = {
        "sharpness": columns["sharpness"],
        "along the gradient": columns["gradient_curvature"],
        "along the update": columns["update_curvature"],
    }
    _lines(panels[3], steps, curvature, "curvature")
    ratio = -_running(columns["rise"], wide) / _running(columns["descent"], wide)
    label = "balance of a step" if wide == 1 else f"balance, {wide} steps together"
    _lines(panels[4], steps, {"rise / descent": ratio}, label, logarithmic=False)
    _bounded(panels[4], ratio)
    moved = {"from the start": columns["distance_from_start"], "by one step": columns["update_size"]}
    _lines(panels[5], steps, moved, "distance of the weights")
    for axes in panels:
        if stopped is not None:
            axes.axvline(stopped, color="black", linestyle="--", linewidth=0.9)
    for axes in panels[-across:]:
        canvas.label(axes.xaxis, "step" if stopped is None else "step (dashed: the loss stopped falling)")
        canvas.scale(axes.xaxis, [0.0, *steps])
        axes.set_xlim(0, max(steps[-1], 1.0))
    return canvas.save(figure, path, title)


def _lines(
    axes: Axes, steps: np.ndarray, lines: Mapping[str, np.ndarray], label: str, *, logarithmic: bool = True
) -> None:
    if logarithmic:
        lines = {name: np.where(values > 0, values, np.nan) for name, values in lines.items()}
    for (name, values), colour in zip(lines.items(), (_BLUE, _ORANGE, _GREEN), strict=False):
        there = np.isfinite(values)
        marker = "o" if there.sum() <= 30 else ""
        axes.plot(steps[there], values[there], color=colour, linewidth=1.2, marker=marker, markersize=3, label=name)
    values = np.concatenate([*lines.values()])
    values = values[np.isfinite(values)]
    if logarithmic and canvas.is_wide(values):
        canvas.scale(axes.yaxis, values)
    elif len(values):
        canvas.scale(axes.yaxis, [*values, 0.0])
        if logarithmic:
            axes.set_ylim(bottom=0)
    style = canvas.style_of(axes)
    axes.set_ylabel(canvas.wrapped(label, 20 if style.is_narrow else 45), fontsize=style.label_pt)
    canvas.dress(axes)
    if len(lines) > 1:
        axes.legend(frameon=False, fontsize=style.part_pt, loc="best")


def _bounded(axes: Axes, ratio: np.ndarray) -> None:
    """A line at 1, and an axis that outliers do not stretch."""
    axes.axhline(1, color=_RED, linewidth=0.9, linestyle=":")
    finite = ratio[np.isfinite(ratio)]
    if len(finite):
        low, high = np.percentile(finite, (5, 95))
        axes.set_ylim(min(0.0, max(low, -1.0)), max(1.5, min(1.2 * high, 4.0)))


def _running(values: np.ndarray, wide: int) -> np.ndarray:
    """The mean of each value and the ones before it, so many in all, of those that are there."""
    there = np.isfinite(values)
    sums, counts = (np.concatenate([[0.0], np.cumsum(part)]) for part in (np.where(there, values, 0.0), there))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(ends - wide, 0)
    number = counts[ends] - counts[starts]
    return np.where(number > 0, (sums[ends] - sums[starts]) / np.maximum(number, 1), np.nan)
