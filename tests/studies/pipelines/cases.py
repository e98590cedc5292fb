"""A small experiment with pipelines, as the tree of its TOML file: LeNet on arrays of 8 x 8."""

from __future__ import annotations

import copy
from typing import Any

TREE: dict[str, Any] = {
    "title": "a small one",
    "question": "how much?",
    "notes": ["all is small"],
    "workload": {"networks": ["lenet"], "batch": 4},
    "machine": {"rows": 8, "cols": 8},
    "pipelines": {"processors": [2, 3, 6]},
    "variant": [
        {"name": "PipeDream, MACs", "pipeline": "pipedream", "time": "macs"},
        {"name": "LayerPipe, MACs", "pipeline": "layerpipe", "time": "macs"},
        {"name": "PipeDream", "pipeline": "pipedream"},
        {"name": "LayerPipe", "pipeline": "layerpipe"},
        {"name": "both", "pipeline": "layerpipe", "schedule": "interleaved"},
    ],
    "comparison": [
        {"name": "by MACs", "variant": "LayerPipe, MACs", "over": "PipeDream, MACs"},
        {"name": "by cycles", "variant": "LayerPipe", "over": "PipeDream"},
        {"name": "interleaving", "variant": "both", "over": "LayerPipe"},
    ],
    "published": [
        {"comparison": "by MACs", "ratio": 1.25, "source": "a paper"},
        {"comparison": "by MACs", "statistic": "greatest", "processors": [3, 6], "at_least": 1.1, "source": "another"},
    ],
}


def tree() -> dict[str, Any]:
    """A copy to change."""
    return copy.deepcopy(TREE)
