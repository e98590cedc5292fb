"""Distributions of initial weights by name, as Flax names them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jaxgrad_models.errors import BuildError

NAMES: tuple[str, ...] = ("he_normal", "lecun_normal")
"""Normal of variance 2 / n and 1 / n, n inputs of a unit: ReLU halves the variance, so that the first keeps it."""


def kernel(name: str) -> Callable[..., Any]:
    """Flax's initialiser of that name.

    Raises:
        BuildError: it is none of ``NAMES``.
    """
    if name not in NAMES:
        raise BuildError("kernel_init", name, f"choose one of {', '.join(NAMES)}")
    from flax import nnx

    return getattr(nnx.initializers, name)()
