"""The style of all figures: Okabe and Ito's palette, which is safe for colour-blind readers, hatches and labels.

Where colour might not suffice (grey prints, many parts in one bar), a hatch or a marker distinguishes the same parts.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import NamedTuple

from jaxgrad.array import schedules
from jaxgrad.array.counts import READS, SRAM, VECTOR, WORDS, WRITES, Key
from jaxgrad.costs import Phase
from jaxgrad.costs.energy import COMPONENTS

DPI = 150
# For labels that are no schedules; yellow, faint on white, comes last.
_PALETTE = ("#D55E00", "#56B4E9", "#000000", "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#999999", "#F0E442")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")


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
