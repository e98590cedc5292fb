"""The style of all figures: Okabe and Ito's palette, which is safe for colour-blind readers, hatches and labels.

Where colour might not suffice (grey prints, many parts in one bar), a hatch or a marker distinguishes the same parts.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from jaxgrad.array import schedules
from jaxgrad.array.counts import READS, SRAM, VECTOR, WORDS, WRITES, Key
from jaxgrad.base.errors import one_of
from jaxgrad.costs import Phase
from jaxgrad.costs.energy import COMPONENTS

STYLES = ("screen", "paper")
WIDTHS = {"column": 3.5, "page": 7.16}
"""Of figures in IEEE's journals, in inches: one column, or both."""
_SCREEN_INCHES = 8.0
_SERIF_LETTERS = 1.25  # as many in a line as of those without
# For labels that are no schedules; yellow, faint on white, comes last.
_PALETTE = ("#D55E00", "#56B4E9", "#000000", "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#999999", "#F0E442")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")


@dataclass(frozen=True)
class FigureStyle:
    """How figures are printed: their width, their letters, and whether a title stands above them.

    Sizes of letters are in points where the figure is not scaled.

    Args:
        width_inches: of a figure.
        titled: whether it has its title, which a paper has in the caption.
        serif: letters as in the text of a paper (STIX, which looks like Times), and thin frames.
        title_pt: of the title.
        label_pt: of axes' labels and panels' titles.
        tick_pt: of numbers and names beside an axis, and of the legend.
        note_pt: of texts within panels.
        part_pt: of the smallest ones, within bars.
    """

    width_inches: float = _SCREEN_INCHES
    titled: bool = True
    serif: bool = False
    title_pt: float = 10.0
    label_pt: float = 9.0
    tick_pt: float = 8.0
    note_pt: float = 7.5
    part_pt: float = 7.0

    @classmethod
    def of(cls, style: str = "screen", width: str | None = None, *, titled: bool = True) -> FigureStyle:
        """A style by name.

        Args:
            style: one of ``STYLES``: ``paper`` has serifs, and letters of 8 points as IEEE asks for (7 within panels).
            width: one of ``WIDTHS``; by default a screen's 8 inches, or a page of paper.
            titled: whether figures have titles.

        >>> FigureStyle.of("paper", "column").width_inches, FigureStyle.of().width_inches
        (3.5, 8.0)
        """
        one_of("style", style, STYLES)
        if width is not None:
            one_of("width", width, tuple(WIDTHS))
        if style == "screen":
            return cls(_SCREEN_INCHES if width is None else WIDTHS[width], titled)
        sizes = {"title_pt": 8.0, "label_pt": 8.0, "tick_pt": 8.0, "note_pt": 7.0, "part_pt": 7.0}
        return cls(WIDTHS[width or "page"], titled, serif=True, **sizes)

    @property
    def is_narrow(self) -> bool:
        """Whether panels that stand side by side on a page do not here."""
        return self.width_inches < _SCREEN_INCHES / 2

    def characters(self, on_a_screen: int) -> int:
        """Of a text that may have so many on a figure of a screen's width."""
        return max(8, int(on_a_screen * self._room))

    def names(self, on_a_screen: int) -> int:
        """As ``characters``, of names beside an axis, which get more of a narrow figure."""
        return max(8, int(on_a_screen * math.sqrt(self._room)))

    @property
    def _room(self) -> float:
        """For letters, of that on a screen."""
        return min(1.0, self.width_inches / _SCREEN_INCHES * (_SERIF_LETTERS if self.serif else 1.0))

    def ticks(self, on_a_screen: int) -> int:
        """Along an axis that may have so many on a figure of a screen's width."""
        return max(3, round(on_a_screen * min(1.0, self.width_inches / _SCREEN_INCHES)))

    def columns(self, on_a_screen: int) -> int:
        """Of panels of which so many stand side by side on a screen."""
        return max(1, on_a_screen // 2) if self.is_narrow else on_a_screen


SCREEN = FigureStyle()


class Look(NamedTuple):
    """How one part of a picture is drawn and what its legend says."""

    label: str
    colour: str
    hatch: str = ""


PHASES: dict[str, Look] = {
    "forward": Look("forward", "#0072B2"),
    "dx": Look("dX", "#E69F00"),
    "dw": Look("dW", "#009E73"),
    "dx+dw": Look("dX+dW", "#D55E00"),
    "backward": Look("backward", "#D55E00"),
    "update": Look("update", "#CC79A7"),
    "vector": Look("vector unit", "#BBBBBB"),
}
PHASE_MARKERS = {"forward": "o", "dx": "^", "dw": "s", "dx+dw": "D", "backward": "D"}
_COMPONENTS: dict[str, Look] = {
    "mac": Look("MAC", "#0072B2"),
    "register": Look("registers", "#56B4E9", "////"),
    "hop": Look("hops", "#009E73", "...."),
    "sram": Look("SRAM", "#E69F00"),
    "dram": Look("DRAM", "#D55E00", "\\\\\\\\"),
    "idle": Look("idle PEs", "#F0E442", "xxxx"),
    "leakage": Look("leakage", "#CC79A7", "----"),
    "vector": Look("vector unit", "#BBBBBB"),
}
ENERGY: dict[str, Look] = {name: _COMPONENTS[name] for name in COMPONENTS}
_LEVELS = (("#8C564B", "++++"), ("#17BECF", "oooo"), ("#7F7F7F", "****"))  # colours and hatches that nothing else has


def energy_looks(levels: Iterable[str]) -> dict[str, Look]:
    """``ENERGY``, with memories between scratchpad and DRAM by name."""
    looks: dict[str, Look] = {}
    for name, look in ENERGY.items():
        looks[name] = look
        if name == "sram":
            pairs = zip(levels, itertools.cycle(_LEVELS), strict=False)
            looks |= {level: Look(level, colour, hatch) for level, (colour, hatch) in pairs}
    return looks


_OPERANDS = {
    "w": ("W", "#0072B2"),
    "x": ("X", "#E69F00"),
    "y": ("Y", "#56B4E9"),
    "dy": ("dY", "#D55E00"),
    "dx": ("dX", "#F0E442"),
    "dw": ("dW", "#CC79A7"),
    "psum": ("psum", "#009E73"),
}
TENSORS: dict[str, str] = {name: label for name, (label, _) in _OPERANDS.items()}
"""What tensors are called."""

OPERANDS: dict[Key, Look] = {
    Key(SRAM, operand, action): Look(f"{label} {action}", colour, "" if action == READS else "////")
    for operand, (label, colour) in _OPERANDS.items()
    for action in (READS, WRITES)
} | {Key(SRAM, "vector", WORDS): Look("vector unit", "#BBBBBB", "xxxx")}
"""The same on every level of memory."""


def schedule_label(name: str) -> str:
    """What a schedule is called; one that is not registered, by its name."""
    schedule = schedules.known(name)
    return schedule.label if schedule else name


def phase_of(phase: Phase) -> str:
    """The key of ``PHASES`` for a phase: all work of the vector unit is one phase."""
    return VECTOR if phase.unit == VECTOR else phase.name


def colours(labels: Iterable[str]) -> dict[str, str]:
    """A colour for each label: a schedule's own, or the next one that no schedule among them has."""
    labels = list(labels)
    assigned = {label: schedule.colour for label in labels if (schedule := schedules.known(label)) and schedule.colour}
    free = [colour for colour in _PALETTE if colour not in assigned.values()]
    others = [label for label in labels if label not in assigned]
    return assigned | {label: free[index % len(free)] for index, label in enumerate(others)}
