"""Real numbers as a number system of the costs' formulas: relaxations, to be differentiated (``designs.relaxed``).

A formula that is written for whole numbers (``base.arithmetic``) is given ``Real`` sizes instead. Quotients are then
rounded up by a differentiable ceiling, and whatever is computed with a ``Real`` is one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp

_SHARPNESS = 8.0
_FAR = 1024.0


def smooth_ceil(number: Any) -> Any:
    """A differentiable ceiling of ``number``, at least 0.

    Exact at integers and below 1. Between integers it is concave: it rises steeply after one and flattens towards the
    next, so that its slope is large where a new tile begins, and small where the last one has room left. Beyond 1024 it
    is the number itself.
    """
    whole = jnp.floor(number)
    part = number - whole
    up = whole + part * _SHARPNESS / (1 + (_SHARPNESS - 1) * part)
    return jnp.where(number < 1, jnp.sign(number), jnp.where(number > _FAR, number, up))


class Real:
    """An array of real numbers; operators are elementwise, and comparisons give JAX's arrays of bools.

    Args:
        value: of JAX.
    """

    __slots__ = ("value",)
    __array_ufunc__ = None  # NumPy's arrays leave operators to this class
    __hash__ = None  # pyright: ignore[reportAssignmentType]  # as arrays: equality is elementwise

    def __init__(self, value: Any) -> None:
        self.value = jnp.asarray(value)

    def __array_namespace__(self) -> ModuleType:
        return sys.modules[__name__]

    @property
    def ndim(self) -> int:
        return self.value.ndim

    def __getitem__(self, index: Any) -> Real:
        return Real(self.value[index])

    def sum(self, axis: int | None = None) -> Real:
        return Real(self.value.sum(axis))

    def ceil_div(self, divisor: Any) -> Real:
        """The quotient, rounded up smoothly."""
        return Real(smooth_ceil(self.value / raw(divisor)))

    def ceil_of(self, number: Any) -> Real:
        """The quotient of ``number`` by this, rounded up smoothly."""
        return Real(smooth_ceil(raw(number) / self.value))

    def rounded(self) -> jax.Array:
        """Whole numbers in JAX's floats, without a slope."""
        return jax.lax.stop_gradient(jnp.round(self.value))

    def __neg__(self) -> Real:
        return Real(-self.value)

    def __add__(self, other: Any) -> Real:
        return Real(self.value + raw(other))

    def __sub__(self, other: Any) -> Real:
        return Real(self.value - raw(other))

    def __rsub__(self, other: Any) -> Real:
        return Real(raw(other) - self.value)

    def __mul__(self, other: Any) -> Real:
        return Real(self.value * raw(other))

    __radd__, __rmul__ = __add__, __mul__

    def __truediv__(self, other: Any) -> Real:
        return Real(self.value / raw(other))

    def __floordiv__(self, other: Any) -> Real:
        """The quotient rounded down; nothing smooth about it."""
        return Real(jnp.floor(self.value / raw(other)))

    def __lt__(self, other: Any) -> jax.Array:
        return self.value < raw(other)

    def __le__(self, other: Any) -> jax.Array:
        return self.value <= raw(other)

    def __gt__(self, other: Any) -> jax.Array:
        return self.value > raw(other)

    def __ge__(self, other: Any) -> jax.Array:
        return self.value >= raw(other)

    def __eq__(self, other: Any) -> Any:
        return self.value == raw(other)

    def __ne__(self, other: Any) -> Any:
        return self.value != raw(other)


def raw(value: Any) -> Any:
    """JAX's array of a ``Real``; anything else as it is."""
    return value.value if isinstance(value, Real) else value


def _of(function: Callable[..., Any]) -> Callable[..., Real]:
    return lambda *values: Real(function(*map(raw, values)))


maximum, minimum, where, asarray = _of(jnp.maximum), _of(jnp.minimum), _of(jnp.where), _of(jnp.asarray)
atleast_1d = _of(jnp.atleast_1d)


def broadcast_arrays(*values: Any) -> list[Real]:
    return list(map(Real, jnp.broadcast_arrays(*map(raw, values))))


def stack(values: Sequence[Any]) -> Real:
    return Real(jnp.stack(list(map(raw, values))))
