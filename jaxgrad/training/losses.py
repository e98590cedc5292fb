"""What training minimises and what tests report: the cross-entropy of labels, smoothed where a run says so."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import optax
from jax import Array
from jaxtyping import Bool, Float, Int

Loss = Callable[[Float[Array, "*labels classes"], Int[Array, "*labels"]], Float[Array, "*labels"]]
"""From logits and labels to the loss of each label, in nats."""


def cross_entropy(logits: Float[Array, "*labels classes"], labels: Int[Array, "*labels"]) -> Float[Array, "*labels"]:
    """The loss of each label in nats, in float32 at least: what a test loss is the mean of.

    Args:
        logits: unnormalised, of any float type.
        labels: from 0, of any shape: one an image, or one each token of a text.

    >>> losses = cross_entropy(jnp.zeros((2, 3, 4)), jnp.ones((2, 3), int))
    >>> losses.shape, round(float(losses[0, 0]), 4)
    ((2, 3), 1.3863)
    """
    return optax.softmax_cross_entropy_with_integer_labels(_in_float32(logits), labels)


def smoothed(share: float) -> Loss:
    """The cross-entropy with a share of each label spread evenly over all classes, its own among them.

    Its least value is above 0. Source: Szegedy et al., Rethinking the Inception Architecture (CVPR 2016), by
    ``optax.smooth_labels``.

    Args:
        share: of each label, from 0 up to 1; with 0 it is ``cross_entropy`` itself.

    >>> loss = smoothed(0.1)
    >>> logits, labels = jnp.array([[2.0, 0.0]]), jnp.array([0])
    >>> round(float(loss(logits, labels)[0] - cross_entropy(logits, labels)[0]), 4)  # 0.05 of the wrong class
    0.1
    """
    return partial(_smoothed, share=share) if share else cross_entropy


def _smoothed(logits: Array, labels: Array, share: float) -> Array:
    logits = _in_float32(logits)
    certain = jax.nn.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
    return optax.softmax_cross_entropy(logits, optax.smooth_labels(certain, share))


def of_labels(counted: Bool[Array, " b"], labels: Int[Array, "b *inner"]) -> Bool[Array, "b *inner"]:
    """Which labels count, of which examples do.

    >>> of_labels(jnp.array([True, False]), jnp.zeros((2, 3), int)).tolist()
    [[True, True, True], [False, False, False]]
    """
    return jnp.broadcast_to(counted.reshape(-1, *[1] * (labels.ndim - 1)), labels.shape)


def _in_float32(logits: Array) -> Array:
    return logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
