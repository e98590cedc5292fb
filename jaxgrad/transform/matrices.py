"""The gradients of a product, as they stand in a trace, as the GEMMs of one layer.

JAX transposes ``dot_general`` to ``dot_general``s whose axes lie as they come, and a convolution to one with its kernel
reversed and one with batch and channels exchanged. Here their operands become x, w and dy of one contraction, and its
gradients the results that the trace expects.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.extend.core import JaxprEqn

from jaxgrad.autodiff.complex_numbers import of_parts
from jaxgrad.autodiff.contraction import Contraction
from jaxgrad.autodiff.convolution import BatchGroups, ConvGeneralDilated
from jaxgrad.autodiff.dot_general import DotGeneral
from jaxgrad.autodiff.transposed import ConvTransposed
from jaxgrad.programs.operations import shape_of


class Gradient(NamedTuple):
    """One gradient in a trace.

    Args:
        equation: the product that computes it.
        cotangent: which operand is dY; the other one is w for dX, x for dW.
    """

    equation: JaxprEqn
    cotangent: int

    @property
    def operand(self) -> int:
        return 1 - self.cotangent

    def axes(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """Of a ``dot_general``: dY's contracting and batch axes, and the other operand's."""
        contracting, batch = self.equation.params["dimension_numbers"]
        cotangent, operand = self.cotangent, self.operand
        return (
            tuple(contracting[cotangent]),
            tuple(batch[cotangent]),
            tuple(contracting[operand]),
            tuple(batch[operand]),
        )


class Layer(NamedTuple):
    """A contraction's operands; one that no gradient needs is zeros. What to do with its gradients: ``results``."""

    contraction: Contraction
    x: Array
    w: Array
    dy: Array


def dots_fit(dx: Gradient | None, dw: Gradient | None) -> bool:
    """Whether two gradients of one cotangent are those of some GEMMs: their axes of dY are the columns of the one and
    the rows of the other, and the rest are batch axes."""
    if dx is None or dw is None:
        return True
    columns, dx_batch, *_ = dx.axes()
    rows, dw_batch, *_ = dw.axes()
    rest = set(range(shape_of(dx.equation.invars[dx.cotangent]).__len__())) - {*columns, *rows}
    return not {*columns} & {*rows} and rest == {*dx_batch, *dw_batch}


def dots(
    types: tuple[Any, Any], dx: Gradient | None, dw: Gradient | None, x: Array | None, w: Array | None, dy: Array
) -> Layer:
    """The GEMMs whose gradients some ``dot_general``s are: one a batch element.

    Args:
        types: dtypes that the forward product has of x and w.
        dx, dw: the equations, where there are such.
        x, w, dy: their operands.
    """
    groups, rows, columns = _roles(dx, dw, dy.ndim)
    sizes = [dy.shape[axis] for axis in groups]
    dy_matrix = _matrix(dy, groups, rows, columns)
    g, b, n = dy_matrix.shape
    xs = ws = None
    if dw is not None and x is not None:
        contracted, batch, of_operand, of_operand_batch = dw.axes()
        by_axis = dict(zip((*contracted, *batch), (*of_operand, *of_operand_batch), strict=True))
        xs = _operand(x, by_axis, groups, rows, sizes)
    if dx is not None and w is not None:
        contracted, batch, of_operand, of_operand_batch = dx.axes()
        by_axis = dict(zip((*contracted, *batch), (*of_operand, *of_operand_batch), strict=True))
        ws = jnp.swapaxes(_operand(w, by_axis, groups, columns, sizes), 1, 2)
    if xs is None:
        assert ws is not None  # there is one gradient at least
        xs = jnp.zeros((g, b, ws.shape[1]), types[0])
    if ws is None:
        ws = jnp.zeros((g, xs.shape[2], n), types[1])
    contraction = DotGeneral.of(xs, ws, (((2,), (1,)), ((0,), (0,))))
    return Layer(of_parts(contraction, *types), xs, ws, dy_matrix)


def dot_result(gradient: Gradient, other: Gradient | None, values: Array, *, dw: bool) -> Array:
    """dX ``[G, B, K]`` or dW ``[G, K, N]`` as its equation's result."""
    equation = gradient.equation
    dy_shape = shape_of(equation.invars[gradient.cotangent])
    dx_eqn, dw_eqn = (other, gradient) if dw else (gradient, other)
    groups, rows, columns = _roles(dx_eqn, dw_eqn, len(dy_shape))
    contracted, batch, operand_axes, operand_batch = gradient.axes()
    operand_shape = shape_of(equation.invars[gradient.operand])
    free = [axis for axis in range(len(operand_shape)) if axis not in (*operand_axes, *operand_batch)]
    of_dy = [("dy", axis) for axis in range(len(dy_shape)) if axis not in (*contracted, *batch)]
    of_operand = [("operand", axis) for axis in free]
    of_batch = [("dy", axis) for axis in batch]
    expected = [*of_batch, *(of_dy + of_operand if gradient.cotangent == 0 else of_operand + of_dy)]
    kept = [("dy", axis) for axis in (columns if dw else rows)]
    there = [*(("dy", axis) for axis in groups), *(of_operand + kept if dw else kept + of_operand)]
    shapes = {"dy": dy_shape, "operand": operand_shape}
    whole = values.reshape([shapes[whose][axis] for whose, axis in there])
    return whole.transpose([there.index(label) for label in expected])


