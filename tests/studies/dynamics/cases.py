"""A small experiment on the dynamics of training, as the tree of its TOML file: two seeds, six steps."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from jaxgrad.studies.dynamics.windows import Window

TREE: dict[str, Any] = {
    "title": "a small one",
    "question": "does it vanish?",
    "notes": ["all is small"],
    "seeds": [3, 0],
    "dynamics": {"steps": 6, "measure_every": 1, "batches": 2, "windows": [[0, 3], [3, 6]]},
    "training": {
        "model": {"name": "mlp", "hidden": [4], "activation": "tanh"},
        "data": {"name": "digits", "batch_size": 359, "label_noise": 0.2},
        "optimizer": {"name": "sgd", "learning_rate": 0.5, "decay": "constant"},
    },
    "variant": [
        {"name": "slow"},
        {"name": "fast", "training": {"optimizer": {"name": "momentum", "learning_rate": 0.5, "momentum": 0.5}}},
    ],
    "claim": [
        {
            "name": "faster, lower",
            "kind": "rises",
            "variants": ["fast", "slow"],
            "quantity": "loss",
            "reference": "yes",
        },
        {"name": "it vanishes", "kind": "falls", "variant": "slow", "quantity": "gradient", "by": 1000},
    ],
}


def tree() -> dict[str, Any]:
    """A copy to change."""
    return copy.deepcopy(TREE)


def windows(
    gradients: Sequence[float], *, slopes: Sequence[float] | None = None, balances: Sequence[float] | None = None
) -> list[Window]:
    """Windows of ten steps each, their loss and noise ten and a hundred times the gradient."""
    slopes, balances = slopes or [-1.0] * len(gradients), balances or [1.0] * len(gradients)
    return [
        Window(10 * place, 10 * place + 10, 10 * gradient, slope, gradient, 100 * gradient, balance, 0.0, None)
        for place, (gradient, slope, balance) in enumerate(zip(gradients, slopes, balances, strict=True))
    ]
