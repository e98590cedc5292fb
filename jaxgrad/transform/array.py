"""A contraction and its gradients on the array, each with its counters, and the rule for differentiating it."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float32

from jaxgrad import emulation as core
from jaxgrad.autodiff import lowered
from jaxgrad.autodiff.rule import Task
from jaxgrad.autodiff.taps import tap_cotangent
from jaxgrad.counters import Counters
from jaxgrad.emulation import Emulation
from jaxgrad.manual_axes import vary_alike
from jaxgrad.wide import add


def product(task: Task, lhs: Array, rhs: Array, tap: Float32[Array, "2 8 15"]) -> tuple[Array, Counters]:
    """``task.contraction`` of ``lhs`` and ``rhs``, and what it took.

    Differentiated, its gradients run on the array too, and the cotangent of ``tap`` tells what it and they took.
    """
    return _product(task, *vary_alike(lhs, rhs, tap))


def forward(task: Task, lhs: Array, rhs: Array) -> tuple[Array, Counters]:
    """The product, and what it took."""
    contraction, emulation = task.contraction, task.emulation
    counters = None
    if emulation.fidelity == "native":
        out = contraction.plain(lhs, rhs)
    else:
        out, counters = lowered.forward(contraction, lhs, rhs, emulation)
        out = out.astype(jax.eval_shape(contraction.plain, lhs, rhs).dtype)
    if counters is None:
        closed = core.count_forward(contraction.gemm, emulation.array, emulation.forward).times(contraction.groups)
        counters = closed.with_effectual(contraction.effectual_forward(lhs, rhs)[0])
    return out, counters


def backward(
    task: Task, lhs: Array, rhs: Array, cotangent: Array, *, dx: bool, dw: bool
) -> tuple[Array | None, Array | None, Counters]:
    """The gradients that are wanted, in the types of the operands, and what they took."""
    contraction, emulation = task.contraction, task.emulation
    dlhs = drhs = counters = None
    if emulation.fidelity == "native":
        if dx:
            (dlhs,) = jax.linear_transpose(lambda lhs: contraction.plain(lhs, rhs), lhs)(cotangent)
        if dw:
            (drhs,) = jax.linear_transpose(lambda rhs: contraction.plain(lhs, rhs), rhs)(cotangent)
    else:
        check_computes(emulation, dx=dx, dw=dw)
        dlhs, drhs, counters = lowered.backward(contraction, lhs, rhs, cotangent, emulation, dx=dx, dw=dw)
    if counters is None:
        counters = count_backward(task, lhs, rhs, cotangent, dx=dx, dw=dw)
    return (
        None if dlhs is None else dlhs.astype(lhs.dtype),
        None if drhs is None else drhs.astype(rhs.dtype),
        counters,
    )


def count_backward(task: Task, lhs: Array, rhs: Array, cotangent: Array, *, dx: bool, dw: bool) -> Counters:
    """What the gradients take, in closed form; their effectual MACs from the data. What one of them does not need of
    the operands is not looked at."""
    contraction, emulation = task.contraction, task.emulation
    check_computes(emulation, dx=dx, dw=dw)
    counters = core.count(
        contraction.gemm,
        emulation.array,
        emulation.schedule,
        weight_update=emulation.weight_update,
        objective=emulation.objective,
        dx=dx,
        dw=dw,
    ).times(contraction.groups)
    live = contraction.effectual_forward(lhs, rhs)[1]
    of_dx, of_dw = contraction.effectual_backward(live, rhs, cotangent)
    return counters.with_effectual(add(of_dx, of_dw) if dx and dw else of_dx if dx else of_dw)


def check_computes(emulation: Emulation, *, dx: bool, dw: bool) -> None:
    """Refuses a schedule that leaves out a gradient that the function computes."""
    if (emulation.schedule == "ws" and dw) or (emulation.schedule == "os" and dx):
        missing = "dW" if dw else "dX"
        raise ValueError(
            f"schedule: got {emulation.schedule!r}, and the function computes {missing} too; choose sequential, "
            "interleaved, ws_only, os_only or auto"
        )


@jax.tree_util.register_static
class _Wanted(NamedTuple):
    dx: bool
    dw: bool
    counts: bool


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _product(task: Task, lhs: Array, rhs: Array, tap: Float32[Array, "2 8 15"]) -> tuple[Array, Counters]:
    return forward(task, lhs, rhs)


def _product_forward(task: Task, lhs: Any, rhs: Any, tap: Any) -> tuple[tuple[Array, Counters], Any]:
    out, counters = forward(task, lhs.value, rhs.value)
    wanted = _Wanted(lhs.perturbed, rhs.perturbed, tap.perturbed)
    return (out, counters), (wanted, lhs.value, rhs.value, counters)


def _product_backward(task: Task, residuals: Any, cotangents: tuple[Any, Any]) -> tuple[Array | None, ...]:
    wanted, lhs, rhs, counters = residuals
    cotangent: Any = cotangents[0]
    if isinstance(cotangent, jax.custom_derivatives.SymbolicZero):
        cotangent = jnp.zeros(cotangent.shape, cotangent.dtype)  # pyright: ignore[reportArgumentType]  # a dtype
    dlhs = drhs = dtap = None
    spent = Counters.zero()
    if wanted.dx or wanted.dw:
        dlhs, drhs, spent = backward(task, lhs, rhs, cotangent, dx=wanted.dx, dw=wanted.dw)
    if wanted.counts:
        dtap = tap_cotangent(counters, spent)
    return vary_alike(lhs, dlhs, drhs, dtap)[1:]


_product.defvjp(_product_forward, _product_backward, symbolic_zeros=True)


@jax.custom_jvp
def once(value: Array) -> Array:
    """``value``, a gradient that was found in a trace; refuses to be differentiated again."""
    return value


@once.defjvp
def _once(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    raise ValueError(
        "emulated: got a derivative of a function that computes gradients itself; put both inside, emulated(grad(grad("
        "...)))"
    )


def float0(value: Array) -> np.ndarray:
    """The tangent of what has none."""
    return np.zeros(value.shape, jax.dtypes.float0)
