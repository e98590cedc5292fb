"""Optimizers by name: thin compositions of optax."""

from __future__ import annotations

from collections.abc import Mapping

import optax

from jaxgrad.training.masks import Mask

# What each optimizer takes, with its defaults. A key that is missing here is one the optimizer has no use for.
DEFAULTS: Mapping[str, Mapping[str, float]] = {
    "sgd": {"learning_rate": 0.1, "weight_decay": 0.0},
    "momentum": {"learning_rate": 0.05, "momentum": 0.9, "weight_decay": 0.0},
    "adam": {"learning_rate": 0.003},
    "adamw": {"learning_rate": 0.003, "weight_decay": 1e-4},
    "rmsprop": {"learning_rate": 0.001},
}
NAMES: tuple[str, ...] = tuple(DEFAULTS)


def build(
    name: str,
    *,
    rate: optax.ScalarOrSchedule,
    momentum: float | None = None,
    weight_decay: float | None = None,
    decayed: Mask | None = None,
) -> optax.GradientTransformation:
    """The optimizer ``name``.

    Args:
        name: one of ``NAMES``.
        rate: the learning rate, by the step or always, see ``learning_rates``.
        momentum: of `momentum`, None for the others.
        weight_decay: of those that have it in ``DEFAULTS``, None for the others; it is L2 for sgd and momentum (added
            to the gradient) and decoupled for adamw.
        decayed: which parameters decay; None for all of them.
    """
    if name == "adam":
        return optax.adam(rate)
    if name == "adamw":
        return optax.adamw(rate, weight_decay=weight_decay or 0.0, mask=decayed)
    if name == "rmsprop":
        return optax.rmsprop(rate)
    descent = optax.sgd(rate, momentum=momentum)
    return optax.chain(optax.add_decayed_weights(weight_decay, decayed), descent) if weight_decay else descent
