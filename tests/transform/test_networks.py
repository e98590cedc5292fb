"""Whole networks: each layer counts as by hand and by its taps, however layers follow each other."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import Array, lax

from jaxgrad import Counters, Emulation, Gemm, count, count_forward, emulate_function
from jaxgrad.array.execute import FIDELITIES
from jaxgrad.flax import put_on_array, value_and_grad
from tests.layers import sparse_integers
from tests.transform.truth import (
    ARRAY,
    EMULATION,
    assert_equal,
    closed_form,
    forwards,
    shape_counts,
    weights,
)


class Net(nnx.Module):
    """A strided convolution, a batch norm, a grouped convolution and two dense layers."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.conv = nnx.Conv(3, 4, (3, 3), strides=2, rngs=rngs)
        self.norm = nnx.BatchNorm(4, rngs=rngs)
        self.grouped = nnx.Conv(4, 6, (3, 3), feature_group_count=2, rngs=rngs)
        self.hidden = nnx.Linear(6, 5, rngs=rngs)
        self.head = nnx.Linear(5, 3, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        x = nnx.relu(self.grouped(nnx.relu(self.norm(self.conv(x)))))
        return self.head(nnx.relu(self.hidden(x.mean((1, 2)))))


@pytest.mark.parametrize("fidelity", ["native", "tile"])
def test_a_training_step_counts_what_the_layers_taps_count(fidelity: str) -> None:
    emulation = Emulation(ARRAY, fidelity=fidelity)
    x, labels = jax.random.normal(jax.random.key(0), (4, 7, 7, 3)), jnp.arange(4) % 3
    graph, params, rest = nnx.split(Net(nnx.Rngs(0)), nnx.Param, ...)
    optimizer = optax.adam(0.1)

    def loss_of(model: Net) -> Array:
        return optax.softmax_cross_entropy_with_integer_labels(model(x), labels).mean()

    def step(params: Any, state: Any) -> Any:
        loss, grads = jax.value_and_grad(lambda params: loss_of(nnx.merge(graph, params, rest, copy=True)))(params)
        updates, state = optimizer.update(grads, state)
        return optax.apply_updates(params, updates), state, loss, grads

    out, tally = jax.jit(emulate_function(step, emulation))(params, optimizer.init(params))
    expected = jax.jit(step)(params, optimizer.init(params))
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-5), out[2:], expected[2:])
    model = Net(nnx.Rngs(0))
    put_on_array(model, emulation)
    _, _, layers = nnx.jit(value_and_grad(loss_of))(model)
    for phase in ("forward", "backward"):
        taps = sum((getattr(own, phase) for own in layers.values()), start=Counters.zero())
        assert getattr(tally, phase).as_dict() == taps.as_dict()
    assert tally.notes == ()


def block(params: dict[str, Array], x: Array) -> Array:
    """Attention of two heads of 4 and a hidden layer of 16, on a width of 8."""
    q, k, v = (jnp.einsum("btd,dhe->bthe", x, params[name]) for name in "qkv")
    weight = jax.nn.softmax(jnp.einsum("bqhe,bkhe->bhqk", q, k / 2))
    x = x + jnp.einsum("bqhe,hed->bqd", jnp.einsum("bhqk,bkhe->bqhe", weight, v), params["o"])
    return (x + jax.nn.gelu(x @ params["up"]) @ params["down"]).sum()


def test_a_transformer_block_by_hand() -> None:
    shapes = {**dict.fromkeys("qkv", (8, 2, 4)), "o": (2, 4, 8), "up": (8, 16), "down": (16, 8)}
    keys = jax.random.split(jax.random.key(0), len(shapes) + 1)
    params = {name: jax.random.normal(key, shape) / 3 for key, (name, shape) in zip(keys, shapes.items(), strict=False)}
    x = jax.random.normal(keys[-1], (3, 5, 8))
    square, heads = Gemm(15, 8, 8), 3 * 2
    inside = [Gemm(5, 4, 5), Gemm(4, 5, 5)] * heads  # q k^T; and v, which einsum lays left, times its softmax
    rest = [square, Gemm(15, 8, 16), Gemm(15, 16, 8)]  # o, up, down
    gradient = jax.grad(block)
    out, tally = jax.jit(emulate_function(gradient, EMULATION))(params, x)
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-4), out, jax.jit(gradient)(params, x))
    assert tally.notes == ()
    assert shape_counts(tally.forward) == forwards(*[square] * 3, *inside, *rest)
    first = [count(square, ARRAY, dx=False)] * 3  # q, k and v are of the input
    assert shape_counts(tally.backward) == closed_form(*first, *(count(gemm, ARRAY) for gemm in [*inside, *rest]))


LINES = ("dense", "relu", "square", "scan", "conv")


@pytest.mark.slow
@settings(max_examples=8)
@given(
    layers=st.lists(st.sampled_from(LINES), min_size=1, max_size=4),
    width=st.integers(1, 6),
    batch=st.integers(1, 5),
    fidelity=st.sampled_from(FIDELITIES),
    seed=st.integers(0, 100),
)
def test_any_composition(layers: list[str], width: int, batch: int, fidelity: str, seed: int) -> None:
    def function(params: list[Array], x: Array) -> Array:
        for layer, w in zip(layers, params, strict=True):
            if layer == "dense":
                x = jnp.clip(x @ w, -3, 3)
            elif layer == "relu":
                x = jax.nn.relu(x)
            elif layer == "square":
                x = jnp.clip(x * x, -3, 3)
            elif layer == "scan":
                x = lax.scan(lambda x, _, w=w: (jnp.clip(x @ w, -2, 2), None), x, length=3)[0]
            else:
                kernel = jnp.stack([w, w + 1, w - 1])
                y = lax.conv_general_dilated(x[None], kernel, (1,), "SAME", dimension_numbers=("NWC", "WIO", "NWC"))
                x = jnp.clip(y[0], -3, 3)
        return x.sum()

    params = [weights(width, width, seed=seed + index) for index in range(len(layers))]
    x = jnp.asarray(sparse_integers(seed, batch, width))
    gradient = jax.value_and_grad(function, (0, 1))
    out, tally = jax.jit(emulate_function(gradient, Emulation(ARRAY, fidelity=fidelity)))(params, x)
    assert_equal(out, gradient(params, x))
    expected_forward: list[Counters] = []
    expected_backward: list[Counters] = []
    for layer in layers:
        gemms = {
            "dense": [Gemm(batch, width, width)],
            "scan": [Gemm(batch, width, width)] * 3,
            "conv": [Gemm(batch, 3 * width, width)],
        }.get(layer, [])
        expected_forward += [count_forward(gemm, ARRAY) for gemm in gemms]
        expected_backward += [count(gemm, ARRAY) for gemm in gemms]
    assert shape_counts(tally.forward) == closed_form(*expected_forward)
    assert shape_counts(tally.backward) == closed_form(*expected_backward)
