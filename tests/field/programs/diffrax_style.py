"""Neural differential equations as Diffrax's documentation writes them."""

from __future__ import annotations

from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from tests.field.program import Program, normal


def _solve(params: tuple[Array, Array], start: Array, controller: Any, adjoint: Any) -> Array:
    def field(t: Any, y: Array, params: tuple[Array, Array]) -> Array:
        return jnp.tanh(params[0] @ y) @ params[1]

    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(field), diffrax.Tsit5(), 0.0, 1.0, 0.25, start, params, stepsize_controller=controller,
        saveat=diffrax.SaveAt(t1=True), adjoint=adjoint, max_steps=16,
    )  # fmt: skip
    assert solution.ys is not None
    return jnp.sum(solution.ys**2)


def solution_with_adaptive_steps() -> Program:
    def loss(params: tuple[Array, Array], start: Array) -> Array:
        return _solve(params, start, diffrax.PIDController(rtol=1e-3, atol=1e-5), diffrax.DirectAdjoint())

    return Program(loss, ((normal(4, 3), normal(4, 3)), normal(3)))


def gradient_through_fixed_steps() -> Program:
    def loss(params: tuple[Array, Array], start: Array) -> Array:
        return _solve(params, start, diffrax.ConstantStepSize(), diffrax.RecursiveCheckpointAdjoint())

    return Program(eqx.filter_value_and_grad(loss), ((normal(4, 3), normal(4, 3)), normal(3)))


def backsolve_adjoint() -> Program:
    def loss(params: tuple[Array, Array], start: Array) -> Array:
        return _solve(params, start, diffrax.ConstantStepSize(), diffrax.BacksolveAdjoint())

    return Program(jax.grad(loss), ((normal(4, 3), normal(4, 3)), normal(3)))
