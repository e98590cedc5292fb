"""jaxgrad.pipelines.devices: stages on four devices, whose losses and weights are the emulation's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgrad.base.errors import InputError
from jaxgrad.pipelines.delayed import delayed
from jaxgrad.pipelines.devices import train
from jaxgrad.pipelines.pipeline import find
from tests.devices import mesh

WIDTH, ROWS, STAGES = 4, 6, 4
OPTIMIZER = optax.sgd(0.05, momentum=0.5)
RANDOM = np.random.default_rng(0)
PARAMS = [
    [jnp.asarray(RANDOM.normal(0, 0.6, (WIDTH, WIDTH)), jnp.float32) for _ in range(1 + stage % 2)]
    for stage in range(STAGES)
]
ROWS_OF_ALL = jnp.asarray(RANDOM.normal(0, 1, (9, 2, ROWS, WIDTH)), jnp.float32)
BATCHES = [(pair[0], pair[1]) for pair in ROWS_OF_ALL]


def stage(weights: list[jax.Array], x: jax.Array) -> jax.Array:
    for w in weights:
        x = jnp.tanh(x @ w)
    return x


def loss(y: jax.Array, target: jax.Array) -> jax.Array:
    return jnp.mean(jnp.sum((y - target) ** 2, axis=1))


def whole(params: list[list[jax.Array]], batch: tuple[jax.Array, jax.Array]) -> jax.Array:
    x, target = batch
    for own in params:
        x = stage(own, x)
    return loss(x, target)


def emulated(delay: Callable[[int, int], int]) -> tuple[Any, list[float]]:
    init, step = delayed(whole, OPTIMIZER, [delay(number, STAGES) for number in range(STAGES)])
    state, losses, jitted = init(PARAMS), [], jax.jit(step)
    for batch in BATCHES:
        state, value = jitted(state, batch)
        losses.append(float(value))
    return state.params, losses


@pytest.mark.parametrize(
    ("pipeline", "microbatches"),
    [("pipedream", 1), ("layerpipe", 1), ("gpipe", 3), ("1f1b", 2), ("zb_h1", 3), ("zb_h2", 3)],
)
def test_losses_and_weights_are_those_of_the_emulation(pipeline: str, microbatches: int) -> None:
    mesh(STAGES, "stage")  # there are as many devices, or it is skipped
    expected, losses = emulated(find(pipeline).delay)
    trained = train(pipeline, [stage] * STAGES, loss, PARAMS, OPTIMIZER, BATCHES, microbatches=microbatches)
    np.testing.assert_allclose(trained.losses, losses, rtol=2e-5)
    for number, (own, theirs) in enumerate(zip(trained.params, expected, strict=True)):
        for w, reference in zip(own, theirs, strict=True):
            assert w.devices() == {jax.devices()[number]}
            np.testing.assert_allclose(w, reference, rtol=2e-4, atol=2e-6)


def test_bad_input() -> None:
    def run(pipeline: str, **more: Any) -> None:
        train(pipeline, [stage] * 2, loss, PARAMS[:2], OPTIMIZER, BATCHES[:1], **more)

    with pytest.raises(InputError, match="devices: got 1; give at least 2"):
        run("pipedream", devices=jax.devices()[:1])
    with pytest.raises(InputError, match="microbatches: got 4; give a number that divides the batch, 6"):
        run("gpipe", microbatches=4, devices=jax.devices() * 2)
    with pytest.raises(InputError, match="got 'data_parallel'; choose one with one stage"):
        run("data_parallel", devices=jax.devices() * 2)
