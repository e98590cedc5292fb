from __future__ import annotations

import warnings
from typing import Any

import jax
import jax.numpy as jnp
import optax
import pytest
from flax import nnx
from jax import Array

import jaxgrad_models
from jaxgrad.flax import layer_gemms, step_gemms, step_gemms_and_masks, step_work
from jaxgrad.programs import VectorWork
from tests.flax.models import MODELS, images


class Net(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.conv = nnx.Conv(2, 3, (3, 3), rngs=rngs)
        self.norm = nnx.BatchNorm(3, rngs=rngs)
        self.head = nnx.Linear(12, 5, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        x = nnx.relu(self.norm(self.conv(x)))
        x = nnx.max_pool(x, (2, 2), strides=(2, 2))
        return self.head(x.reshape(x.shape[0], -1))


def by_kind(vector: list[VectorWork]) -> dict[tuple[str, str, str], tuple[int, int, int]]:
    records = {(own.kind, own.phase, own.path): (own.operations, own.reads_words, own.writes_words) for own in vector}
    assert len(records) == len(vector)
    return records


def test_a_network_by_hand() -> None:
    """Seven images of 4x4 pixels to 3 channels: N = 336 elements of the map, pooled to 84; 5 logits each."""
    n, channels, pooled, logits = 7 * 4 * 4 * 3, 3, 7 * 2 * 2 * 3, 7 * 5
    work = step_work(Net(nnx.Rngs(0)), jnp.ones((7, 4, 4, 2)), optimizer=optax.sgd(0.1))
    records = by_kind(work.vector)
    # A bias: one addition an element, and its gradient the sum of dY's rows.
    assert records.pop(("bias", "forward", "conv")) == (n, n + channels, n)
    assert records.pop(("bias", "forward", "head")) == (logits, logits + 5, logits)
    assert records.pop(("bias", "backward", "conv")) == (n, n, channels)
    assert records.pop(("bias", "backward", "head")) == (logits, logits, 5)
    # ReLU: the maximum and, for the gradient, the comparison; then the selection by it, made anew from the input.
    assert records.pop(("activation", "forward", "model")) == (2 * n, n, n)
    assert records.pop(("activation", "backward", "model")) == (n, 2 * n, n)
    # Pooling: a comparison an element of each 2x2 window; back again, and one addition a window.
    assert records.pop(("pooling", "forward", "model")) == (4 * pooled, n, pooled)
    assert records.pop(("pooling", "backward", "model")) == (5 * pooled, n + pooled, n)
    # Batch normalisation, forward. First pass over x: square, its derivative 2x, and two sums. Second: x - mean, times
    # scale/deviation, plus bias. 7 an element; and some twenty of the channels' size (moments, running statistics).
    operations, reads, writes = records.pop(("normalisation", "forward", "norm"))
    assert 7 * n < operations < 7 * n + 24 * channels
    # x twice; two sums, scale and bias, two running statistics. y; two sums and two running statistics.
    assert (reads, writes) == (2 * n + 6 * channels, n + 4 * channels)
    # Backward. First pass over dy and x: sum of dy; (x - mean) dy and its sum; dy scale/deviation, negated, and its
    # sum. Second: that product plus the mean's share, plus 2x times the variance's share. 9 an element.
    operations, reads, writes = records.pop(("normalisation", "backward", "norm"))
    assert 9 * n < operations < 9 * n + 12 * channels
    assert 4 * n < reads < 4 * n + 12 * channels
    assert writes == n + 4 * channels  # dx, three sums, the gradient by the scale; that by the bias is one of the sums
    # The loss is small; SGD reads and writes every parameter, and reads its gradient; two operations each.
    assert records.pop(("loss", "forward", ""))[0] < 8 * logits
    assert records.pop(("loss", "backward", ""))[0] < 8 * logits
    parameters = 3 * 3 * 2 * 3 + 3 + 2 * 3 + 12 * 5 + 5
    assert records.pop(("update", "update", "")) == (2 * parameters, 2 * parameters, parameters)
    assert not records


@pytest.mark.parametrize(
    ("optimizer", "reads", "writes"),
    [(optax.sgd(0.1, momentum=0.9), 3, 2), (optax.adam(1e-3), 4, 3)],
)
def test_an_optimizer_reads_and_writes_each_of_its_moments_once(
    optimizer: optax.GradientTransformation, reads: int, writes: int
) -> None:
    model = nnx.Linear(40, 50, use_bias=False, rngs=nnx.Rngs(0))
    work = step_work(model, jnp.ones((2, 40)), optimizer=optimizer)
    (update,) = [own for own in work.vector if own.kind == "update"]
    # Adam's step count and its corrections are scalars.
    assert 0 <= update.reads_words - reads * 2000 <= 10
    assert 0 <= update.writes_words - writes * 2000 <= 10


def test_no_optimizer_no_update() -> None:
    work = step_work(nnx.Linear(4, 5, rngs=nnx.Rngs(0)), jnp.ones((2, 4)))
    assert "update" not in {own.phase for own in work.vector}


@pytest.mark.parametrize("name", MODELS)
def test_the_gemms_are_those_of_step_gemms(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model: Any = MODELS[name](nnx.Rngs(0))
        wanted = step_gemms(model, images())

        def total(out: Any) -> Array:
            return sum((leaf.sum() for leaf in jax.tree.leaves(out)), start=jnp.zeros(()))

        work = step_work(model, images(), loss=total)
    assert work.gemms == wanted
    assert all(own.operations >= 0 and own.reads_words >= 0 and own.writes_words >= 0 for own in work.vector)


def test_the_masks_are_those_of_step_gemms_and_masks() -> None:
    image = jax.ShapeDtypeStruct((2, 8, 8, 1), jnp.float32)
    model = jaxgrad_models.abstract("lenet", input_shape=(8, 8, 1))
    gemms, masks = step_gemms_and_masks(model, image)
    assert [mask.elements for mask in masks] == [2 * 8 * 8 * 6, 2 * 4 * 4 * 16, 2 * 120, 2 * 84]
    assert step_work(model, image).masks == masks
    assert gemms == step_gemms(model, image)


def test_the_model_is_left_as_it_is() -> None:
    model = Net(nnx.Rngs(0))
    before = nnx.graphdef(model), jax.tree.map(jnp.array, nnx.state(model))
    step_work(model, jnp.ones((2, 4, 4, 2)))
    assert nnx.graphdef(model) == before[0]
    assert jax.tree.all(jax.tree.map(jnp.array_equal, nnx.state(model), before[1]))


def test_a_paper_s_network_in_shapes() -> None:
    model = jaxgrad_models.abstract("resnet18")
    image = jax.ShapeDtypeStruct((4, 224, 224, 3), jnp.float32)
    work = step_work(model, image, optimizer=optax.sgd(0.1, momentum=0.9))
    assert work.gemms == layer_gemms(model, image)
    forward = dict.fromkeys(("normalisation", "activation", "residual", "pooling"), 0)
    for own in work.vector:
        if own.phase == "forward" and own.kind in forward:
            forward[own.kind] += own.operations
    # Elements of the maps at each resolution, of 64, 64, 128, 256 and 512 channels:
    stem, *stages = (4 * (112 >> level) ** 2 * 32 * (2 << max(level - 1, 0)) for level in range(5))
    # A norm after each convolution: the stem's, four a stage, and one on the way around of the last three.
    normed = stem + 4 * sum(stages) + sum(stages[1:])
    assert 7 * normed < forward["normalisation"] < 7.02 * normed
    assert forward["activation"] == 2 * (stem + 4 * sum(stages))
    assert forward["residual"] == 2 * sum(stages)
    # Windows of 3x3, and the mean of the last map.
    assert forward["pooling"] == 9 * stages[0] + stages[3] + 4 * 512
