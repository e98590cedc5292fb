"""Losses: the cross-entropy and its smoothed form, by their formulas, for labels of any shape."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from jaxgrad.array.emulation import Emulation
from jaxgrad.flax import put_on_array
from jaxgrad.hardware import Accelerator
from jaxgrad.training import losses
from jaxgrad.training.step import trainer

LOGITS = jax.random.normal(jax.random.key(0), (5, 2, 4)) * 3
LABELS = jax.random.randint(jax.random.key(1), (5, 2), 0, 4)


def test_without_smoothing_it_is_the_plain_loss_bit_for_bit() -> None:
    plain = optax.softmax_cross_entropy_with_integer_labels(LOGITS, LABELS)
    assert np.asarray(losses.smoothed(0.0)(LOGITS, LABELS)).tobytes() == np.asarray(plain).tobytes()


@pytest.mark.parametrize("share", [0.1, 0.9])
def test_smoothing_spreads_a_share_over_all_classes(share: float) -> None:
    logarithms = np.asarray(jax.nn.log_softmax(LOGITS.astype(jnp.float32)), np.float64)
    own = np.take_along_axis(logarithms, np.asarray(LABELS)[..., None], -1)[..., 0]
    expected = -(1 - share) * own - share * logarithms.mean(-1)
    np.testing.assert_allclose(losses.smoothed(share)(LOGITS, LABELS), expected, rtol=1e-5)


def test_halves_are_summed_in_float32() -> None:
    half = LOGITS.astype(jnp.bfloat16)
    for loss in (losses.cross_entropy, losses.smoothed(0.1)):
        of_halves = loss(half, LABELS)
        assert of_halves.dtype == jnp.float32
        np.testing.assert_array_equal(of_halves, loss(half.astype(jnp.float32), LABELS))


class Taps(nnx.Module):
    """Logits for each of two places of an image."""

    def __init__(self) -> None:
        self.head = nnx.Linear(3, 8, rngs=nnx.Rngs(0))

    def __call__(self, images: jax.Array) -> jax.Array:
        return self.head(images.reshape(len(images), -1)).reshape(-1, 2, 4)


def test_a_step_trains_on_the_smoothed_loss_of_all_labels_and_tests_the_plain_one() -> None:
    """Two labels an image: both count, in the means too; an image that is left out leaves out both of its own."""
    images = np.asarray(jax.random.normal(jax.random.key(2), (5, 1, 1, 3)))
    model = put_on_array(Taps(), Emulation(Accelerator(2, 2)))
    trained = trainer(model, optax.sgd(0.5), images, LABELS, loss=losses.smoothed(0.25))

    def objective(model: Taps) -> jax.Array:
        certain = jax.nn.one_hot(LABELS, 4) * 0.75 + 0.25 / 4
        return -(certain * jax.nn.log_softmax(model(jnp.asarray(images)))).sum(-1).mean()

    value, gradients = nnx.value_and_grad(objective)(Taps())
    state = trained.step(trained.initial, images, LABELS)
    expected = jax.tree.map(lambda old, slope: old - 0.5 * slope, nnx.state(Taps(), nnx.Param), gradients)
    for got, wanted in zip(jax.tree.leaves(state.params), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-6)
    assert state.sums.means()[0] == pytest.approx(float(value), rel=1e-5)
    assert int(state.sums.images) == 10
    counted = np.array([True, True, False, True, False])
    tested = trained.evaluate(trained.initial, images, LABELS, counted)
    plain = losses.cross_entropy(Taps()(jnp.asarray(images)), LABELS)
    assert int(tested.images) == 6
    assert float(tested.loss) == pytest.approx(float(plain[counted].sum()), rel=1e-5)
