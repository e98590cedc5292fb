"""Dataflows: names -> the pass that a PE runs (DESIGN.md section 7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from jaxgrad.array.passes.base import Keeps, Pass
from jaxgrad.array.passes.combinators import transposed
from jaxgrad.array.passes.output_stationary import output_stationary
from jaxgrad.array.passes.weight_stationary import weight_stationary
from jaxgrad.base.errors import InputError, shown
from jaxgrad.base.registry import Names, Registry


@dataclass(frozen=True)
class Dataflow:
    """What a PE does with the words that pass it. Hashable, as ``Mapping``, ``Schedule`` and ``Emulation`` are.

    Args:
        name: what ``Product`` and messages call it.
        new_pass: makes its pass, of one slot: see ``passes.base`` and, as an example, ``passes.weight_stationary``.

    Raises:
        InputError: the pass is none, or has several slots (mappings put several passes on the array together).
    """

    name: str
    new_pass: Callable[[], Pass]

    def __post_init__(self) -> None:
        made = self.new_pass() if callable(self.new_pass) else None
        if not isinstance(made, Pass) or len(made.keeps) != 1:
            got = shown(made) if callable(self.new_pass) else f"a {type(self.new_pass).__name__}"
            what = f"a pass of {len(made.keeps)} slots" if isinstance(made, Pass) else got
            remedy = "give a function without arguments that makes a Pass of one slot"
            raise InputError("new_pass", self.new_pass, remedy, problem=f"got {what}")

    @cached_property
    def keeps(self) -> Keeps:
        """What stays in the PEs, from which follow the axes of its operand and its result, and its closed form."""
        (kept,) = self.new_pass().keeps
        return kept


_REGISTRY: Registry[Dataflow] = Registry("dataflow", Dataflow)
register, unregister, find = _REGISTRY.register, _REGISTRY.unregister, _REGISTRY.find
DATAFLOWS: Names[Dataflow] = _REGISTRY.names()


def _weight_stationary_transposed() -> Pass:
    return transposed(weight_stationary())


register(Dataflow("ws", weight_stationary))
register(Dataflow("os", output_stationary))
register(Dataflow("ws_transposed", _weight_stationary_transposed))
