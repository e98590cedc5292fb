"""A small experiment with the control problem, as the tree of its TOML file: a grid of 5 x 5, 24 steps."""

from __future__ import annotations

import copy
from typing import Any

TREE: dict[str, Any] = {
    "title": "a small one",
    "question": "how much?",
    "notes": ["all is small"],
    "control": {"points": 5, "steps_per_unit": 32, "horizon": 0.75, "diffusion": 0.25, "harmonics": 3, "first": 4.7},
    "descent": {"iterations": 6, "learning_rate": 0.1, "keep": [1.0, 0.2]},
}


def tree() -> dict[str, Any]:
    """A copy to change."""
    return copy.deepcopy(TREE)
