"""Weight-stationary: each PE keeps a weight, psums flow down (DESIGN.md section 2, ``v_out = v_in + w h_in``)."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxgrad.array.passes.base import Pass, Step, Wave, product, shift_down


class WeightStationary(NamedTuple):
    w: Array


def weight_stationary() -> Pass:
    """``result[s, q] = sum_p h[s, p] operand[p, q]``, the operand loaded into the PEs before the stream."""

    def init(rows: int, cols: int, dtype: Any) -> WeightStationary:
        return WeightStationary(jnp.zeros((rows, cols), dtype))

    def step(registers: WeightStationary, h: Array, v: Array, wave: Wave) -> Step:
        return Step(registers, v + product(registers.w, h), registers.w)

    def shift(registers: WeightStationary, slot: int, top: Array, enable: Any) -> tuple[WeightStationary, Array]:
        w, bottom = shift_down(registers.w, top, enable)
        return WeightStationary(w), bottom

    def tile(h: Array, operands: tuple[Array, ...], psums: tuple[Array | None, ...]) -> tuple[Array, ...]:
        (operand,), (psum,) = operands, psums
        product = jnp.matmul(h, operand)
        return (product if psum is None else psum + product,)

    return Pass(("operand",), init, step, shift, tile)
