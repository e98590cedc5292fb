"""A training step as any JAX code has one, for `jaxgrad profile` to read.

jaxgrad profile examples/train_step.py:step
jaxgrad profile examples/train_step.py:loss --arg "f32[784,10]" --arg "f32[32,784]" --arg "f32[32,10]"
"""

from __future__ import annotations

import jax
import jax.numpy as jnp


def loss(weights, x, y):
    """Mean squared error of a linear model."""
    return jnp.mean((x @ weights - y) ** 2)


def step(params, x, y):
    """Gradient descent on a perceptron of two layers."""

    def of(params):
        with jax.named_scope("hidden"):
            hidden = jax.nn.relu(x @ params["hidden"])
        with jax.named_scope("head"):
            return loss(params["head"], hidden, y)

    return jax.tree.map(lambda parameter, gradient: parameter - 0.1 * gradient, params, jax.grad(of)(params))


def example_args():
    """What `step` is called with where no --arg says it: shapes do."""
    shape = jax.ShapeDtypeStruct
    params = {"hidden": shape((784, 256), jnp.float32), "head": shape((256, 10), jnp.float32)}
    return params, shape((32, 784), jnp.float32), shape((32, 10), jnp.float32)
