"""Output-stationary: each PE keeps a sum, both operands flow past it (DESIGN.md section 2, ``acc += v_in h_in``)."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxgrad.array.passes.base import Pass, Step, Wave, product, shift_down


class OutputStationary(NamedTuple):
    acc: Array


def output_stationary() -> Pass:
    """``result[p, q] = sum_s h[s, p] operand[s, q]``, the result drained from the PEs after the stream."""

    def init(rows: int, cols: int, dtype: Any) -> OutputStationary:
        return OutputStationary(jnp.zeros((rows, cols), dtype))

    def step(registers: OutputStationary, h: Array, v: Array, wave: Wave) -> Step:
        return Step(OutputStationary(registers.acc + product(v, h)), v, v)

    def shift(registers: OutputStationary, slot: int, top: Array, enable: Any) -> tuple[OutputStationary, Array]:
        acc, bottom = shift_down(registers.acc, top, enable)
        return OutputStationary(acc), bottom

    def tile(h: Array, operands: tuple[Array, ...], psums: tuple[Array | None, ...]) -> tuple[Array, ...]:
        (operand,) = operands
        return (jnp.matmul(h.T, operand),)

    return Pass(("result",), init, step, shift, tile)
