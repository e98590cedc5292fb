"""All GEMMs of a step: layers as their marks have them, attention's own products as counted by hand."""

import warnings
from collections import Counter
from typing import Any

import jax
import jax.numpy as jnp
import optax
import pytest
from flax import nnx
from jax import Array

import jaxgrad_models
from jaxgrad.array.gemm import Gemm
from jaxgrad.costs.profiling import profile
from jaxgrad.flax import layer_gemms, step_gemms, step_work
from jaxgrad.programs import LayerGemm
from jaxgrad_models.vit import Block, ViT
from tests.experiments import recorded

DEEP = (
    "resnet110",
    "resnet101",
    "resnet152",
    "densenet121",
    "densenet169",
    "densenet201",
    "densenet264",
    "inception-v4",
)
NAMES = [
    pytest.param(own, marks=pytest.mark.slow if own in DEEP else ())
    for own in (*jaxgrad_models.MODELS, *jaxgrad_models.PAPERS)
    if own not in ("irnn", *jaxgrad_models.TEXT)
]
"""Networks of images, without a loop."""


def macs(gemms: list[LayerGemm]) -> tuple[int, int]:
    """Forward and backward."""
    one = [own.times * own.gemm.batch * own.gemm.in_features * own.gemm.out_features for own in gemms]
    gradients = [own.needs_dx + own.needs_dw for own in gemms]
    return sum(one), sum(own * times for own, times in zip(one, gradients, strict=True))


@pytest.mark.parametrize("name", ["lenet", "resnet20", "vit-tiny"])  # all of them: costs/test_profiling_flax.py
def test_networks_without_attention_have_their_layers_alone(name: str) -> None:
    shape = jaxgrad_models.INPUT_SHAPES.get(name, (8, 8, 1))
    model, images = jaxgrad_models.abstract(name, input_shape=shape), jax.ShapeDtypeStruct((2, *shape), jnp.float32)
    layers, found = layer_gemms(model, images), step_gemms(model, images)
    attention = [own for own in found if own.path.endswith(".attention")]
    assert [own for own in found if own not in attention] == layers
    assert len(attention) == (24 if name.startswith("vit") else 0)
    if name in recorded.NETWORKS:
        assert recorded.counted(found, batch=2) == recorded.counted(recorded.layers(name))


@pytest.mark.parametrize(("name", "heads"), [("vit-tiny", 3), ("vit-small", 6)])
def test_attention_s_macs_by_hand(name: str, heads: int) -> None:
    batch, tokens, width = 2, 14 * 14 + 1, 64
    model, images = jaxgrad_models.abstract(name), jax.ShapeDtypeStruct((batch, 224, 224, 3), jnp.float32)
    found = step_gemms(model, images)
    attention = [own for own in found if own.path.endswith(".attention")]
    forward = 12 * 2 * batch * heads * tokens * tokens * width
    assert macs(attention) == (forward, 2 * forward)
    assert [own.path for own in attention] == [f"blocks.{block}.attention" for block in range(12) for _ in range(2)]
    assert {own.recomputed for own in attention} == {0}
    assert step_work(model, images, optimizer=optax.sgd(0.1)).gemms == found


def test_the_order_is_that_of_the_computation() -> None:
    paths = [own.path for own in step_gemms(Block(6, 2, rngs=nnx.Rngs(0)), jnp.ones((2, 5, 6)))]
    layers = [f"attention.{name}" for name in ("query", "key", "value")]
    assert paths == [*layers, "attention", "attention", "attention.out", "dense1", "dense2"]


def test_a_profile_finds_the_same() -> None:
    model, images = ViT((8, 8, 3), 3, width=6, heads=2, depth=2, patch=4, rngs=nnx.Rngs(0)), jnp.ones((2, 8, 8, 3))
    own = profile(nnx.grad(lambda model, images: model(images).sum()), model, images)
    assert Counter(own.gemms) == Counter(step_gemms(model, images))


class Remat(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.block = Block(6, 2, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        return nnx.remat(lambda block, x: block(x))(self.block, x)


def test_what_checkpoint_runs_anew_is_no_other_product() -> None:
    model, x = Remat(nnx.Rngs(0)), jnp.ones((2, 5, 6))
    attention = [own for own in step_gemms(model, x) if own.path.endswith("attention")]
    # Scores are run anew for the softmax; so are the mixed values, which the projection's dW needs.
    assert macs(attention) == (2 * 2 * 2 * 25 * 3, 2 * 2 * 2 * 2 * 25 * 3)
    assert [own.recomputed for own in attention] == [4, 4]


class Bare(nnx.Module):
    """A layer, then a product with weights that is in no layer of Flax's."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.layer = nnx.Linear(4, 5, rngs=rngs)
        self.weights = nnx.Param(jnp.ones((5, 3)))

    def __call__(self, x: Array) -> Array:
        return jnp.tanh(self.layer(x)) @ self.weights[...]


def test_a_product_in_no_layer_counts_once_and_frozen_weights_have_no_gradient() -> None:
    bare, x = LayerGemm("model", Gemm(7, 5, 3), 1, needs_dx=True), jnp.ones((7, 4))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        assert step_gemms(Bare(nnx.Rngs(0)), x) == [LayerGemm("layer", Gemm(7, 4, 5), 1, needs_dx=False), bare]
        only: Any = nnx.PathContains("layer")
        (_, frozen) = step_gemms(Bare(nnx.Rngs(0)), x, wrt=nnx.All(nnx.Param, only))
    assert (frozen.needs_dx, frozen.needs_dw) == (True, False)
