"""What stands in for ``lax.dot_general``, ``lax.conv_general_dilated`` and ``jnp.einsum`` inside an NNX layer."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jax import Array
from jax.typing import DTypeLike

from jaxgrad.array.emulation import Emulation
from jaxgrad.autodiff import marks, new_tap
from jaxgrad.autodiff.contraction import Contraction
from jaxgrad.autodiff.convolution import ConvGeneralDilated
from jaxgrad.autodiff.dot_general import DimensionNumbers, DotGeneral
from jaxgrad.autodiff.einsum import as_dot_general
from jaxgrad.autodiff.rule import contract
from jaxgrad.autodiff.task import Task
from jaxgrad.base.errors import InputError


class Tap(nnx.Variable):
    """A layer's tap (``jaxgrad.autodiff.taps``). No parameter: an optimizer that updates ``nnx.Param`` leaves it."""


class Hook(nnx.Module):
    """A layer's contraction on the array.

    Args:
        emulation: on what, and how.
        stack: leading axes of the layer's variables, where ``nnx.vmap`` made several layers in one.
    """

    def __init__(self, emulation: Emulation, stack: tuple[int, ...] = ()) -> None:
        self.tap = Tap(new_tap(*stack))
        self.emulation = emulation
        self.dx = True
        self.runs = 1
        self.reading: str | None = None

    def contract(self, contraction: Contraction, lhs: Array, rhs: Array, out_sharding: Any) -> Array:
        """``contraction`` on the array, or, while a trace is taken under the name ``reading``, marked with it."""
        if out_sharding is not None:
            raise InputError(
                "out_sharding",
                out_sharding,
                "meshes with explicit axes are not emulated, give None",
                problem=f"got {out_sharding}",
            )
        if self.reading is not None:
            return marks.contract(marks.Site(contraction, self.reading), lhs, rhs)
        tap = self.tap[...]
        # A scan that broadcasts its variables hands over the whole stack of taps. One collects the counts of all.
        tap = tap[(0,) * (tap.ndim - new_tap().ndim)]
        return contract(Task(contraction, self.emulation, self.dx, self.runs), lhs, rhs, tap)


class DotGeneralHook(Hook):
    """For ``dot_general=`` of ``nnx.Linear`` and ``nnx.LinearGeneral``."""

    def __call__(
        self,
        lhs: Array,
        rhs: Array,
        dimension_numbers: DimensionNumbers,
        precision: Any = None,
        preferred_element_type: DTypeLike | None = None,
        out_sharding: Any = None,
    ) -> Array:
        contraction = DotGeneral.of(lhs, rhs, dimension_numbers, precision, preferred_element_type)
        return self.contract(contraction, lhs, rhs, out_sharding)


class ConvHook(Hook):
    """For ``conv_general_dilated=`` of ``nnx.Conv``."""

    def __call__(
        self,
        lhs: Array,
        rhs: Array,
        window_strides: Sequence[int],
        padding: str | Sequence[tuple[int, int]],
        out_sharding: Any = None,
        **options: Any,
    ) -> Array:
        contraction = ConvGeneralDilated.of(lhs, rhs, window_strides, padding, **options)
        return self.contract(contraction, lhs, rhs, out_sharding)


class EinsumHook(Hook):
    """For ``einsum_op=`` of ``nnx.Einsum``."""

    def __call__(
        self,
        formula: str,
        lhs: Array,
        rhs: Array,
        precision: Any = None,
        preferred_element_type: DTypeLike | None = None,
        out_sharding: Any = None,
    ) -> Array:
        lowered = as_dot_general(formula, lhs.ndim, rhs.ndim)
        if lowered is None:
            warnings.warn(f"not emulated: einsum {formula!r}, which is no single contraction", stacklevel=2)
            return jnp.einsum(formula, lhs, rhs, precision=precision, preferred_element_type=preferred_element_type)
        dimension_numbers, order = lowered
        contraction = DotGeneral.of(lhs, rhs, dimension_numbers, precision, preferred_element_type)
        return self.contract(contraction, lhs, rhs, out_sharding).transpose(order)
