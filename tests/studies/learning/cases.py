"""A small experiment that trains, as the tree of its TOML file: a perceptron of width 4, of five steps an epoch."""

from __future__ import annotations

import copy
from typing import Any

TREE: dict[str, Any] = {
    "title": "a small one",
    "question": "what is learned?",
    "notes": ["all is small"],
    "baseline": "plain",
    "seeds": [0, 1],
    "at_steps": [3],
    "training": {
        "model": {"name": "mlp", "hidden": [4]},
        "data": {"batch_size": 256},
        "optimizer": {"name": "sgd", "learning_rate": 0.03, "decay": "constant"},
        "train": {"epochs": 2},
    },
    "variant": [
        {"name": "plain"},
        {"name": "late", "training": {"pipeline": {"name": "layerpipe", "processors": 2}}},
        {"name": "wild", "training": {"optimizer": {"learning_rate": 1e38}}},
    ],
    "published": [
        {"variant": "late", "value": 20.0, "source": "a paper"},
        {"variant": "plain", "quantity": "train_loss", "step": 3, "value": 2.5, "source": "another"},
        {"variant": "wild", "diverges": True, "source": "another", "assumption": "the rate"},
    ],
}


def tree() -> dict[str, Any]:
    """A copy to change."""
    return copy.deepcopy(TREE)


def with_settings() -> dict[str, Any]:
    """Two settings, and one variant alone in both."""
    changed = tree()
    changed["setting"] = [
        {"name": "slow", "training": {"optimizer": {"learning_rate": 0.03}}},
        {"name": "fast", "training": {"optimizer": {"learning_rate": 0.1}}},
    ]
    for variant in changed["variant"][1:]:
        variant["settings"] = ["slow"]
    for figure in changed["published"]:
        figure["setting"] = "slow"
    return changed


def tuned() -> dict[str, Any]:
    """One setting, in which two variants take the better of two learning rates."""
    changed = tree()
    del changed["published"], changed["training"]["optimizer"]["learning_rate"]
    changed["variant"] = [{"name": "plain"}, {"name": "wide", "training": {"model": {"hidden": [6]}}}]
    return {**changed, "tune": {"optimizer.learning_rate": [0.03, 0.1]}}
