from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
import pytest
from jax import Array, lax
from jax.extend.core import jaxpr_as_fun

from jaxgrad.programs import vector_work
from jaxgrad.programs.kinds import labelled

X = jnp.ones((4, 8))
MAP = jnp.ones((2, 4, 4, 3))


def kinds(function: Callable[..., Array], *args: Array) -> dict[str, int]:
    """Operations by kind."""
    found: dict[str, int] = {}
    for own in vector_work(labelled(jax.make_jaxpr(function)(*args))):
        found[own.kind] = found.get(own.kind, 0) + own.operations
    return {kind: operations for kind, operations in found.items() if operations}


@pytest.mark.parametrize(
    "activation",
    [jax.nn.relu, jax.nn.relu6, jax.nn.gelu, jax.nn.silu, jax.nn.elu, jax.nn.softplus, jnp.tanh, jax.nn.leaky_relu],
)
def test_activations_forward_and_backward(activation: Callable[[Array], Array]) -> None:
    assert set(kinds(activation, X)) == {"activation"}
    assert set(kinds(lambda x: activation(x.T).reshape(-1), X)) == {"activation"}


def test_exact_gelu_and_one_written_by_hand() -> None:
    assert set(kinds(lambda x: jax.nn.gelu(x, approximate=False), X)) == {"activation"}
    assert kinds(lambda x: jnp.maximum(x, 0), X) == {"activation": 32}


@pytest.mark.parametrize("function", [jax.nn.softmax, jax.nn.log_softmax])
def test_softmax(function: Callable[[Array], Array]) -> None:
    found = kinds(function, X)
    assert found.pop("softmax") >= 5 * 32 - 8
    assert sum(found.values()) <= 8  # of the rows' size


def test_sums_of_tensors_and_biases() -> None:
    assert kinds(lambda x, y: jnp.tanh(x) + jnp.tanh(y), X, X)["residual"] == 32
    assert kinds(lambda x, b: x @ x.T + b, X, jnp.ones(4)) == {"bias": 16}
    assert kinds(lambda x: x + 1, X) == {"other": 32}


def test_poolings() -> None:
    windows = ((1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    assert kinds(lambda x: lax.reduce_window(x, -jnp.inf, lax.max, *windows), MAP) == {"pooling": 96}
    assert kinds(lambda x: lax.reduce_window(x, 0.0, lax.add, *windows) / 4, MAP) == {"pooling": 96 + 24}
    assert kinds(lambda x: x.mean((1, 2)), MAP) == {"pooling": 96 + 6}


def test_a_name_reaches_into_loops_and_calls() -> None:
    def function(x: Array) -> Array:
        def step(x: Array, _: None) -> tuple[Array, None]:
            return jax.jit(lambda x: jax.nn.gelu(x))(x), None

        return lax.scan(step, x, None, length=3)[0]

    assert set(kinds(function, X)) == {"activation"}


def test_labels_change_no_value() -> None:
    def loss(x: Array) -> Array:
        return optax.softmax_cross_entropy_with_integer_labels(jax.nn.gelu(x) + x, jnp.arange(4)).mean()

    x = jnp.linspace(-1, 1, 32).reshape(4, 8)
    function = jaxpr_as_fun(labelled(jax.make_jaxpr(loss)(x)))
    assert jnp.array_equal(jax.grad(loss)(x), jax.grad(lambda x: function(x)[0])(x))
