"""A pipeline for real: stages on JAX devices of their own, which pass activations and cotangents to each other.

A check on the emulation (``delayed``), whose losses and weights it has. Operations are issued in the order in which the
simulator starts them; JAX runs those of different devices at the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from jaxgrad.base.errors import InputError
from jaxgrad.pipelines.pipeline import Op, OpKind, Pipeline, Shape, find
from jaxgrad.pipelines.simulator import Stage, simulate

StageFunction = Callable[[Any, Array], Array]
"""(the stage's weights, activations) to activations."""

_TIMES: dict[OpKind, int] = {"F": 1, "B": 1, "W": 1}


class Trained(NamedTuple):
    """What came of a run.

    Args:
        params: of each stage, on its device.
        losses: of each batch, with the weights that it met.
    """

    params: list[Any]
    losses: list[float]


def train(
    pipeline: str | Pipeline,
    stages: Sequence[StageFunction],
    loss: Callable[[Array, Any], Array],
    params: Sequence[Any],
    optimizer: optax.GradientTransformation,
    batches: Iterable[tuple[Array, Any]],
    *,
    microbatches: int = 1,
    devices: Sequence[Any] | None = None,
) -> Trained:
    """Trains a chain of stages, each on a device of its own; each batch's backward pass has the weights of its forward.

    Args:
        pipeline: a record, or the name of a registered one; with one stage a device.
        stages: from the input on.
        loss: (the last activations, targets) to a scalar, a mean over rows.
        params: of each stage.
        optimizer: each stage has its own state of it.
        batches: activations of the input, and targets; arrays whose first axis are the rows.
        microbatches: into which a flushed pipeline cuts a batch; their gradients are averaged.
        devices: as many as stages; the first of ``jax.devices()`` by default.

    Raises:
        InputError: there are too few devices, or the microbatches do not divide a batch; or the pipeline replicates the
            network, or has several stages on a device.
    """
    record, count = find(pipeline), len(stages)
    data = list(batches)
    places = list(jax.devices() if devices is None else devices)
    if len(places) < count:
        raise InputError("devices", len(places), f"give at least {count}, one for each stage")
    if record.replicates or record.chunked:
        raise InputError("pipeline", record.name, "choose one with one stage of the network on each device")
    for x, _ in data:
        if len(x) % microbatches:
            raise InputError("microbatches", microbatches, f"give a number that divides the batch, {len(x)}")
    shape = Shape(count, microbatches=microbatches, batches=len(data))
    run = _Run(record, stages, loss, params, optimizer, places)
    order = sorted(simulate(record, [Stage(_TIMES)] * count, shape).tasks, key=lambda task: task.start)
    for x, target in data:
        for rows, wanted in zip(jnp.split(x, microbatches), jnp.split(target, microbatches), strict=True):
            run.enter(rows, wanted)
    for task in order:
        run.do(task.op, microbatches)
    losses = jnp.stack([jnp.asarray(value) for value in run.losses]).reshape(len(data), microbatches).mean(axis=1)
    return Trained(run.params, losses.tolist())


class _Run:
    def __init__(
        self,
        pipeline: Pipeline,
        stages: Sequence[StageFunction],
        loss: Callable[[Array, Any], Array],
        params: Sequence[Any],
        optimizer: optax.GradientTransformation,
        devices: Sequence[Any],
    ) -> None:
        self.pipeline, self.devices = pipeline, devices
        self.params = [jax.device_put(own, device) for own, device in zip(params, devices, strict=False)]
        self.states = [optimizer.init(own) for own in self.params]
        self.forward = [jax.jit(lambda own, x, stage=stage: jax.vjp(stage, own, x)) for stage in stages]
        self.to_input = jax.jit(lambda pullback, cotangent: pullback(cotangent)[1])
        self.to_weights = jax.jit(lambda pullback, cotangent: pullback(cotangent)[0])
        self.both = jax.jit(lambda pullback, cotangent: pullback(cotangent))
        self.loss = jax.jit(jax.value_and_grad(loss))
        self.step = jax.jit(lambda own, state, gradients: _updated(optimizer, own, state, gradients))
        self.targets: list[Any] = []
        self.losses: list[Any] = []
        self.arrived: dict[tuple[OpKind, int, int], Any] = {}  # what an operation of a stage is given
        self.pullbacks: dict[tuple[int, int], Any] = {}
        self.sums: list[Any] = [None] * len(stages)
        self.done = [0] * len(stages)

    def enter(self, x: Array, target: Any) -> None:
        item = len(self.targets)
        self.targets.append(jax.device_put(target, self.devices[len(self.params) - 1]))
        self.losses.append(None)
        self.arrived["F", item, 0] = jax.device_put(x, self.devices[0])

    def do(self, op: Op, microbatches: int) -> None:
        kind, item, stage = op
        given = self.arrived.pop(op)
        if kind == "F":
            y, self.pullbacks[item, stage] = self.forward[stage](self.params[stage], given)
            if stage < len(self.params) - 1:
                self.arrived["F", item, stage + 1] = jax.device_put(y, self.devices[stage + 1])
            else:
                self.losses[item], self.arrived["B", item, stage] = self.loss(y, self.targets[item])
            return
        if kind == "B" and self.pipeline.splits_backward:
            before = self.to_input(self.pullbacks[item, stage], given)
            self.arrived["W", item, stage] = given
        elif kind == "B":
            gradients, before = self.both(self.pullbacks.pop((item, stage)), given)
            self.take(stage, gradients, microbatches)
        else:
            self.take(stage, self.to_weights(self.pullbacks.pop((item, stage)), given), microbatches)
            return
        if stage:
            self.arrived["B", item, stage - 1] = jax.device_put(before, self.devices[stage - 1])

    def take(self, stage: int, gradients: Any, microbatches: int) -> None:
        """Adds a microbatch's gradients; after the last one of a batch the stage updates its weights."""
        so_far = self.sums[stage]
        self.sums[stage] = gradients if so_far is None else jax.tree.map(jnp.add, so_far, gradients)
        self.done[stage] += 1
        if self.done[stage] % microbatches == 0:
            mean = jax.tree.map(lambda total: total / microbatches, self.sums[stage])
            self.params[stage], self.states[stage] = self.step(self.params[stage], self.states[stage], mean)
            self.sums[stage] = None


def _updated(optimizer: optax.GradientTransformation, params: Any, state: Any, gradients: Any) -> tuple[Any, Any]:
    updates, state = optimizer.update(gradients, state, params)
    return optax.apply_updates(params, updates), state
