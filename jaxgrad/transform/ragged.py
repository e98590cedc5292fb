"""A ragged product of a trace, ``lax.ragged_dot``, and its gradients as the array takes them.

One of complex numbers is a ragged product of real ones for each pair of parts, ``(a + ib)(c + id)`` being four, and so
are its gradients, which JAX takes without conjugation.
"""

from __future__ import annotations

import functools
import itertools
from typing import Any

import jax.numpy as jnp
from jax import Array, lax
from jax.extend.core import JaxprEqn

from jaxgrad.array.counters import Counters
from jaxgrad.array.emulation import Emulation
from jaxgrad.autodiff.ragged import Ragged
from jaxgrad.transform.matrices import Gradient

NAME = "ragged_dot_general"
# (contracted axes, batch axes), the rows' axis, and the groups' axis
_PRODUCT = ((((1,), (1,)), ((), ())), (0,), (0,))
_OF_X = ((((1,), (2,)), ((), ())), (0,), (0,))
_OF_W = ((((0,), (0,)), ((), ())), (0,), ())


def refusal(equation: JaxprEqn) -> str | None:
    """Why a ragged product is not for the array as a forward product, if it is not."""
    return None if _axes(equation) in (_PRODUCT, _OF_X) else "its axes are not those of lax.ragged_dot"


def fit(forward: JaxprEqn, dx: Gradient | None, dw: Gradient | None) -> bool:
    """Whether gradients are as JAX's own transposition writes them."""
    if _axes(forward) != _PRODUCT:
        return False
    fits_dx = dx is None or (dx.cotangent == 0 and _axes(dx.equation) == _OF_X)
    return fits_dx and (dw is None or (dw.cotangent == 1 and _axes(dw.equation) == _OF_W))


def forward(emulation: Emulation, equation: JaxprEqn, x: Array, w: Array, sizes: Array) -> tuple[Array, Counters]:
    """A product, and what it took."""
    ragged, turned = _ragged(emulation, equation), _axes(equation) == _OF_X

    def plain(x: Array, w: Array) -> Array:
        return _bind(equation, sizes, x, w.swapaxes(1, 2) if turned else w)

    w = w.swapaxes(1, 2) if turned else w
    if not _complex(equation):
        return ragged.forward(x, w, sizes, plain)
    total = Counters.zero()
    parts: list[list[Array]] = [[], []]
    for of_x, of_w in _pairs(equation):
        part, spent = ragged.forward(_part(x, of_x), _part(w, of_w), sizes, plain)
        parts[(of_x + of_w) % 2].append(-part if of_x and of_w else part)
        total += spent
    return _whole(parts), total


def backward(
    emulation: Emulation,
    equations: tuple[JaxprEqn, Gradient | None, Gradient | None],
    x: Array | None,
    w: Array | None,
    dy: Array,
    sizes: Array,
) -> tuple[Array | None, Array | None, Counters]:
    """The gradients of a product, and what they took together.

    Args:
        emulation: on what, and how.
        equations: the product's, and those of dX and dW.
        x, w: None where no gradient is of it.
        dy, sizes: the cotangent, and the groups' rows.
    """
    product, *gradients = equations
    plain = [None if gradient is None else functools.partial(_bind, gradient.equation, sizes) for gradient in gradients]
    avals: list[Any] = [variable.aval for variable in product.invars[:2]]
    x, w = (
        jnp.zeros(aval.shape, aval.dtype) if operand is None else operand
        for operand, aval in zip((x, w), avals, strict=True)
    )
    ragged = _ragged(emulation, product)
    if not _complex(product):
        return ragged.backward(x, w, dy, sizes, *plain)
    total = Counters.zero()
    of_inputs: list[list[Array]] = [[], []]
    of_weights: list[list[Array]] = [[], []]
    for of_x, of_w in _pairs(product):
        of_dy = (of_x + of_w) % 2
        dx, dw, spent = ragged.backward(_part(x, of_x), _part(w, of_w), _part(dy, of_dy), sizes, *plain)
        if dx is not None:
            of_inputs[of_x].append(-dx if of_dy and of_w else dx)
        if dw is not None:
            of_weights[of_w].append(-dw if of_dy and of_x else dw)
        total += spent
    return _whole(of_inputs), _whole(of_weights), total


def _ragged(emulation: Emulation, equation: JaxprEqn) -> Ragged:
    avals: list[Any] = [variable.aval for variable in (*equation.invars, *equation.outvars)]
    (rows, in_features), (groups, *_), _, (_, out_features) = (aval.shape for aval in avals)
    return Ragged(rows, in_features, out_features, groups, emulation)


def _bind(equation: JaxprEqn, sizes: Array, left: Array, right: Array) -> Array:
    params, summed = equation.params, equation.params["preferred_element_type"]
    if summed is not None and not any(jnp.iscomplexobj(operand) for operand in (left, right)):
        params = params | {"preferred_element_type": jnp.zeros((), summed).real.dtype}
    return equation.primitive.bind(left, right, sizes, **params)


def _complex(equation: JaxprEqn) -> bool:
    return len(_pairs(equation)) > 1


def _pairs(equation: JaxprEqn) -> list[tuple[int, ...]]:
    """Of the left operand and of the right one: 0 for the real part, 1 for the imaginary one."""
    avals: list[Any] = [variable.aval for variable in equation.invars[:2]]
    parts = (range(1 + jnp.issubdtype(aval.dtype, jnp.complexfloating)) for aval in avals)
    return list(itertools.product(*parts))


def _part(values: Array, number: int) -> Array:
    return values.imag if number else values.real


def _whole(parts: list[list[Array]]) -> Any:
    """A complex number of the terms of its parts, a real one where it has no imaginary ones, None where it has none."""
    real, imaginary = (functools.reduce(jnp.add, terms) if terms else None for terms in parts)
    return real if real is None or imaginary is None else lax.complex(real, imaginary)


def _axes(equation: JaxprEqn) -> Any:
    """None where groups are shared out, or of several products at once."""
    avals: list[Any] = [variable.aval for variable in equation.invars]
    if len(avals[2].shape) != 1 or equation.params["group_offset"] is not None:
        return None
    numbers = equation.params["ragged_dot_dimension_numbers"]
    contracted, batch = (tuple(map(tuple, axes)) for axes in numbers.dot_dimension_numbers)
    return (contracted, batch), tuple(numbers.lhs_ragged_dimensions), tuple(numbers.rhs_group_dimensions)
