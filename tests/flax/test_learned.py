"""Parameters that layers have for their estimators: where a model has them, how they are trained."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array

from jaxgrad import Accelerator, Emulation
from jaxgrad.flax import Learned, Rule, put_on_array, value_and_grad
from jaxgrad.quantization import quantized
from tests.quantization import truth
from tests.refusals import Refusal, assert_refused

EMULATION = Emulation(Accelerator(3, 4))
W1A4 = quantized(1, 4)
INPUTS = jax.random.uniform(jax.random.key(0), (3, 4))


class Scale(nnx.Module):
    """A module that multiplies by itself."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.kernel = nnx.Param(jax.random.normal(rngs.params(), (6, 3)))

    def __call__(self, x: Array) -> Array:
        return x @ self.kernel


class Net(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.first = nnx.Linear(4, 6, rngs=rngs)
        self.norm = nnx.LayerNorm(6, rngs=rngs)
        self.twice = nnx.Linear(6, 6, rngs=rngs)
        self.last = Scale(rngs)

    def __call__(self, x: Array) -> Array:
        x = nnx.relu(self.norm(self.first(x)))
        for _ in range(2):
            x = nnx.relu(self.twice(x) + 0.1)
        return self.last(x)


def squares(model: Any, x: Array) -> Array:
    return (model(x) ** 2).mean()


def net(*rules: Rule) -> Net:
    return put_on_array(Net(nnx.Rngs(0)), [*rules, Rule("*", EMULATION, W1A4)])


def resolutions(state: Any) -> dict[str, Array]:
    return {path: named["resolution"][...] for path, named in state["_on_array"]["parameters"].items()}


def by_hand(params: Any, resolutions: dict[str, Array], x: Array) -> Array:
    def dot(layer: str, x: Array, w: Array) -> Array:
        return jnp.matmul(*truth.operands(x, w, resolutions[layer], W1A4))

    norm = Net(nnx.Rngs(0)).norm
    x = nnx.relu(norm(dot("first", x, params["first"]["kernel"][...]) + params["first"]["bias"][...]))
    for _ in range(2):
        x = nnx.relu(dot("twice", x, params["twice"]["kernel"][...]) + params["twice"]["bias"][...] + 0.1)
    return (dot("last", x, params["last"]["kernel"][...]) ** 2).mean()


def test_layers_have_one_each_and_gradients_are_those_of_plain_jax() -> None:
    """That of a layer that is called twice is one; a norm and a container have none."""
    model = net()
    params = nnx.state(model, nnx.Param)
    assert set(resolutions(params)) == {"first", "twice", "last"}
    assert len(nnx.to_flat_state(nnx.state(model, Learned))) == 3
    loss, expected = jax.value_and_grad(by_hand, (0, 1))(params, resolutions(params), INPUTS)
    kernels = ("first", "twice", "last")
    for value, grads in (
        nnx.jit(value_and_grad(squares))(model, INPUTS)[:2],
        nnx.jit(nnx.value_and_grad(squares))(model, INPUTS),  # a step written by hand
    ):
        truth.assert_close((value, resolutions(grads)), (loss, expected[1]))
        for layer in kernels:
            truth.assert_close(grads[layer]["kernel"][...], expected[0][layer]["kernel"][...])
    assert all(np.abs(gradient) > 0 for gradient in expected[1].values())


def test_optimizers_of_parameters_train_them_and_other_rules_keep_them() -> None:
    model = net(Rule("first", EMULATION))
    optimizer = nnx.Optimizer(model, optax.sgd(1e-3), wrt=nnx.Param)
    before = resolutions(nnx.state(model))
    optimizer.update(model, nnx.jit(value_and_grad(squares))(model, INPUTS)[1])
    after = resolutions(nnx.state(model))
    assert set(before) == {"twice", "last"}
    assert all(after[path] != before[path] for path in before)
    put_on_array(model, [Rule("last", EMULATION, quantized(1, 2)), Rule("*", Emulation(Accelerator(2, 2)), W1A4)])
    again = resolutions(nnx.state(model))
    assert again["twice"] == after["twice"]
    np.testing.assert_allclose([again["first"], again["last"]], [0.1946, 0.6511])


def test_frozen_resolutions_have_no_gradient() -> None:
    model = put_on_array(nnx.Linear(4, 6, rngs=nnx.Rngs(0)), [Rule("*", EMULATION, W1A4)])
    weights = nnx.All(nnx.Param, lambda path, value: not isinstance(value, Learned))
    _, grads, counters = value_and_grad(squares, wrt=weights)(model, INPUTS)
    assert set(grads) == {"kernel", "bias"}
    assert counters["model"].backward.as_dict()["macs"] == 3 * 4 * 6
    _, _, trained = value_and_grad(squares)(model, INPUTS)
    assert trained["model"].backward.as_dict()["macs"] == 2 * 3 * 4 * 6


def test_several_models_in_one_have_their_own() -> None:
    @nnx.vmap(in_axes=0)
    def make(seed: Array) -> nnx.Linear:
        return nnx.Linear(4, 6, rngs=nnx.Rngs(seed))

    model = put_on_array(make(jax.random.split(jax.random.key(0), 2)), [Rule("*", EMULATION, W1A4)])
    (variable,) = nnx.state(model, Learned)["_on_array"]["parameters"]["model"].values()
    assert variable[...].shape == (2,)
    grads = nnx.vmap(nnx.grad(squares), in_axes=(0, None))(model, INPUTS)
    gradient = grads["_on_array"]["parameters"]["model"]["resolution"][...]
    assert gradient[0] != gradient[1]


def test_a_part_by_itself_has_none() -> None:
    model = net()
    assert_refused(Refusal(lambda: model.first(INPUTS), "parameters", "no resolution for first", "call the model"))
