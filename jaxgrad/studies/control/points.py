"""The points of an experiment with the control problem, a share that is kept each, and what comes out: a descent."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import optax

from jaxgrad.base.errors import InputError
from jaxgrad.studies.control.problem import Problem
from jaxgrad.studies.control.schema import ControlExperiment
from jaxgrad.studies.store import Store

KIND = "control"
"""Of the results in the store."""


@dataclass(frozen=True)
class Point:
    """A descent with one share of the stored values kept.

    Args:
        keep: the share.
        spec: all that decides the result, as plain data.
        problem: the equation on its grid.
    """

    keep: float
    spec: Mapping[str, Any]
    problem: Problem

    @property
    def label(self) -> str:
        return f"keep {self.keep:g}"


@dataclass(frozen=True)
class Descent:
    """What a point gives.

    Args:
        losses: before each iteration, exact.
        theta: coefficients after the last one.
        temporary_bytes: that the compiled gradient has besides its arguments and results; None where the backend does
            not tell.
    """

    losses: Sequence[float]
    theta: Sequence[float]
    temporary_bytes: int | None


def expand(experiment: ControlExperiment) -> list[Point]:
    """All points of an experiment."""
    common = {"control": experiment.control.model_dump(), "descent": experiment.descent.model_dump(exclude={"keep"})}
    problem = experiment.control.problem
    return [Point(keep, {**common, "keep": keep}, problem) for keep in experiment.descent.keep]


def run(points: Sequence[Point], store: Store) -> Iterator[Descent]:
    """Each point's descent; a point that is done is on the disk before the next one begins.

    Raises:
        InputError: a descent diverges; the message says which.
    """
    for kept in store.results(KIND, points, compute):
        yield Descent(**kept)


def compute(point: Point) -> dict[str, Any]:
    """A point's descent as plain data.

    Raises:
        InputError: its loss is not finite.
    """
    descent = point.spec["descent"]
    optimizer = optax.adam(descent["learning_rate"])
    key = jax.random.key(descent["seed"])
    theta = point.problem.start
    state = optimizer.init(theta)

    def iterate(theta: jax.Array, state: optax.OptState, number: jax.Array) -> tuple[Any, optax.OptState, jax.Array]:
        drawn = jax.random.fold_in(key, number)
        loss, gradient = jax.value_and_grad(point.problem.loss)(theta, drawn, point.keep)
        updates, state = optimizer.update(gradient, state)
        return optax.apply_updates(theta, updates), state, loss

    number = jax.numpy.zeros((), jax.numpy.int32)
    compiled = jax.jit(iterate).lower(theta, state, number).compile()
    losses = []
    for _ in range(descent["iterations"]):
        theta, state, loss = compiled(theta, state, number)
        number += 1
        losses.append(float(loss))
        if not math.isfinite(losses[-1]):
            problem = f"got {descent['learning_rate']:g}, and the loss is {losses[-1]} at iteration {len(losses)}"
            raise InputError("descent.learning_rate", descent["learning_rate"], "give a lower one", problem=problem)
    analysis = compiled.memory_analysis()
    temporary = None if analysis is None else int(analysis.temp_size_in_bytes)
    return {"losses": losses, "theta": [float(value) for value in theta], "temporary_bytes": temporary}