def convolution(forward: JaxprEqn) -> Contraction:
    """The contraction that a ``conv_general_dilated`` is, of its left operand by ``batch_groups``."""
    params: dict[str, Any] = dict(forward.params)
    groups, rhs = batch_groups(forward), _struct(forward.invars[1])
    lhs = jax.eval_shape(groups.in_channels, _struct(forward.invars[0]))
    names = ("rhs_dilation", "dimension_numbers", "precision", "preferred_element_type")
    options: dict[str, Any] = {name: params[name] for name in names} | {"feature_group_count": _groups(forward)}
    whole: Contraction
    if any(step != 1 for step in params["lhs_dilation"]):
        options["lhs_dilation"] = params["lhs_dilation"]
        whole = ConvTransposed.of(lhs, rhs, params["window_strides"], params["padding"], **options)
    else:
        whole = ConvGeneralDilated.of(lhs, rhs, params["window_strides"], params["padding"], **options)
    return of_parts(whole, lhs.dtype, rhs.dtype)


def batch_groups(forward: JaxprEqn) -> BatchGroups:
    """How a convolution groups its batch."""
    batch, channels, *_ = forward.params["dimension_numbers"].lhs_spec
    return BatchGroups(forward.params["batch_group_count"], batch, channels)


def _groups(forward: JaxprEqn) -> int:
    return forward.params["feature_group_count"] * forward.params["batch_group_count"]


def convolutions_fit(forward: JaxprEqn, dx: Gradient | None, dw: Gradient | None) -> bool:
    """Whether the gradients of a convolution are as JAX's own transposition writes them."""
    x, w = (shape_of(variable) for variable in forward.invars)
    grouped = jax.eval_shape(batch_groups(forward).in_channels, _struct(forward.invars[0])).shape
    out = shape_of(forward.outvars[0])
    for gradient, result in ((dx, grouped), (dw, w)):
        if gradient is not None:
            cotangent = shape_of(gradient.equation.invars[gradient.cotangent])
            if cotangent != out or shape_of(gradient.equation.outvars[0]) != result:
                return False
    if dw is not None and (dw.cotangent != 1 or shape_of(dw.equation.invars[0]) != x):
        return False
    return dx is None or (dx.cotangent == 0 and math.prod(shape_of(dx.equation.invars[1])) == math.prod(w))


def convolutions(forward: JaxprEqn, x: Array | None, reversed_w: Array | None, dy: Array) -> Layer:
    """The convolution whose gradients some ``conv_general_dilated``s are, from its operands as they have them."""
    lhs, rhs = (variable.aval for variable in forward.invars)
    if x is None:
        x = jnp.zeros(lhs.shape, lhs.dtype)  # pyright: ignore[reportAttributeAccessIssue]  # an array's
    w = None if reversed_w is None else _kernel(forward, reversed_w)
    if w is None:
        w = jnp.zeros(rhs.shape, rhs.dtype)  # pyright: ignore[reportAttributeAccessIssue]  # an array's
    return Layer(convolution(forward), batch_groups(forward).in_channels(x), w, dy)


def _kernel(forward: JaxprEqn, reversed_w: Array) -> Array:
    """The kernel of a convolution from that of the one that computes dX: its taps are reversed, and its groups lie
    along the input channels."""
    out_axis, in_axis, *spatial = forward.params["dimension_numbers"].rhs_spec
    groups = _groups(forward)
    w = lax.rev(reversed_w, spatial)
    if groups > 1:
        shape = w.shape
        w = w.reshape(*shape[:in_axis], groups, shape[in_axis] // groups, *shape[in_axis + 1 :])
        w = jnp.moveaxis(w, in_axis, out_axis)  # just before the output channels, whichever side they were on
        w = w.reshape(shape_of(forward.invars[1]))
    return w


def _roles(dx: Gradient | None, dw: Gradient | None, ndim: int) -> tuple[list[int], list[int], list[int]]:
    """dY's axes: groups, rows and columns, each in ascending order."""
    columns = set(dx.axes()[0]) if dx is not None else set()
    rows = set(dw.axes()[0]) if dw is not None else set()
    groups = {axis for gradient in (dx, dw) if gradient is not None for axis in gradient.axes()[1]}
    rest = set(range(ndim)) - groups
    if dx is None:
        columns = rest - rows
    if dw is None:
        rows = rest - columns
    return sorted(groups - rows - columns), sorted(rows), sorted(columns)


def _operand(
    values: Array, by_axis: dict[int, int], groups: Sequence[int], contracted: Sequence[int], sizes: Sequence[int]
) -> Array:
    """x or w as ``[G, contracted, K]``; spread over the groups that it does not have."""
    shared = [by_axis[axis] for axis in groups if axis in by_axis]
    along = [by_axis[axis] for axis in contracted]
    free = [axis for axis in range(values.ndim) if axis not in (*shared, *along)]
    ordered = values.transpose((*shared, *along, *free))
    rest = ordered.shape[len(shared) :]
    stretched = [size if axis in by_axis else 1 for axis, size in zip(groups, sizes, strict=True)]
    spread = jnp.broadcast_to(ordered.reshape(*stretched, *rest), (*sizes, *rest))
    return spread.reshape(math.prod(sizes), math.prod(rest[: len(along)]), math.prod(rest[len(along) :]))


def _matrix(values: Array, groups: Sequence[int], rows: Sequence[int], columns: Sequence[int]) -> Array:
    shape = [math.prod(values.shape[axis] for axis in axes) for axes in (groups, rows, columns)]
    return values.transpose((*groups, *rows, *columns)).reshape(shape)


def _struct(variable: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(variable.aval.shape, variable.aval.dtype)
