"""Descents of a search, step by step, and what came of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from jaxgrad.reports.plots import canvas
from jaxgrad.reports.style import MARKERS, colours


def descents(
    lines: Mapping[str, Sequence[Sequence[float]]],
    found: Mapping[str, float],
    path: Path,
    title: str,
    *,
    y_label: str,
    best: Mapping[str, float] | None = None,
) -> list[Path]:
    """A thin line a descent, in the colour of its kind.

    Args:
        lines: for each kind its descents, each the relaxed objective before each step.
        found: the exact objective of the best design found, by kind: a marker at the right.
        path: of the files, without .png and .svg.
        title: of the figure.
        y_label: of the vertical axis, with its unit.
        best: the objective of the best design there is, by kind, where that is known: a dashed line.

    Raises:
        ValueError: nothing to draw.
    """
    canvas.some("lines", lines)
    colour = colours(lines)
    figure = canvas.page(4.0 + 0.2 * ((len(lines) - 1) // 3))
    axes: Axes = figure.subplots()
    handles: dict[str, Any] = {}
    steps = max(len(descent) for own in lines.values() for descent in own)
    for index, (kind, own) in enumerate(lines.items()):
        for descent in own:
            (line,) = axes.plot(range(len(descent)), descent, color=colour[kind], linewidth=0.7, alpha=0.6)
            handles[f"{kind}: descents"] = line
        if kind in found:
            marker = MARKERS[index % len(MARKERS)]
            (handles[f"{kind}: found, exact"],) = axes.plot(
                [steps * 1.03], [found[kind]], color=colour[kind], marker=marker, markersize=8, linestyle="none",
                markeredgecolor="white", zorder=4,
            )  # fmt: skip
        if best and kind in best:
            handles[f"{kind}: best there is"] = axes.axhline(
                best[kind], color=colour[kind], linestyle="--", linewidth=1
            )
    values = [value for own in lines.values() for descent in own for value in descent]
    canvas.scale(axes.yaxis, [*values, *found.values(), *(best or {}).values()])
    axes.set_xlabel("step", fontsize=9)
    axes.set_ylabel(y_label, fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    canvas.legend(figure, handles, 3)
    return canvas.save(figure, path, title)
