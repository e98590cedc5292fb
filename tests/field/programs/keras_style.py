"""A training step as Keras' documentation writes one for its JAX backend, without state."""

from __future__ import annotations

import os
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"

import jax
import jax.numpy as jnp
import keras
from jax import Array

from tests.field.program import Program, normal


def stateless_call() -> Program:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([
        keras.Input((5, 5, 2)),
        keras.layers.Conv2D(3, 3, padding="same", activation="relu", name="stem"),
        keras.layers.BatchNormalization(),
        keras.layers.Flatten(),
        keras.layers.Dense(4, name="head"),
    ])  # fmt: skip

    def loss(trainable: list[Array], frozen: list[Array], x: Array) -> tuple[Array, Any]:
        out, frozen = model.stateless_call(trainable, frozen, x, training=True)
        return jnp.mean(out**2), frozen

    trainable, frozen = ([v.value for v in own] for own in (model.trainable_variables, model.non_trainable_variables))
    return Program(jax.value_and_grad(loss, has_aux=True), (trainable, frozen, normal(2, 5, 5, 2)))


def recurrent_layer() -> Program:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4, 3)), keras.layers.GRU(5), keras.layers.Dense(2)])

    def loss(trainable: list[Array], frozen: list[Array], x: Array) -> Array:
        return jnp.mean(model.stateless_call(trainable, frozen, x)[0] ** 2)

    trainable, frozen = ([v.value for v in own] for own in (model.trainable_variables, model.non_trainable_variables))
    return Program(jax.grad(loss), (trainable, frozen, normal(2, 4, 3)))
