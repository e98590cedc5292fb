"""Plain JAX functions as networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx

from jaxgrad.base.errors import InputError
from jaxgrad.flax import parameter_words, step_gemms
from jaxgrad.networks.functions import Constant, FunctionNetwork
from jaxgrad.networks.network import resolve
from tests.networks import own

IMAGES = jnp.asarray(np.random.default_rng(0).normal(size=(5, 2, 2, 1)), jnp.float32)
CODE = """
import jax


def net(params, images):
    return images.reshape(len(images), -1) @ params


def bare(params, images):
    return images


def needy(params, images):
    return images


def draw(key, classes, *, scale=1.0):
    return scale * jax.random.normal(key, (4, classes))


net.init, net.input_shape, net.classes = draw, (2, 2, 1), 3
needy.init = lambda key, depth: None
"""


def test_parameters_are_its_init_s_by_the_seed(tmp_path: Path) -> None:
    network = resolve(f"{own.write(tmp_path, CODE)}:net")
    assert (network.input_shape, network.classes, network.options) == ((2, 2, 1), 3, ("scale",))
    one, again, other = (network.build(rngs=nnx.Rngs(seed)) for seed in (1, 1, 2))
    twice = network.build(rngs=nnx.Rngs(1), scale=2.0)
    values: list[Any] = [np.asarray(jax.tree.leaves(nnx.state(model))[0]) for model in (one, again, twice, other)]
    np.testing.assert_array_equal(values[0], values[1])
    np.testing.assert_array_equal(2 * values[0], values[2])
    assert not np.array_equal(values[0], values[3])
    np.testing.assert_allclose(one(IMAGES), IMAGES.reshape(5, 4) @ values[0], rtol=1e-5)  # pyright: ignore[reportCallIssue]


def layered(params: Any, images: jax.Array) -> jax.Array:
    x = images.reshape(len(images), -1)
    for weights, bias in params["layers"]:
        x = jax.nn.relu(x @ weights.T + bias)
    with jax.named_scope("gram"):
        x = x @ (x.T @ x)
    return x @ params["kernel"] * params["times"]


PARAMS = {
    "layers": [(jnp.ones((3, 4)), jnp.ones(3)), (jnp.ones((2, 3)), jnp.ones(2))],
    "kernel": jnp.ones((2, 3)),
    "times": jnp.array(2),
}


def test_layers_are_where_parameters_are_or_have_their_scopes() -> None:
    model = FunctionNetwork(layered, PARAMS)
    paths = [gemm.path for gemm in step_gemms(model, IMAGES)]
    assert paths == ["layers.0", "layers.1", "gram", "gram", "kernel"]
    assert list(parameter_words(model)) == ["kernel", "layers.0.0", "layers.0.1", "layers.1.0", "layers.1.1"]
    np.testing.assert_allclose(model(IMAGES), layered(PARAMS, IMAGES), rtol=1e-6)


def test_a_module_of_linen_comes_in_as_a_function() -> None:
    net: Any = linen.Sequential([linen.Conv(2, (2, 2)), linen.relu, lambda x: x.reshape(len(x), -1), linen.Dense(3)])
    params = net.init(jax.random.key(0), IMAGES)
    model = FunctionNetwork(net.apply, params)
    np.testing.assert_allclose(model(IMAGES), net.apply(params, IMAGES), rtol=1e-5)
    places = [gemm.path for gemm in step_gemms(model, IMAGES)]
    assert places == ["params.layers_0", "params.layers_3"]
    assert list(parameter_words(model)) == [f"{place}.{name}" for place in places for name in ("bias", "kernel")]


def test_what_is_no_float_is_not_trained() -> None:
    model = FunctionNetwork(layered, PARAMS)
    assert nnx.to_flat_state(nnx.state(model, Constant)).paths == (("times",),)
    assert len(nnx.to_flat_state(nnx.state(model, nnx.Param))) == 5


@pytest.mark.parametrize(
    ("params", "place", "name"),
    [
        ((jnp.ones((4, 3)),), "params", "params.0"),
        (jnp.ones((4, 3)), "params", "params"),
        ({"whole": {"w": jnp.ones((4, 3))}}, "params.whole", "params.whole.w"),
        ({1: jnp.ones((4, 3))}, "params", "params.1"),
    ],
)
def test_parameters_are_any_pytree(params: Any, place: str, name: str) -> None:
    """Also one whose entries can't be attributes; names are where the parameters are."""
    model = FunctionNetwork(lambda tree, images: images.reshape(len(images), -1) @ jax.tree.leaves(tree)[0], params)
    np.testing.assert_allclose(model(IMAGES), IMAGES.reshape(5, 4) @ jnp.ones((4, 3)), rtol=1e-5)
    (gemm,) = step_gemms(model, IMAGES)
    assert (gemm.path, list(parameter_words(model))) == (place, [name])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "bare",
            "which also needs params and images; have it need at most input_shape, classes and rngs; a ",
        ),
        ("needy", "whose init also needs depth; have it need at most input_shape, classes, rngs and key"),
    ],
)
def test_without_an_init_that_can_be_called_it_is_none(tmp_path: Path, name: str, message: str) -> None:
    reference = f"{own.write(tmp_path, CODE)}:{name}"
    with pytest.raises(InputError) as refused:
        resolve(reference)
    assert str(refused.value).startswith(f"model: got '{reference}', {message}")
