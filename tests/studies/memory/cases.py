"""A small experiment on memory, as the tree of its TOML file."""

from __future__ import annotations

import copy
from typing import Any

TREE: dict[str, Any] = {
    "title": "a small one",
    "question": "how much?",
    "notes": ["small"],
    "memory": {"batch": 3, "keep": [1.0, 0.3], "loss_bytes": 9},
    "network": [
        {"name": "wide", "model": "mlp", "input_shape": [2, 3, 1], "classes": 2, "options": {"hidden": [7, 5]}},
        {"name": "maps", "model": "convnet", "input_shape": [8, 4, 2]},
    ],
    "published": [{"network": "wide", "megabytes": [0.01, 0.0004], "source": "a paper"}],
}


def tree() -> dict[str, Any]:
    return copy.deepcopy(TREE)
