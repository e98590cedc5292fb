"""A pass's functions as gates of one PE, where a kernel can take PEs wave by wave."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgrad.array.passes.base import Keeps, Pass, Wave
from jaxgrad.array.passes.circuit import ROUNDED, Node, gates, inputs, traced
from jaxgrad.array.passes.combinators import planes


class Stepped(NamedTuple):
    """What a PE does in a cycle in which a slot owns its MAC: see ``passes.base.Step``."""

    registers: dict[str, Node]
    v: Node
    multiplicand: Node


class Shifted(NamedTuple):
    """What a PE becomes as it takes ``top`` from above, and the register that the PE below takes."""

    registers: dict[str, Node]
    chain: str


class Cell(NamedTuple):
    """A PE.

    Args:
        keeps: for each slot, what stays in it.
        registers: their names.
        steps, shifts: one a slot.
    """

    keeps: tuple[Keeps, ...]
    registers: tuple[str, ...]
    steps: tuple[Stepped, ...]
    shifts: tuple[Shifted, ...]


def cell_of(pass_: Pass, dtype: Any) -> Cell | None:
    """The PE of a pass, words being of a type; None where its functions aren't such that waves can be taken by rows.

    h has to come to the next column as it is: columns are then alike. What a chain hands to the PE below is a register,
    and one that only shifts where a tile loads as another streams: so it is known before the cycle's MAC.

    Raises:
        InputError: its functions do what a PE has no gate for.

    >>> from jaxgrad.array.passes.output_stationary import output_stationary
    >>> cell = cell_of(output_stationary(), jnp.float32)
    >>> cell.registers, cell.steps[0].v.value, cell.shifts[0].chain
    (('acc',), 'v_in', 'acc')
    """
    if "nothing" in pass_.keeps:
        return None
    plane, flag = jnp.zeros((1, 1), dtype), jnp.zeros((1, 1), bool)
    registers = pass_.init(1, 1, dtype)
    named, tree = planes(registers), jax.tree.structure(registers)
    if any(leaf.dtype != plane.dtype for leaf in named.values()):
        return None
    known = {name: (node, plane) for name, node in zip(named, inputs(*named), strict=True)}
    top, h, v, first, last = inputs("top", "h_in", "v_in", "first", "last")

    def whole(known: dict[str, Any]) -> Any:
        return jax.tree.unflatten(tree, [known[name] for name in named])

    def step(owner: int) -> Callable[..., Any]:
        def cycle(known: dict[str, Any], h: Any, v: Any, first: Any, last: Any) -> Any:
            done = pass_.step(whole(known), h, v, Wave(jnp.full((1, 1), owner), first, last))
            return planes(done.registers), done.v, done.multiplicand, h if done.h is None else done.h

        return cycle

    def shift(slot: int) -> Callable[..., Any]:
        def cycle(known: dict[str, Any], top: Any) -> Any:
            moved, bottom = pass_.shift(whole(known), slot, top, True)
            return planes(moved), bottom

        return cycle

    steps: list[Stepped] = []
    shifts: list[Shifted] = []
    for slot in range(len(pass_.keeps)):
        *stepped, sent = traced(step(slot), (known, (h, plane), (v, plane), (first, flag), (last, flag)))
        moved, bottom = traced(shift(slot), (known, (top, plane[0])))
        if sent != h or bottom.gate != "input" or bottom.value not in named:
            return None
        steps.append(Stepped(*stepped))
        shifts.append(Shifted(moved, bottom.value))
    return Cell(pass_.keeps, tuple(named), tuple(steps), tuple(shifts))


def is_rounded(cell: Cell) -> bool:
    """Whether each sum has one value: no product in it is XLA's to round."""
    roots = [node for step in cell.steps for node in (*step.registers.values(), step.v, step.multiplicand)]
    added = [part for node in gates(roots) if node.gate in ("add", "sub") for part in node.of]
    return all(part.value == ROUNDED for part in added if part.gate == "mul")


def loads_beside(cell: Cell) -> bool:
    """Whether what a slot loads waits in registers that no MAC changes."""
    loaded = [shift.chain for kept, shift in zip(cell.keeps, cell.shifts, strict=True) if kept == "operand"]
    return all(step.registers[name] == inputs(name)[0] for step in cell.steps for name in loaded)
