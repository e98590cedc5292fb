"""A contraction as GEMMs on the array: what runs at register and tile fidelity.

The emulation has no ``precision``: it is the estimator that rounds operands and results, and parts of a sum stay as
they are.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Num

from jaxgrad.array import emulation as core
from jaxgrad.array.counters import Counters
from jaxgrad.array.emulation import Emulation
from jaxgrad.array.manual_axes import vary_alike
from jaxgrad.array.operands import accumulator
from jaxgrad.autodiff.contraction import Contraction


def forward(contraction: Contraction, lhs: Array, rhs: Array, emulation: Emulation) -> tuple[Array, Counters | None]:
    """The product, in the precision of the array's sums, and at register fidelity the events that it took."""
    chunks = contraction.chunks
    if chunks is None or emulation.fidelity == "register":
        return _forward(contraction, lhs, rhs, emulation)
    outs = lax.map(
        lambda lhs: _forward(chunks.part, lhs, rhs, emulation)[0], _split(lhs, chunks.lhs_axis, chunks.count)
    )
    return _join(outs, chunks.out_axis), None


def backward(
    contraction: Contraction,
    lhs: Array,
    rhs: Array,
    cotangent: Array,
    emulation: Emulation,
    *,
    dx: bool,
    dw: bool,
    of_dw: Contraction,
) -> tuple[Array | None, Array | None, Counters | None]:
    """The gradients that are wanted, and at register fidelity the events that they took.

    ``of_dw`` is the contraction, or that of the first columns of x, of which lhs and dW then are.
    """
    chunks = contraction.chunks
    if chunks is None or emulation.fidelity == "register" or of_dw != contraction:
        return _backward(contraction, lhs, rhs, cotangent, emulation, dx=dx, dw=dw, of_dw=of_dw)

    def body(drhs: Array | None, operands: tuple[Array, Array]) -> tuple[Array | None, Array | None]:
        dlhs, part, _ = _backward(
            chunks.part, operands[0], rhs, operands[1], emulation, dx=dx, dw=dw, of_dw=chunks.part
        )
        return None if drhs is None or part is None else drhs + part, dlhs

    _, sums = vary_alike(lhs, jnp.zeros(rhs.shape, accumulator(lhs.dtype, rhs.dtype, cotangent.dtype)) if dw else None)
    parts = _split(lhs, chunks.lhs_axis, chunks.count), _split(cotangent, chunks.out_axis, chunks.count)
    drhs, dlhs = lax.scan(body, sums, parts)
    return None if dlhs is None else _join(dlhs, chunks.lhs_axis), drhs, None


def _forward(contraction: Contraction, lhs: Array, rhs: Array, emulation: Emulation) -> tuple[Array, Counters | None]:
    dtype = accumulator(lhs.dtype, rhs.dtype, jax.eval_shape(contraction.plain, lhs, rhs).dtype)
    operands = contraction.x(lhs).astype(dtype), contraction.w(rhs).astype(dtype)
    rows, counters = _each_group(functools.partial(core.product, emulation=emulation), *operands)
    return contraction.out(rows), counters if emulation.fidelity == "register" else None


def _backward(
    contraction: Contraction,
    lhs: Array,
    rhs: Array,
    cotangent: Array,
    emulation: Emulation,
    *,
    dx: bool,
    dw: bool,
    of_dw: Contraction,
) -> tuple[Array | None, Array | None, Counters | None]:
    dtype = accumulator(lhs.dtype, rhs.dtype, cotangent.dtype)

    def run(x: Array, w: Array, dy: Array) -> tuple[tuple[Array | None, Array | None], Counters]:
        own_dx, own_dw, counters = core.backward(x, w, dy, emulation, dx=dx, dw=dw)
        return (own_dx, own_dw), counters

    (dx_rows, dw_matrix), counters = _each_group(
        run,
        of_dw.x(lhs).astype(dtype),
        contraction.w(rhs).astype(dtype),
        contraction.rows(cotangent).astype(dtype),
    )
    return (
        None if dx_rows is None else contraction.lhs_cotangent(dx_rows),
        None if dw_matrix is None else of_dw.rhs_cotangent(dw_matrix),
        counters if emulation.fidelity == "register" else None,
    )


def _each_group(run: Callable[..., tuple[Any, Counters]], *operands: Num[Array, "groups ..."]) -> tuple[Any, Counters]:
    """``run`` on the matrices of each group; results stacked, counters added up."""
    if operands[0].shape[0] == 1:
        results, counters = run(*(operand[0] for operand in operands))
        return jax.tree.map(lambda result: result[None], results), counters
    results, counters = jax.vmap(run)(*operands)
    return results, counters.sum()


def _split(values: Array, axis: int, parts: int) -> Array:
    """``parts`` equal parts along an axis, stacked."""
    shape = values.shape
    return jnp.moveaxis(values.reshape(*shape[:axis], parts, -1, *shape[axis + 1 :]), axis, 0)


def _join(parts: Array, axis: int) -> Array:
    """The inverse of ``_split``."""
    values = jnp.moveaxis(parts, 0, axis)
    return values.reshape(*values.shape[:axis], -1, *values.shape[axis + 2 :])
