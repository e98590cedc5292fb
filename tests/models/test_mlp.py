"""The perceptron's options: widths, and batch normalisation between a dense layer and its ReLU."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxgrad_models import build, options_of


def mlp(**options: object) -> Any:
    return build("mlp", input_shape=(2, 3, 1), classes=4, rngs=nnx.Rngs(0), **options)


def test_hidden_are_the_widths_of_the_layers() -> None:
    shapes = [
        layer.kernel.shape for _, layer in nnx.iter_modules(mlp(hidden=(5, 7, 3))) if isinstance(layer, nnx.Linear)
    ]
    assert sorted(shapes) == sorted([(6, 5), (5, 7), (7, 3), (3, 4)])


@pytest.mark.parametrize(("name", "variance"), [("he_normal", 2 / 1024), ("lecun_normal", 1 / 1024)])
def test_initial_weights_have_the_variance_that_their_name_says(name: str, variance: float) -> None:
    model: Any = build("mlp", input_shape=(32, 32, 1), classes=4, rngs=nnx.Rngs(0), hidden=[64], kernel_init=name)
    (layer,) = model.hidden
    assert np.var(layer.kernel[...]) == pytest.approx(variance, rel=0.03)


def test_batch_norm_stands_between_a_dense_layer_and_its_relu() -> None:
    model = mlp(hidden=[5], batch_norm=True)
    images = np.random.default_rng(0).normal(size=(8, 2, 3, 1)).astype(np.float32)
    (layer,) = model.hidden
    assert layer.dense.bias is None
    rows = images.reshape(8, 6) @ np.asarray(layer.dense.kernel[...])
    normalised = (rows - rows.mean(axis=0)) / np.sqrt(rows.var(axis=0) + 1e-5)
    logits = np.maximum(normalised, 0) @ np.asarray(model.head.kernel[...]) + np.asarray(model.head.bias[...])
    np.testing.assert_allclose(model(jnp.asarray(images)), logits, atol=1e-5)
    np.testing.assert_allclose(layer.norm.mean[...], 0.1 * rows.mean(axis=0), atol=1e-6)


def test_options_are_what_a_name_leaves_open() -> None:
    options = ("hidden", "batch_norm", "kernel_init", "activation")
    names = {"mlp": options, "lenet": (), "resnet20": (), "densenet121": ("growth",)}
    assert {name: options_of(name) for name in names} == names
