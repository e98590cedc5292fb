"""A pipeline of stages that really pass messages, batch by batch: NumPy in float64, written from the definitions.

Each stage has layers ``tanh(x W + b)``, its own weights and momentum. It does its forward and backward passes in the
pipeline's order, each as soon as the message that it needs has come, and updates its weights after each backward pass.
The loss is half the squared distance of the last activations from the target.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

Weights = list[tuple[np.ndarray, np.ndarray]]


@dataclass
class Stage:
    """One array's layers.

    Args:
        weights: newest.
        delay: updates that a batch's forward pass lacks.
        how: which weights the backward pass has.
        sync: of ``vertical_sync``, the version's age at all stages.
        beta: of ``ema``.
        rate, momentum: of SGD.
    """

    weights: Weights
    delay: int
    how: str
    sync: int
    beta: float
    rate: float
    momentum: float
    history: list[Weights] = field(default_factory=list)
    kept: dict[int, tuple[Weights, list[np.ndarray], list[np.ndarray]]] = field(default_factory=dict)
    velocity: Weights = field(default_factory=list)
    average: Weights = field(default_factory=list)

    def __post_init__(self) -> None:
        self.history = [self.weights]
        self.velocity = [(np.zeros_like(w), np.zeros_like(b)) for w, b in self.weights]
        self.average = [(np.zeros_like(w), np.zeros_like(b)) for w, b in self.weights]

    @property
    def updates(self) -> int:
        return len(self.history) - 1

    def ahead(self, batch: int, x: np.ndarray) -> np.ndarray:
        used = self.history[max(batch - self.sync, 0)] if self.how == "vertical_sync" else self.weights
        inputs, outs = [], []
        for w, b in used:
            inputs.append(x)
            x = np.tanh(x @ w + b)
            outs.append(x)
        self.kept[batch] = used, inputs, outs
        return x

    def back(self, batch: int, cotangent: np.ndarray) -> np.ndarray:
        assert self.updates == batch  # its batches come back in order
        used, inputs, outs = self.kept.pop(batch)
        through = used
        if self.how == "current":
            through = self.weights
        if self.how == "ema":
            age = min(batch, self.delay)
            through = [(w - age * u, b) for (w, b), (u, _) in zip(self.weights, self.average, strict=True)]
        gradients: Weights = []
        for (w, _), x, y in zip(through[::-1], inputs[::-1], outs[::-1], strict=True):
            before = cotangent * (1 - y * y)
            gradients.append((x.T @ before, before.sum(axis=0)))
            cotangent = before @ w.T
        self.update(gradients[::-1])
        return cotangent

    def update(self, gradients: Weights) -> None:
        new, velocity, average = [], [], []
        for pairs in zip(self.weights, gradients, self.velocity, self.average, strict=True):
            moved, v, u = [], [], []
            for value, gradient, speed, mean in zip(*pairs, strict=True):
                speed = gradient + self.momentum * speed
                change = -self.rate * speed
                moved.append(value + change)
                v.append(speed)
                u.append(self.beta * mean + (1 - self.beta) * change)
            new.append(tuple(moved))
            velocity.append(tuple(v))
            average.append(tuple(u))
        self.weights, self.velocity, self.average = new, velocity, average
        self.history.append(new)


def train(
    stages: Sequence[Stage],
    batches: Sequence[tuple[np.ndarray, np.ndarray]],
    order: Callable[[int], Sequence[tuple[str, int]]],
) -> list[float]:
    """Runs all batches through the stages and back; their losses.

    Args:
        stages: from the input on; they are left with their last weights.
        batches: x and target.
        order: of a stage, ("F", batch) and ("B", batch) as it does them.
    """
    orders = [list(order(number)) for number in range(len(stages))]
    messages: dict[tuple[str, int, int], np.ndarray] = {("F", batch, 0): x for batch, (x, _) in enumerate(batches)}
    losses = [0.0] * len(batches)
    while any(orders):
        before = sum(map(len, orders))
        for number, stage in enumerate(stages):
            while orders[number] and (*orders[number][0], number) in messages:
                kind, batch = orders[number].pop(0)
                message = messages.pop((kind, batch, number))
                if kind == "B":
                    messages["B", batch, number - 1] = stage.back(batch, message)
                    continue
                y = stage.ahead(batch, message)
                if number < len(stages) - 1:
                    messages["F", batch, number + 1] = y
                else:
                    error = y - batches[batch][1]
                    losses[batch] = 0.5 * float((error**2).sum())
                    messages["B", batch, number] = error
        assert sum(map(len, orders)) < before, "the stages wait for each other"
    return losses
