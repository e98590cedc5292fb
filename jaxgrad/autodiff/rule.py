"""The custom-VJP rule that both contractions share: the product and its gradients on the array, counted.

What is counted, and where. A tap's cotangent exists where autodiff reaches the layer: a layer whose output does not
enter the loss (JAX then never calls the backward rule), or whose tap is not differentiated, counts nothing. A gradient
that no one wants is neither computed nor counted. The counts of a forward product travel as residuals, so forward work
is counted once a backward pass; ``Task.runs`` says how often it really ran where ``jax.checkpoint`` runs it anew.

Under vmap a constant cotangent would be counted once instead of once an example; these depend on the operands, through
the effectual MACs.

What the estimator saves is all that lives from the forward to the backward pass: the operands are not kept beside it.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float32

from jaxgrad.array.counters import Counters
from jaxgrad.array.manual_axes import vary_alike
from jaxgrad.autodiff.estimators.base import Saved
from jaxgrad.autodiff.layer import Wanted
from jaxgrad.autodiff.taps import tap_cotangent
from jaxgrad.autodiff.task import Task
from jaxgrad.base.errors import InputError, shown


class _Residuals(NamedTuple):
    wanted: Wanted
    saved: Saved
    forward: Counters | None


def contract(task: Task, lhs: Array, rhs: Array, tap: Float32[Array, "2 8 15"], key: Array | None = None) -> Array:
    """``task.contraction`` of ``lhs`` and ``rhs``; the cotangent of ``tap`` tells what it and its gradients took.

    Raises:
        ValueError: ``task.estimator`` is random, and there is no key; or it has parameters.
    """
    if task.estimator.parameters:
        remedy = "it has parameters, which emulate_function and put_on_array know: give it to one of them"
        raise InputError("estimator", task.estimator, remedy)
    if key is None and task.estimator.random:
        raise InputError("key", None, f"{shown(task.estimator)} is random, give it jax.random.key(seed)")
    return _contract(task, *vary_alike(lhs, rhs, tap), key)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _contract(task: Task, lhs: Array, rhs: Array, tap: Float32[Array, "2 8 15"], key: Array | None) -> Array:
    return task.product(lhs, rhs, key, Wanted.of(lhs, rhs)).out


def _contract_forward(task: Task, lhs: Any, rhs: Any, tap: Any, key: Any) -> tuple[Array, _Residuals]:
    wanted = Wanted.of(lhs.value, rhs.value, dx=lhs.perturbed, dw=rhs.perturbed, counts=tap.perturbed)
    out, saved, spent = task.product(lhs.value, rhs.value, None if key is None else key.value, wanted)
    return out, _Residuals(wanted, saved, None if spent is None else spent.times(task.runs))


def _contract_backward(task: Task, residuals: _Residuals, cotangent: Array) -> tuple[Array | None, ...]:
    wanted, saved, forward = residuals
    dlhs = drhs = dtap = backward = None
    if wanted.dx or wanted.dw:
        dlhs, drhs, backward, _ = task.gradients(saved, cotangent, wanted)
    if forward is not None:
        dtap = tap_cotangent(forward, backward or Counters.zero())
    # Not None: layers upstream still have their forward work to tell.
    dlhs = jnp.zeros(wanted.lhs.shape, wanted.lhs.dtype) if dlhs is None else dlhs.astype(wanted.lhs.dtype)
    drhs = None if drhs is None else drhs.astype(wanted.rhs.dtype)
    return *vary_alike(cotangent, dlhs, drhs, dtap)[1:], None


_contract.defvjp(_contract_forward, _contract_backward, symbolic_zeros=True)
