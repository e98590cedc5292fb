from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax import Array, lax

from jaxgrad import Accelerator, Emulation, Gemm, count, count_forward
from jaxgrad.flax.linen import new_taps, on_array, read_counters

ARRAY = Accelerator(3, 4)
ATTENTION = "MultiHeadDotProductAttention"


class Step(nn.Module):
    @nn.compact
    def __call__(self, x: Array, _: None) -> tuple[Array, None]:
        return nn.tanh(nn.Dense(5)(x)), None


class Network(nn.Module):
    """Layers of all kinds that are emulated, plain, shared, scanned and rematerialised."""

    @nn.compact
    def __call__(self, images: Array) -> Array:
        x = nn.Conv(4, (3, 3), strides=2)(images)
        x = nn.relu(nn.BatchNorm(use_running_average=False)(x)).reshape(len(images), -1)
        x = nn.tanh(nn.Dense(5)(x))
        shared = nn.Dense(5, name="shared")
        x = shared(nn.tanh(shared(x)))
        steps: Any = nn.scan(Step, variable_axes={"params": 0}, split_rngs={"params": True}, length=3)
        x, _ = steps()(x, None)
        x = nn.tanh(nn.remat(nn.Dense)(5)(x))
        return nn.DenseGeneral((2, 3), axis=-1)(x)


class Others(nn.Module):
    """Layers of other kinds."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        x = nn.ConvTranspose(2, (3,))(x)
        x = nn.Conv(2, (3,), input_dilation=2, padding=[(1, 1)])(x)
        x = nn.Dense(2, dot_general=lambda *args, **_: lax.dot_general(*args[:3]))(x)
        x = nn.Einsum((2, 4), "...a,ab->...b")(x)
        x = nn.MultiHeadDotProductAttention(num_heads=2)(x)
        return nn.Conv(3, (3,), input_dilation=(1,), name="plain")(x)


IMAGES = jax.random.normal(jax.random.key(0), (2, 6, 6, 3))


def without_data(counts: dict[str, int]) -> dict[str, int]:
    return {name: number for name, number in counts.items() if name != "effectual_macs"}


def loss(params: Any, taps: Any, variables: Any, emulation: Emulation | None) -> Array:
    def apply() -> Array:
        return Network().apply({**variables, "params": params}, IMAGES, mutable=["batch_stats"])[0]

    if emulation is None:
        return (apply() ** 2).sum()
    with on_array(emulation, taps):
        return (apply() ** 2).sum()


@pytest.mark.parametrize("fidelity", ["native", "tile"])
def test_gradients_are_the_plain_ones_and_every_layer_counts(fidelity: str) -> None:
    variables = Network().init(jax.random.key(1), IMAGES)
    taps = new_taps(Network(), variables, IMAGES, mutable=["batch_stats"])
    run = jax.jit(jax.grad(loss, (0, 1)), static_argnums=3)
    grads, cotangents = run(variables["params"], taps, variables, Emulation(ARRAY, fidelity=fidelity))
    expected, _ = run(variables["params"], taps, variables, None)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=1e-4), grads, expected)

    gemms = {
        "Conv_0": (Gemm(2 * 3 * 3, 3 * 3 * 3, 4), 1),
        "Dense_0": (Gemm(2, 3 * 3 * 4, 5), 1),
        "shared": (Gemm(2, 5, 5), 2),
        "ScanStep_0.Dense_0": (Gemm(2, 5, 5), 3),
        "CheckpointDense_0": (Gemm(2, 5, 5), 1),
        "DenseGeneral_0": (Gemm(2, 5, 6), 1),
    }
    counters = read_counters(cotangents)
    assert set(counters) == set(gemms)
    for path, (gemm, times) in gemms.items():
        forward, backward = counters[path].forward.as_dict(), counters[path].backward.as_dict()
        assert without_data(forward) == without_data(count_forward(gemm, ARRAY).times(times).as_dict())
        dense = count(gemm, ARRAY, dx=path != "Conv_0").times(times).as_dict()
        assert without_data(backward) == without_data(dense)
        assert 0 < backward["effectual_macs"] <= backward["macs"]


def test_layers_of_other_kinds() -> None:
    x = jnp.ones((2, 4, 2))
    variables = Others().init(jax.random.key(0), x)
    taps = new_taps(Others(), variables, x)
    inside = [f"{ATTENTION}_0{name}" for name in (".query", ".key", ".value", "#1", "#2", ".out")]
    assert set(taps) == {"ConvTranspose_0", "Conv_0", "Dense_0", "Einsum_0", *inside, "plain"}
    with on_array(Emulation(ARRAY), taps):
        out: Any = Others().apply(variables, x)
    plain: Any = Others().apply(variables, x)
    np.testing.assert_allclose(out, plain, rtol=1e-5)


def test_what_is_left_is_named_in_one_warning() -> None:
    class Factored(nn.Module):
        @nn.compact
        def __call__(self, x: Array) -> Array:
            return jnp.linalg.qr(nn.Dense(3)(x))[0]

    x = jnp.ones((4, 2))
    variables = Factored().init(jax.random.key(0), x)
    with pytest.warns(UserWarning, match=" qr left to XLA") as caught:
        assert set(new_taps(Factored(), variables, x)) == {"Dense_0"}
    assert len(caught) == 1


class Tied(nn.Module):
    """As FlaxBert has it: a head that is the embedding's table, products of its own, dropout and its random stream."""

    @nn.compact
    def __call__(self, ids: Array) -> Array:
        embed = nn.Embed(20, 6)
        x = nn.Dropout(0.5, deterministic=False)(embed(ids))
        scores = nn.softmax(x @ x.T)
        self.sow("intermediates", "scores", scores)
        return embed.attend(nn.Dense(6)(scores @ x))


def test_products_of_no_layer_count_and_state_comes_out() -> None:
    ids, streams = jnp.arange(5), {"dropout": jax.random.key(2)}
    variables = Tied().init({"params": jax.random.key(0), **streams}, ids)
    params = {"params": variables["params"]}
    taps = new_taps(Tied(), params, ids, rngs=streams)
    assert list(taps) == ["model#1", "model#2", "Dense_0", "Embed_0"]

    def apply(params: Any) -> tuple[Array, Any]:
        out, state = Tied().apply(params, ids, rngs=streams, mutable=["intermediates"])
        return (out**2).sum(), state

    def run(params: Any, taps: Any) -> tuple[Array, Any]:
        with on_array(Emulation(ARRAY, fidelity="tile"), taps):
            return apply(params)

    (value, state), (grads, cotangents) = jax.jit(jax.value_and_grad(run, (0, 1), has_aux=True))(params, taps)
    expected, gradients = jax.jit(jax.value_and_grad(apply, has_aux=True))(params)
    close = functools.partial(np.testing.assert_allclose, rtol=2e-4, atol=1e-4)
    jax.tree.map(close, ((value, state), grads), (expected, gradients))
    counters = read_counters(cotangents)
    macs = {path: tuple(phase.as_dict()["macs"] for phase in own) for path, own in counters.items()}
    assert macs == {"model#1": (150, 300), "model#2": (150, 300), "Dense_0": (180, 360), "Embed_0": (600, 1200)}


def test_a_layer_as_a_whole_model() -> None:
    x = jnp.ones((2, 4))
    variables = nn.Dense(3).init(jax.random.key(0), x)
    assert set(new_taps(nn.Dense(3), variables, x)) == {"model"}
