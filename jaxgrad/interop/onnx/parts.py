"""A node as products and the work between them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from jaxgrad.programs import LayerGemm
from jaxgrad.programs.graph import Operand

Reads = tuple[tuple[str, Operand], ...]  # names of values, and for a product what they are there


class NotCounted(Exception):
    """A node whose products can't be told, and why."""


class NoShape(NotCounted):
    """The shape of a value can't be known."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no shape is known for {name!r}")


def multiplied(x: str, w: str, others: Iterable[str] = ()) -> Reads:
    """What a product reads; W may have no name. All others join its result."""
    weights: Reads = ((w, "w"),) if w else ()
    return ((x, "x"), *weights, *((name, "y") for name in others))


def beside(reads: Reads, past: str) -> Reads:
    """What a product reads whose W has a part more."""
    return (*reads, (past, "w"))


def read(*names: str) -> Reads:
    """What work beside the array reads."""
    return tuple((name, "x") for name in names)


class Part(NamedTuple):
    """A product, or work or a view beside the array.

    Args:
        reads: its operands.
        makes: names of its results; a product has one.
        gemm: a product's record.
        words: elements of a result that the model has no name for, in all runs of a step.
    """

    kind: Literal["layer", "work", "view"]
    reads: Reads
    makes: tuple[str, ...]
    gemm: LayerGemm | None = None
    words: int = 0


class Carried(NamedTuple):
    """A value that each of so many steps finds and makes anew, inside of a node.

    Args:
        value, start, after: names: of what a step finds, of that at first, and of what a step makes.
        entry: the part with which a step begins.
    """

    value: str
    start: str
    after: str
    steps: int
    entry: int


class Lowered(NamedTuple):
    """The parts of a node, in order."""

    parts: tuple[Part, ...]
    carried: tuple[Carried, ...]
