"""Horizontal stacked bars: a row for each label, under the heading of its group where there are several groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.text import Annotation
from matplotlib.ticker import FuncFormatter, MaxNLocator

from jaxgrad.reports.labels import told_apart
from jaxgrad.reports.numbers import tick
from jaxgrad.reports.plots import canvas
from jaxgrad.reports.style import FigureStyle, Look

Row = Mapping[Any, float]
"""Lengths by part."""

_BAR_HEIGHT = 0.76
_ROOM_FOR_TOTALS = 1.16
_WIDTH = 0.6  # of a letter, of its height
_NAME_CHARACTERS = 36  # of a row or a heading


@dataclass(frozen=True)
class Stack:
    """Rows to draw.

    Args:
        groups: rows by label, by group.
        looks: of the parts, in the order of the stack.
    """

    groups: Mapping[str, Mapping[str, Row]]
    looks: Mapping[Any, Look]

    @property
    def rows(self) -> list[tuple[str, Row]]:
        return [(label, row) for rows in self.groups.values() for label, row in rows.items()]

    @property
    def lines(self) -> int:
        """Rows and headings."""
        return len(self.rows) + (len(self.groups) if len(self.groups) > 1 else 0)

    @property
    def parts(self) -> list[Any]:
        """Those that occur."""
        return [part for part in self.looks if any(row.get(part) for _, row in self.rows)]

    @property
    def totals(self) -> list[float]:
        return [sum(row.values()) for _, row in self.rows]


def height_inches(stack: Stack) -> float:
    return 0.27 * stack.lines


def draw(axes: Axes, stack: Stack, ends: Sequence[str]) -> None:
    """Draws a stack.

    Args:
        axes: where.
        stack: what.
        ends: what stands at the end of each row.
    """
    places, ticks = _places(stack, canvas.style_of(axes))
    left = np.zeros(len(places))
    style = canvas.style_of(axes)
    for part in stack.parts:
        lengths = np.array([row.get(part, 0.0) for _, row in stack.rows], float)
        look = stack.looks[part]
        axes.barh(places, lengths, _BAR_HEIGHT, left=left, label=look.label, **_fill(look))
        left += lengths
    for place, end, text in zip(places, left, ends, strict=True):
        axes.annotate(
            text, (end, place), (4, 0), textcoords="offset points", va="center_baseline", fontsize=style.note_pt,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
        )  # fmt: skip
    axes.set_yticks([place for place, _ in ticks], [text for _, text in ticks], fontsize=style.tick_pt)
    for (place, _), label in zip(ticks, axes.get_yticklabels(), strict=True):
        label.set_fontweight("normal" if place in places else "bold")
    axes.set_ylim(stack.lines - 0.4, -0.6)
    axes.set_xlim(0, _room(style, ends, [text for _, text in ticks]) * max(left))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=style.ticks(6)))
    axes.xaxis.set_major_formatter(FuncFormatter(tick))
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=style.tick_pt)
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def handles(*stacks: Stack) -> dict[str, Patch]:
    """Legend entries of the parts that occur, in their order."""
    looks = {part: look for stack in stacks for part, look in stack.looks.items()}
    seen = {part for stack in stacks for part in stack.parts}
    return {look.label: patch(look) for part, look in looks.items() if part in seen}


def patch(look: Look) -> Patch:
    """A legend's sample of a part."""
    return Patch(**_fill(look))


def name_parts(figure: Figure, axes: Axes, stack: Stack) -> None:
    """Writes the names of unhatched parts into the bars where they fit: a cue beside the colour."""
    figure.draw_without_rendering()  # now the axes have their size
    points = axes.bbox.width * 72 / figure.dpi / axes.get_xlim()[1]
    style = canvas.style_of(axes)
    places, _ = _places(stack, style)
    for place, (_, row) in zip(places, stack.rows, strict=True):
        start = 0.0
        for part in stack.parts:
            length, look = row.get(part, 0.0), stack.looks[part]
            if not look.hatch and length * points > (len(look.label) + 1) * 0.62 * style.part_pt:
                axes.text(
                    start + length / 2, place, look.label, ha="center", va="center_baseline", fontsize=style.part_pt,
                    color=_ink(look.colour), in_layout=False,
                )  # fmt: skip
            start += length


def keep_clear(figure: Figure, axes: Axes, line: float) -> None:
    """Moves the labels at rows' ends that a vertical line would cross to the right of the line."""
    figure.draw_without_rendering()  # now the texts have their places
    (at, _), _ = axes.transData.transform([(line, 0), (line, 1)])
    for text in axes.texts:
        box = text.get_window_extent()
        if isinstance(text, Annotation) and box.x0 < at < box.x1:
            text.xy = (line, text.xy[1])


def _room(style: FigureStyle, ends: Sequence[str], names: Sequence[str]) -> float:
    """The axis's length over that of the longest bar, so that what stands at its end has room."""
    letters = _WIDTH * style.note_pt * (max(map(len, ends)) + 1)
    axis = 72 * style.width_inches - _WIDTH * style.tick_pt * (max(map(len, names)) + 3)
    return max(_ROOM_FOR_TOTALS, axis / (axis - letters))


def _fill(look: Look) -> dict[str, Any]:
    return {"facecolor": look.colour, "hatch": look.hatch, "edgecolor": "white", "linewidth": 0.5}


def _places(stack: Stack, style: FigureStyle) -> tuple[list[int], list[tuple[int, str]]]:
    """The lines of the rows, and the text beside each line."""
    places, ticks, line = [], [], 0
    headings = told_apart(list(stack.groups), style.names(_NAME_CHARACTERS))
    for heading, rows in zip(headings, stack.groups.values(), strict=True):
        if len(stack.groups) > 1:
            ticks.append((line, heading))
            line += 1
        for label in told_apart(list(rows), style.names(_NAME_CHARACTERS)):
            places.append(line)
            ticks.append((line, label))
            line += 1
    return places, ticks


def _ink(colour: str) -> str:
    """Black or white, whichever stands out more (relative luminance as WCAG 2 has it)."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in to_rgb(colour)]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "black" if luminance > 0.179 else "white"
