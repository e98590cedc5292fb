"""Activations by name, as Flax names them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jaxgrad_models.errors import BuildError

NAMES: tuple[str, ...] = ("relu", "tanh")


def function(name: str) -> Callable[..., Any]:
    """Flax's function of that name.

    Raises:
        BuildError: it is none of ``NAMES``.
    """
    if name not in NAMES:
        raise BuildError("activation", name, f"choose one of {', '.join(NAMES)}")
    from flax import nnx

    return getattr(nnx, name)
