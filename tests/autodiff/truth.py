"""What the rules must give: JAX's own gradients, and the counts of every group's GEMM."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import Array

from jaxgrad import count, count_forward
from jaxgrad.array.emulation import Emulation
from jaxgrad.autodiff import LayerCounters, new_tap, read_tap
from jaxgrad.autodiff.contraction import Contraction

Product = Callable[..., Any]
Counts = dict[str, int]


def gemm_by_gemm(
    contraction: Contraction, lhs: Any, rhs: Any, cotangent: Any, emulation: Emulation
) -> tuple[Counts, Counts]:
    """A contraction's forward and backward counts: the closed form's, and the MACs whose operands are not zero."""
    live = jax.jit(
        lambda lhs, rhs, out: [m != 0 for m in (contraction.x(lhs), contraction.w(rhs), contraction.rows(out))]
    )
    x, w, dy = (np.asarray(matrices, np.int64) for matrices in live(lhs, rhs, cotangent))
    gemm, groups, array = contraction.gemm, contraction.groups, emulation.array
    forward = count_forward(gemm, array, emulation.forward).as_dict()
    backward = count(
        gemm, array, emulation.schedule, weight_update=emulation.weight_update, objective=emulation.objective
    ).as_dict()
    return (
        {name: groups * number for name, number in forward.items()} | {"effectual_macs": int((x @ w).sum())},
        {name: groups * number for name, number in backward.items()}
        | {"effectual_macs": int((dy @ w.swapaxes(1, 2)).sum() + (x.swapaxes(1, 2) @ dy).sum())},
    )


def gradients(product: Product, lhs: Any, rhs: Any, cotangent: Any) -> tuple[Array, Array, Array]:
    """A product, and its gradients for a cotangent of its output."""

    @jax.jit
    def run(lhs: Array, rhs: Array, cotangent: Array) -> tuple[Array, Array, Array]:
        out, transpose = jax.vjp(product, lhs, rhs)
        return out, *transpose(cotangent)

    return run(lhs, rhs, cotangent)


def counted(product: Product, lhs: Any, rhs: Any, cotangent: Any) -> tuple[tuple[Array, Array, Array], LayerCounters]:
    """``gradients`` of a product that takes a tap too, and its counters."""

    @jax.jit
    def run(lhs: Array, rhs: Array, cotangent: Array) -> tuple[tuple[Array, Array, Array], LayerCounters]:
        out, transpose = jax.vjp(product, lhs, rhs, new_tap())
        dlhs, drhs, tap = transpose(cotangent)
        return (out, dlhs, drhs), read_tap(tap)

    return run(lhs, rhs, cotangent)


def as_dicts(counters: LayerCounters) -> tuple[Counts, Counts]:
    return counters.forward.as_dict(), counters.backward.as_dict()
