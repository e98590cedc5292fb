"""jaxgrad_models.irnn: a recurrence over the rows of an image, on the array too."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from jaxgrad import Accelerator, Emulation, Gemm, count, count_forward
from jaxgrad.flax import put_on_array, value_and_grad
from jaxgrad_models import build
from jaxgrad_models.irnn import IRNN

ROWS, WIDTH, HIDDEN, CLASSES, BATCH = 3, 4, 5, 2, 2
ARRAY = Accelerator(3, 4)


def small(seed: int = 0) -> IRNN:
    """With weights of its input that are large enough to matter."""
    model = IRNN((ROWS, WIDTH, 1), CLASSES, units=HIDDEN, rngs=nnx.Rngs(seed))
    model.projection.kernel[...] = jax.random.normal(jax.random.key(seed), (WIDTH, HIDDEN))
    return model


def images() -> jax.Array:
    return jax.random.normal(jax.random.key(7), (BATCH, ROWS, WIDTH, 1))


def loss(model: nnx.Module, x: jax.Array) -> jax.Array:
    return (model(x) ** 2).sum()


def test_it_begins_as_the_paper_says() -> None:
    model = IRNN((28, 28, 3), 10, rngs=nnx.Rngs(0))
    assert np.array_equal(model.recurrent.kernel[...], np.eye(100))
    assert model.recurrent.bias is None
    assert not any(jnp.any(leaf) for leaf in jax.tree.leaves(model.projection.bias))
    assert model.projection.kernel.shape == (28 * 3, 100)
    assert float(model.projection.kernel[...].std()) == pytest.approx(0.001, rel=0.05)


def test_it_reads_rows_from_the_top() -> None:
    """Step by step in numpy, with a recurrence that is no longer the identity."""
    model = small()
    model.recurrent.kernel[...] = jax.random.normal(jax.random.key(3), (HIDDEN, HIDDEN))
    state = np.zeros((BATCH, HIDDEN))
    for row in np.moveaxis(np.asarray(images())[..., 0], 1, 0):
        state = np.maximum(
            0, row @ np.asarray(model.projection.kernel[...]) + state @ np.asarray(model.recurrent.kernel[...])
        )
    expected = state @ np.asarray(model.head.kernel[...]) + np.asarray(model.head.bias[...])  # pyright: ignore[reportOptionalSubscript]  # it has one
    np.testing.assert_allclose(model(images()), expected, rtol=1e-4, atol=1e-5)


def test_a_step_has_the_same_gradients_and_all_rounds_counters_at_every_fidelity() -> None:
    expected, gradients = nnx.value_and_grad(loss)(small(), images())
    counted = []
    for fidelity in ("native", "tile", "register"):
        model = put_on_array(small(), Emulation(ARRAY, "interleaved", fidelity=fidelity))
        value, grads, counters = nnx.jit(value_and_grad(loss))(model, images())
        np.testing.assert_allclose(value, expected, rtol=1e-4)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4), grads, gradients)
        counted.append({path: (own.forward.as_dict(), own.backward.as_dict()) for path, own in counters.items()})
    assert counted[0] == counted[1] == counted[2]
    recurrent, into = Gemm(BATCH, HIDDEN, HIDDEN), Gemm(BATCH, WIDTH, HIDDEN)
    for path, forward, backward in (
        ("recurrent", count_forward(recurrent, ARRAY), count(recurrent, ARRAY, "interleaved")),
        ("projection", count_forward(into, ARRAY), count(into, ARRAY, "interleaved", dx=False)),
    ):
        for got, one in zip(counted[0][path], (forward, backward), strict=True):
            whole = one.times(ROWS).as_dict()
            assert {**got, "effectual_macs": 0} == {**whole, "effectual_macs": 0}


def test_the_loss_goes_down() -> None:
    """By Adam, and not at once: the input's weights begin near 0, and the recurrence makes plain SGD diverge."""
    model = build("irnn", input_shape=(8, 8, 1), classes=4, rngs=nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, optax.adam(0.01), wrt=nnx.Param)
    labels = jnp.arange(16) % 4
    x = jax.random.uniform(jax.random.key(1), (16, 8, 8, 1)) + jax.nn.one_hot(labels, 8)[:, None, :, None]

    @nnx.jit
    def step(model: nnx.Module, optimizer: nnx.Optimizer) -> jax.Array:
        def loss(model: nnx.Module) -> jax.Array:
            return optax.softmax_cross_entropy_with_integer_labels(model(x), labels).mean()

        value, gradients = nnx.value_and_grad(loss)(model)
        optimizer.update(model, gradients)
        return value

    losses = [float(step(model, optimizer)) for _ in range(60)]
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("units", [0, True])
def test_bad_sizes_are_refused(units: object) -> None:
    with pytest.raises(ValueError, match=f"units: got {units}; give a whole number of at least 1"):
        IRNN((8, 8, 1), 10, units=units, rngs=nnx.Rngs(0))  # pyright: ignore[reportArgumentType]  # bad on purpose


def test_it_has_a_name() -> None:
    model = build("irnn", input_shape=(8, 8, 1), classes=3, rngs=nnx.Rngs(0))
    assert isinstance(model, IRNN)
    assert model(jnp.ones((2, 8, 8, 1))).shape == (2, 3)
