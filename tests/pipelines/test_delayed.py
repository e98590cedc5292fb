"""jaxgrad.pipelines.delayed: against stages that pass messages, batch by batch, to 1e-12 in float64."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgrad.base.errors import InputError
from jaxgrad.pipelines.asynchronous import after, one_forward_one_backward, there_and_back
from jaxgrad.pipelines.delayed import delayed
from jaxgrad.pipelines.pipeline import Shape
from jaxgrad.pipelines.versions import BETAS, WEIGHTS
from tests.pipelines.messages import Stage, train

WIDTH, ROWS, BATCHES = 5, 4, 25
RATE, MOMENTUM = 0.05, 0.5


def data(layers: list[int]) -> tuple[list[list[tuple[np.ndarray, np.ndarray]]], list[tuple[np.ndarray, np.ndarray]]]:
    """Weights by stage, and batches."""
    random = np.random.default_rng(0)
    weights = [
        [(random.normal(0, 0.6, (WIDTH, WIDTH)), random.normal(0, 0.2, WIDTH)) for _ in range(count)]
        for count in layers
    ]
    batches = [(random.normal(0, 1, (ROWS, WIDTH)), random.normal(0, 0.5, (ROWS, WIDTH))) for _ in range(BATCHES)]
    return weights, batches


def loss(params: Any, batch: tuple[jax.Array, jax.Array]) -> jax.Array:
    x, target = batch
    for stage in params:
        for w, b in stage:
            x = jnp.tanh(x @ w + b)
    return 0.5 * jnp.sum((x - target) ** 2)


FIRST, *OTHERS = BETAS
RULES = [*((weights, FIRST) for weights in WEIGHTS), *(("ema", beta) for beta in OTHERS)]


@pytest.mark.parametrize("delay", [after, there_and_back])
@pytest.mark.parametrize(("weights", "beta"), RULES)
def test_it_is_what_stages_do_that_pass_messages(weights: str, delay: Any, beta: str) -> None:
    layers = [2, 1, 3, 1]
    start, batches = data(layers)
    delays = [delay(stage, len(layers)) for stage in range(len(layers))]
    stages = [
        Stage(list(own), behind, weights, max(delays), BETAS[beta](behind), RATE, MOMENTUM)
        for own, behind in zip(start, delays, strict=True)
    ]
    order = one_forward_one_backward(delay)
    shape = Shape(len(layers), batches=BATCHES)
    expected = train(stages, batches, lambda stage: [(op.kind, op.item) for op in order(stage, shape)])
    with jax.enable_x64(True):
        init, step = delayed(loss, optax.sgd(RATE, momentum=MOMENTUM), delays, weights, beta=beta)
        state, losses = init(jax.tree.map(jnp.asarray, start)), []
        jitted = jax.jit(step)
        for batch in batches:
            state, value = jitted(state, jax.tree.map(jnp.asarray, batch))
            losses.append(float(value))
        np.testing.assert_allclose(losses, expected, rtol=1e-12, atol=1e-12)
        for own, stage in zip(state.params, stages, strict=True):
            for (w, b), (w_expected, b_expected) in zip(own, stage.weights, strict=True):
                np.testing.assert_allclose(w, w_expected, rtol=1e-12, atol=1e-12)
                np.testing.assert_allclose(b, b_expected, rtol=1e-12, atol=1e-12)
        kept = [len(ring) for ring in state.versions]
    most = max(delays)
    assert kept == [
        (most if weights == "vertical_sync" else behind) + 1
        for count, behind in zip(layers, delays, strict=True)
        for _ in range(2 * count)
    ]


def test_the_error_of_rebuilt_weights_is_told() -> None:
    """Of constant updates the average becomes exact: the error goes to nothing; stashed weights have none."""

    def linear(w: jax.Array, batch: jax.Array) -> jax.Array:
        return jnp.sum(w * batch)

    init, step = delayed(linear, optax.sgd(0.1), 2, "ema")
    state, errors = init(jnp.ones(3)), []
    for _ in range(12):
        state, _ = step(state, jnp.ones(3))
        assert state.average is not None
        errors.append(float(state.average.error))
    assert errors[0] == 0  # there is no older version yet
    assert 0 < errors[-1] < 0.05 < errors[3]
    init, step = delayed(linear, optax.sgd(0.1), 2, "stash")
    assert step(init(jnp.ones(3)), jnp.ones(3))[0].average is None


def test_without_a_delay_all_are_the_plain_step() -> None:
    start, batches = data([1, 1])
    optimizer = optax.sgd(RATE, momentum=MOMENTUM)
    params = jax.tree.map(jnp.asarray, start)
    opt_state = optimizer.init(params)
    states = {weights: delayed(loss, optimizer, 0, weights)[0](params) for weights in WEIGHTS}
    for batch in batches[:3]:
        updates, opt_state = optimizer.update(jax.grad(loss)(params, batch), opt_state, params)
        params = optax.apply_updates(params, updates)
        for weights in WEIGHTS:
            states[weights], _ = delayed(loss, optimizer, 0, weights)[1](states[weights], batch)
            jax.tree.map(
                lambda got, expected: np.testing.assert_allclose(got, expected, rtol=1e-5),
                states[weights].params,
                params,
            )


@pytest.mark.parametrize(
    ("delays", "weights", "said"),
    [
        (-1, "stash", "delays: got -1; give a whole number of at least 0"),
        (0.5, "stash", "delays: got 0.5; give a whole number"),
        ([1, 2, 3], "stash", "delays: got .* give a pytree prefix of the parameters"),
        ((), "stash", "delays: got .* give a whole number for each stage"),
        (1, "stashed", "did you mean 'stash'"),
    ],
)
def test_bad_input(delays: Any, weights: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        delayed(loss, optax.sgd(0.1), delays, weights)[0]([jnp.ones(2), jnp.ones(2)])
