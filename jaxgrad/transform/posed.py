"""An equation that is a product, as the array takes it: which operand is x, how its result lies, and which gradients a
schedule gives of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax import Array
from jax.extend.core import JaxprEqn

from jaxgrad.array.schedules import TRAINING_SCHEDULES, Schedule, lacking
from jaxgrad.autodiff.complex_numbers import of_parts
from jaxgrad.autodiff.contraction import Contraction
from jaxgrad.autodiff.convolution import BatchGroups
from jaxgrad.autodiff.dot_general import DotGeneral
from jaxgrad.base.errors import InputError, either
from jaxgrad.transform import matrices

Operand = TypeVar("Operand")


@dataclass(frozen=True)
class Posed:
    """A product of x and w.

    Args:
        contraction: of x and w.
        swapped: whether x is the equation's right operand.
        order: of the contraction's axes, as the equation's result has them; None where it has them so itself.
        batch_groups: of a convolution, which the array takes for groups of channels.
    """

    contraction: Contraction
    swapped: bool = False
    order: tuple[int, ...] | None = None
    batch_groups: BatchGroups | None = None

    @classmethod
    def of(cls, equation: JaxprEqn, *, swapped: bool = False) -> Posed:
        """From a ``dot_general`` or a convolution; the latter is never swapped.

        Raises:
            ValueError: the array does not emulate it.
        """
        if equation.primitive.name == "conv_general_dilated":
            return cls(matrices.convolution(equation), batch_groups=matrices.batch_groups(equation))
        left, right = (_struct(variable) for variable in equation.invars)
        params = equation.params
        contracted, batch = params["dimension_numbers"]
        truth = left.dtype == right.dtype == jnp.bool_
        options = (params["precision"], jnp.int32 if truth else params["preferred_element_type"])
        if not swapped:
            contraction = DotGeneral.of(left, right, (contracted, batch), *options)
            return cls(of_parts(contraction, left.dtype, right.dtype))
        contraction = DotGeneral.of(right, left, (contracted[::-1], batch[::-1]), *options)
        groups, of_right = len(batch[0]), right.ndim - len(contracted[1]) - len(batch[1])
        ndim = len(_struct(equation.outvars[0]).shape)
        order = (*range(groups), *range(groups + of_right, ndim), *range(groups, groups + of_right))
        return cls(of_parts(contraction, right.dtype, left.dtype), swapped, order)

    def taken(self, left: Array, right: Array) -> tuple[Array, Array]:
        """The equation's operands as the array's multipliers take them: truth values are numbers there."""
        if self.batch_groups is not None:
            left = self.batch_groups.in_channels(left)
        left, right = (value.astype(jnp.int8) if value.dtype == jnp.bool_ else value for value in (left, right))
        return left, right

    def operands(self, left: Operand, right: Operand) -> tuple[Operand, Operand]:
        """x and w from the equation's operands, or the other way round."""
        return (right, left) if self.swapped else (left, right)

    def result(self, out: Array) -> Array:
        """The equation's result from the contraction's."""
        return out if self.order is None else out.transpose(self.order)

    def cotangent(self, result: Array) -> Array:
        """The transpose of ``result``."""
        if self.order is None:
            return result
        return result.transpose([self.order.index(axis) for axis in range(result.ndim)])


def check_computes(schedule: Schedule, *, dx: bool, dw: bool) -> None:
    """Refuses gradients that a schedule leaves out."""
    for missing in lacking(schedule, dx=dx, dw=dw):
        raise InputError(
            "schedule",
            schedule.name,
            f"choose {either(TRAINING_SCHEDULES)}",
            problem=f"got {schedule.name!r}, and the function computes {missing} too",
        )


def _struct(variable: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(variable.aval.shape, variable.aval.dtype)
