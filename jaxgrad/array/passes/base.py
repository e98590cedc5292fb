"""What a pass is: a few pure functions over NamedTuple registers, composed as optax composes transformations.

A pass maps one GEMM, or several that share an operand, onto an R x C array. Three axes name its sizes: ``s`` is
streamed (one row of the horizontal operand after another), ``p`` lies along the array's rows, ``q`` along its columns.
The horizontal operand ``h[s, p]`` enters at the left edge and is shared by the slots that keep something. Such a slot
keeps one matrix ``[p, q]`` in its PEs and streams another ``[s, q]`` along the vertical links. A slot that keeps
nothing of its own uses the operand that the slot before it keeps, and sends sums ``[s, p]`` to the right:

==============  =================================  =============================  =============================
a slot that     has in its PEs                     streams vertically             streams horizontally
==============  =================================  =============================  =============================
keeps operand   its operand, loaded before         its result, as partial sums    ``h``
keeps result    its result, drained afterwards     its operand                    ``h``
keeps nothing   the operand of the slot before it  its operand                    its result, as partial sums
==============  =================================  =============================  =============================

A new dataflow is a function that makes a pass, as ``weight_stationary.py`` has one, and a ``dataflows.Dataflow`` of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Int, Num

Registers = Any
"""The registers of every PE that a pass keeps from cycle to cycle: a NamedTuple of [rows, cols] planes."""

Keeps = Literal["operand", "result", "nothing"]


class Wave(NamedTuple):
    """What the wavefront that reaches a PE this cycle tells it; each a [rows, cols] plane.

    Args:
        owner: the slot whose MAC this is.
        first: whether this is the first streamed row of a tile; None where no pass asks.
        last: whether it is the last one.
    """

    owner: Int[Array | np.ndarray, "rows cols"]
    first: Bool[Array, "rows cols"] | None = None
    last: Bool[Array, "rows cols"] | None = None


class Step(NamedTuple):
    """One cycle of every PE.

    Args:
        registers: its next registers.
        v: what it sends down.
        multiplicand: what it multiplied by the operand that passes it: ``h``, or ``v`` where a slot keeps nothing.
        h: what it sends to the right; None for what came from the left.
    """

    registers: Registers
    v: Num[Array, "rows cols"]
    multiplicand: Num[Array, "rows cols"]
    h: Num[Array, "rows cols"] | None = None


class Pass(NamedTuple):
    """A dataflow, or a composition of some.

    Args:
        keeps: for each slot, what stays in the PEs; its length is the number of cycles each streamed row is held.
        init: ``(rows, cols, dtype) -> registers``, all zero.
        step: ``(registers, h, v, wave) -> Step``: one MAC in every PE; h and v are the values on its input links. The
            registers of a slot that keeps nothing are those of the slot before it.
        shift: ``(registers, slot, top, enable) -> (registers, bottom)``: moves what the slot keeps down by one row
            where ``enable`` holds (a [rows, cols] plane, or True); ``top`` [cols] enters, ``bottom`` [cols] leaves.
        tile: ``(h [s, p], operands, psums) -> results``, tuples with one entry a slot: the whole tile at once. A
            slot's psum is the partial sum so far, or None for a slot that keeps its result. In place of h, a pass that
            keeps nothing is given the operand ``[p, q]`` that it uses.
    """

    keeps: tuple[Keeps, ...]
    init: Callable[[int, int, Any], Registers]
    step: Callable[[Registers, Array, Array, Wave], Step]
    shift: Callable[[Registers, int, Array, Any], tuple[Registers, Array]]
    tile: Callable[[Array, tuple[Array, ...], tuple[Array | None, ...]], tuple[Array, ...]]


@jax.jit
def product(a: Num[Array, "*pes"], b: Num[Array, "*pes"]) -> Num[Array, "*pes"]:
    """What a PE's multiplier gives, rounded before anything is added to it.

    XLA rounds ``c + a * b`` once or twice as it likes, differently in PEs of one plane and on arrays of other sizes. A
    product that a condition reads too it rounds by itself.
    """
    exact = a * b
    return jnp.where(exact != exact, jnp.nan, exact) if jnp.issubdtype(exact.dtype, jnp.floating) else exact


def shift_down(
    plane: Num[Array, "rows cols"], top: Num[Array, " cols"], enable: Any
) -> tuple[Num[Array, "rows cols"], Num[Array, " cols"]]:
    """Moves a plane of registers down by one row where enabled; returns it and what stood in the bottom row."""
    moved = jnp.concatenate([top[None], plane[:-1]])
    return (moved if enable is True else jnp.where(enable, moved, plane)), plane[-1]


def height(keeps: Keeps, s: int, p: int) -> int:
    """Rows of a slot's operand, of ``q`` columns."""
    return p if keeps == "operand" else s


def lender(keeps: tuple[Keeps, ...], slot: int) -> int:
    """The slot whose operand a slot uses: its own, or the one before it."""
    return slot - 1 if keeps[slot] == "nothing" else slot
