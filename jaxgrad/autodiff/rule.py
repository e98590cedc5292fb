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

from jaxgrad import emulation as core
from jaxgrad.autodiff import lowered
from jaxgrad.autodiff.contraction import Contraction
from jaxgrad.autodiff.taps import tap_cotangent
from jaxgrad.counters import Counters
from jaxgrad.emulation import Emulation
from jaxgrad.manual_axes import vary_alike
from jaxgrad.rounding import rounded
from jaxgrad.wide import add


@dataclass(frozen=True)
class Task:
    """The rule's static argument.

    Args:
        contraction: what to compute.
        emulation: on what, and how.
        dx: whether the input's gradient may be wanted; False where only taps, and no weights, lie upstream.
        runs: how often the forward product runs for each backward pass.
    """

    contraction: Contraction
    emulation: Emulation
    dx: bool = True
    runs: int = 1


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


def check_operands(lhs: Array, rhs: Array) -> None:
    """Refuses operands the array has no multiplier for, and empty ones."""
    for name, operand in (("lhs", lhs), ("rhs", rhs)):
        if not jnp.issubdtype(operand.dtype, jnp.floating):
            raise ValueError(f"{name}: got dtype {operand.dtype}; give floats (cast with .astype('float32'))")
        if 0 in operand.shape:
            raise ValueError(f"{name}: got shape {operand.shape}; give at least one element along every axis")


def contract(task: Task, lhs: Array, rhs: Array, tap: Float32[Array, "2 8 15"]) -> Array:
    """``task.contraction`` of ``lhs`` and ``rhs``; the cotangent of ``tap`` tells what it and its gradients took."""
    return _contract(task, *vary_alike(lhs, rhs, tap))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _contract(task: Task, lhs: Array, rhs: Array, tap: Float32[Array, "2 8 15"]) -> Array:
    x, w = rounded("x", lhs, task.emulation.precision), rounded("w", rhs, task.emulation.precision)
    return _forward(task, x, w, counted=False)[0]


def _contract_forward(task: Task, lhs: Any, rhs: Any, tap: Any) -> tuple[Array, _Residuals]:
    wanted = _Wanted(lhs.perturbed and task.dx, rhs.perturbed, tap.perturbed)
    x, w = rounded("x", lhs.value, task.emulation.precision), rounded("w", rhs.value, task.emulation.precision)
    out, counters, live = _forward(task, x, w, counted=wanted.counts)
    return out, _Residuals(wanted, x, w, counters, live)


def _contract_backward(task: Task, residuals: _Residuals, cotangent: Array) -> tuple[Array | None, ...]:
    wanted, lhs, rhs, forward, live = residuals
    dlhs = drhs = dtap = None
    backward = Counters.zero()
    if wanted.dx or wanted.dw:
        cotangent = rounded("dy", cotangent, task.emulation.precision)
        dlhs, drhs, backward = _backward(task, wanted, lhs, rhs, live, cotangent)
    if forward is not None:
        dtap = tap_cotangent(forward, backward)
    if dlhs is None:
        # Not None: layers upstream still have their forward work to tell.
        dlhs = jnp.zeros_like(lhs)
    return vary_alike(lhs, dlhs, drhs, dtap)[1:]


_contract.defvjp(_contract_forward, _contract_backward, symbolic_zeros=True)


def _forward(
    task: Task, lhs: Array, rhs: Array, *, counted: bool
) -> tuple[Array, Counters | None, UInt32[Array, "..."] | None]:
    contraction, emulation = task.contraction, task.emulation
    counters = live = None
    if emulation.fidelity == "native":
        out = contraction.plain(lhs, rhs)
    else:
        out, counters = lowered.forward(contraction, lhs, rhs, emulation)
        out = out.astype(jax.eval_shape(contraction.plain, lhs, rhs).dtype)
    out = rounded("y", out, emulation.precision)
    if not counted:
        return out, None, None
    if counters is None:
        counters, live = _count_forward(task, lhs, rhs)
    return out, counters.times(task.runs), live


def _backward(
    task: Task, wanted: _Wanted, lhs: Array, rhs: Array, live: UInt32[Array, "..."] | None, cotangent: Array
) -> tuple[Array | None, Array | None, Counters]:
    contraction, emulation = task.contraction, task.emulation
    dlhs = drhs = counters = None
    if emulation.fidelity == "native":
        if wanted.dx:
            (dlhs,) = jax.linear_transpose(lambda lhs: contraction.plain(lhs, rhs), lhs)(cotangent)
        if wanted.dw:
            (drhs,) = jax.linear_transpose(lambda rhs: contraction.plain(lhs, rhs), rhs)(cotangent)
    else:
        dlhs, drhs, counters = lowered.backward(contraction, lhs, rhs, cotangent, emulation, dx=wanted.dx, dw=wanted.dw)
    if live is not None:
        counters = _count_backward(task, wanted, rhs, live, cotangent)
    return (
        None if dlhs is None else rounded("dx", dlhs, emulation.precision).astype(lhs.dtype),
        None if drhs is None else rounded("dw", drhs, emulation.precision).astype(rhs.dtype),
        Counters.zero() if counters is None else counters,
    )


# At native and tile fidelity the counts are the closed form's, which tile by tile counting equals, and the effectual
# MACs are read off the operands as they are: im2col's copies of them are several times as large.


def _count_forward(task: Task, lhs: Array, rhs: Array) -> tuple[Counters, UInt32[Array, "..."]]:
    contraction, emulation = task.contraction, task.emulation
    counters = core.count_forward(contraction.gemm, emulation.array, emulation.forward).times(contraction.groups)
    effectual, live = contraction.effectual_forward(lhs, rhs)
    return counters.with_effectual(effectual), live


def _count_backward(task: Task, wanted: _Wanted, rhs: Array, live: UInt32[Array, "..."], cotangent: Array) -> Counters:
    contraction, emulation = task.contraction, task.emulation
    counters = core.count(
        contraction.gemm,
        emulation.array,
        emulation.schedule,
        weight_update=emulation.weight_update,
        objective=emulation.objective,
        dx=wanted.dx,
        dw=wanted.dw,
    ).times(contraction.groups)
    of_dx, of_dw = contraction.effectual_backward(live, rhs, cotangent)
    if wanted.dx and wanted.dw:
        return counters.with_effectual(add(of_dx, of_dw))
    return counters.with_effectual(of_dx if wanted.dx else of_dw)
