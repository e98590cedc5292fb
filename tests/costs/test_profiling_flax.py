"""Profiles of models: the records of their layers, and the counts of the array."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import optax
import pytest
from flax import nnx
from jax import Array

import jaxgrad_models
from jaxgrad import Accelerator, Counters, Emulation, Gemm
from jaxgrad.array.counts import EFFECTUAL_MACS, Key
from jaxgrad.costs import step_cost
from jaxgrad.costs.profiling import profile
from jaxgrad.flax import layer_gemms, put_on_array, step_gemms, value_and_grad
from jaxgrad.programs import LayerGemm
from jaxgrad_models.resnet import ResNet
from jaxgrad_models.vit import ViT

EMULATION = Emulation(Accelerator(3, 4))
SLOW = pytest.mark.slow
DEEP = (
    *("resnet50", "resnet101", "resnet152", "densenet121", "densenet169", "densenet201", "densenet264", "resnet110"),
    *("inception-v4", "googlenet", "resnet44", "resnet56", "vit-small", "vgg16", "vgg11", "resnet34", "resnet32"),
)


class Block(nnx.Module):
    """A transformer's: attention of two heads, written out, and a perceptron, both around residuals."""

    def __init__(self, rngs: nnx.Rngs, width: int = 8, heads: int = 2) -> None:
        self.heads = heads
        self.norms = nnx.List([nnx.LayerNorm(width, rngs=rngs) for _ in range(2)])
        self.qkv = nnx.Linear(width, 3 * width, rngs=rngs)
        self.out = nnx.Linear(width, width, rngs=rngs)
        self.up = nnx.Linear(width, 4 * width, rngs=rngs)
        self.down = nnx.Linear(4 * width, width, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        batch, length, width = x.shape
        q, k, v = jnp.split(self.qkv(self.norms[0](x)).reshape(batch, length, self.heads, -1), 3, axis=-1)
        scores = jax.nn.softmax(jnp.einsum("bqhd,bkhd->bhqk", q, k), axis=-1)
        x = x + self.out(jnp.einsum("bhqk,bkhd->bqhd", scores, v).reshape(batch, length, width))
        return x + self.down(jax.nn.gelu(self.up(self.norms[1](x))))


class Mixer(nnx.Module):
    """An MLP-mixer's block: a perceptron over the tokens, another over the channels."""

    def __init__(self, rngs: nnx.Rngs, tokens: int = 5, width: int = 8) -> None:
        self.norms = nnx.List([nnx.LayerNorm(width, rngs=rngs) for _ in range(2)])
        self.tokens = nnx.List([nnx.Linear(tokens, 7, rngs=rngs), nnx.Linear(7, tokens, rngs=rngs)])
        self.channels = nnx.List([nnx.Linear(width, 9, rngs=rngs), nnx.Linear(9, width, rngs=rngs)])

    def __call__(self, x: Array) -> Array:
        mixed = self.tokens[1](jax.nn.gelu(self.tokens[0](self.norms[0](x).swapaxes(1, 2)))).swapaxes(1, 2)
        x = x + mixed
        return x + self.channels[1](jax.nn.gelu(self.channels[0](self.norms[1](x))))


class Recurrent(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.rnn = nnx.RNN(nnx.OptimizedLSTMCell(8, 6, rngs=rngs))
        self.head = nnx.Linear(6, 3, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        hidden: Any = self.rnn(x)
        return self.head(hidden)


class Again(nnx.Module):
    """Two blocks of which the first is run anew for the backward pass."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.first, self.second = Mixer(rngs), Mixer(rngs)

    def __call__(self, x: Array) -> Array:
        return self.second(nnx.remat(lambda block, x: block(x))(self.first, x))


TOKENS = (2, 5, 8)
SMALL: dict[str, tuple[Callable[[nnx.Rngs], nnx.Module], tuple[int, ...]]] = {
    "mlp": (lambda rngs: jaxgrad_models.build("mlp", input_shape=(4, 4, 1), classes=3, rngs=rngs), (2, 4, 4, 1)),
    "lenet": (lambda rngs: jaxgrad_models.build("lenet", input_shape=(8, 8, 1), classes=3, rngs=rngs), (2, 8, 8, 1)),
    "resnet8": (lambda rngs: ResNet((8, 8, 3), 3, blocks=1, rngs=rngs), (2, 8, 8, 3)),
    "mixer": (Mixer, TOKENS),
    "lstm": (Recurrent, TOKENS),
    "remat": (Again, TOKENS),
    "transformer": (Block, TOKENS),
    "vit": (lambda rngs: ViT((8, 8, 3), 3, width=6, heads=2, depth=1, patch=4, rngs=rngs), (2, 8, 8, 3)),
}


def loss_of(model: Any, x: Array) -> Array:
    return (model(x) ** 2).sum()


def bag(gemms: list[LayerGemm]) -> Counter[LayerGemm]:
    return Counter(replace(gemm, path="") for gemm in gemms)


def totals(cost: Any, schedule: str) -> tuple[dict[Key, int], dict[Key, int]]:
    counts = cost.total_forward(), cost.total(schedule)
    return tuple({key: own for key, own in each.items() if key != EFFECTUAL_MACS} for each in counts)  # pyright: ignore[reportReturnType]  # two of two


@pytest.mark.parametrize("name", SMALL)
def test_totals_are_those_of_the_array(name: str) -> None:
    make, shape = SMALL[name]
    x = jax.random.normal(jax.random.key(1), shape)
    plain, model = make(nnx.Rngs(0)), make(nnx.Rngs(0))
    own = profile(nnx.value_and_grad(loss_of), plain, x)
    put_on_array(model, EMULATION)
    _, _, counters = nnx.jit(value_and_grad(loss_of))(model, x)
    forward = sum((layer.forward for layer in counters.values()), start=Counters.zero()).counts()
    backward = sum((layer.backward for layer in counters.values()), start=Counters.zero()).counts()
    del forward[EFFECTUAL_MACS], backward[EFFECTUAL_MACS]
    assert totals(step_cost(own.gemms, EMULATION), "interleaved") == (forward, backward)
    layers = [gemm for gemm in own.gemms if gemm.weights]
    assert bag(layers) == bag(layer_gemms(plain, x))
    assert {gemm.path for gemm in own.gemms} == {label.partition("#")[0] for label in counters}
    # A block's scores and mixed values, for each image and head.
    assert len(own.gemms) - len(layers) == {"transformer": 2, "vit": 2}.get(name, 0)
    assert own.notes == []


def test_attention_s_own_products_have_both_gradients() -> None:
    own = profile(nnx.grad(loss_of), Block(nnx.Rngs(0)), jnp.ones(TOKENS))
    scores = LayerGemm("", Gemm(5, 4, 5), 4, needs_dx=True, weights=False)
    mixed = LayerGemm("", Gemm(5, 5, 4), 4, needs_dx=True, weights=False)
    layers = layer_gemms(Block(nnx.Rngs(0)), jnp.ones(TOKENS))
    swapped = LayerGemm("", Gemm(4, 5, 5), 4, needs_dx=True, weights=False)  # einsum puts either operand first
    extra = bag(own.gemms) - bag(layers)
    assert extra in (Counter([scores, mixed]), Counter([scores, swapped]))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(own, marks=SLOW if own in DEEP else ())
        for own in (*jaxgrad_models.MODELS, *jaxgrad_models.PAPERS)
        if own not in jaxgrad_models.TEXT
    ],
)
def test_every_model_s_records(name: str) -> None:
    shape = jaxgrad_models.INPUT_SHAPES.get(name, (8, 8, 1))
    model: Any = jaxgrad_models.abstract(name, input_shape=shape)
    images = jax.ShapeDtypeStruct((2, *shape), jnp.float32)
    graph, params, rest = nnx.split(model, nnx.Param, ...)

    def step(params: nnx.State, rest: nnx.State, images: Array) -> Any:
        def loss(params: nnx.State) -> Array:
            own: Any = nnx.merge(graph, params, rest, copy=True)
            own.eval()
            return optax.softmax_cross_entropy_with_integer_labels(own(images), jnp.zeros(2, int)).mean()

        gradients = jax.grad(loss)(params)
        return jax.tree.map(lambda weight, gradient: weight - 0.1 * gradient, params, gradients)

    own = profile(step, params, rest, images)
    every = step_gemms(model, images)
    layers = [gemm for gemm in every if gemm.weights]
    attention = [gemm for gemm in every if gemm.path.endswith(".attention")]
    assert [gemm for gemm in every if gemm not in attention] == layers
    assert len(attention) == (24 if name.startswith("vit") else 0)
    wanted = bag(layers)
    found = bag(own.gemms)
    assert wanted <= found
    between_activations = found - wanted
    if not name.startswith("vit"):
        assert not between_activations
    assert all(gemm.needs_dx and gemm.needs_dw for gemm in between_activations)
    assert totals(own.cost(EMULATION), "sequential") == totals(step_cost(own.gemms, EMULATION), "sequential")
    assert own.notes == []
