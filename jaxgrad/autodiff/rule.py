"""The custom-VJP rule that both contractions share: the product and its gradients on the array, counted.

What is counted, and where. A tap's cotangent exists where autodiff reaches the layer: a layer whose output does not
enter the loss (JAX then never calls the backward rule), or whose tap is not differentiated, counts nothing. A gradient
that no one wants is neither computed nor counted. The counts of a forward product travel as residuals, so forward work
is counted once a backward pass; ``Task.runs`` says how often it really ran where ``jax.checkpoint`` runs it anew.

Under vmap a constant cotangent would be counted once instead of once an example; these depend on the operands, through
the effectual MACs.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float32, UInt32

from jaxgrad.array.counters import Counters
from jaxgrad.array.manual_axes import vary_alike
from jaxgrad.autodiff.taps import tap_cotangent
from jaxgrad.autodiff.task import Task


@jax.tree_util.register_static
@dataclass(frozen=True)
class _Wanted:
    """Static facts that the forward rule learns and the backward rule needs: a residual without arrays."""

    dx: bool
    dw: bool
    counts: bool


class _Residuals(NamedTuple):
    wanted: _Wanted
    lhs: Array
    rhs: Array
    forward: Counters | None
    live: UInt32[Array, "..."] | None


def contract(task: Task, lhs: Array, rhs: Array, tap: Float32[Array, "2 8 15"]) -> Array:
    """``task.contraction`` of ``lhs`` and ``rhs``; the cotangent of ``tap`` tells what it and its gradients took."""
    return _contract(task, *vary_alike(lhs, rhs, tap))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _contract(task: Task, lhs: Array, rhs: Array, tap: Float32[Array, "2 8 15"]) -> Array:
    return task.product(task.rounded("x", lhs), task.rounded("w", rhs))[0]


def _contract_forward(task: Task, lhs: Any, rhs: Any, tap: Any) -> tuple[Array, _Residuals]:
    wanted = _Wanted(lhs.perturbed and task.dx, rhs.perturbed, tap.perturbed)
    x, w = task.rounded("x", lhs.value), task.rounded("w", rhs.value)
    out, counters = task.product(x, w)
    live = None
    if not wanted.counts:
        return out, _Residuals(wanted, x, w, None, None)
    if counters is None:
        counters, live = task.count_product(x, w)
    return out, _Residuals(wanted, x, w, counters.times(task.runs), live)


def _contract_backward(task: Task, residuals: _Residuals, cotangent: Array) -> tuple[Array | None, ...]:
    wanted, lhs, rhs, forward, live = residuals
    dlhs = drhs = dtap = backward = None
    if wanted.dx or wanted.dw:
        cotangent = task.rounded("dy", cotangent)
        dlhs, drhs, backward = task.gradients(lhs, rhs, cotangent, dx=wanted.dx, dw=wanted.dw)
        if live is not None:
            backward = task.count_gradients(live, rhs, cotangent, dx=wanted.dx, dw=wanted.dw)
    if forward is not None:
        dtap = tap_cotangent(forward, backward or Counters.zero())
    # Not None: layers upstream still have their forward work to tell.
    dlhs = jnp.zeros_like(lhs) if dlhs is None else dlhs.astype(lhs.dtype)
    drhs = None if drhs is None else drhs.astype(rhs.dtype)
    return vary_alike(lhs, dlhs, drhs, dtap)[1:]


_contract.defvjp(_contract_forward, _contract_backward, symbolic_zeros=True)
