"""What a walk through a traced program finds: its equations, the values between them, and where values meet."""

from __future__ import annotations

from typing import NamedTuple

from jax.extend.core import JaxprEqn

from jaxgrad.programs.kinds import Place


class Value(NamedTuple):
    """A value's number, and that of the value whose elements it shows."""

    number: int
    origin: int


class Site(NamedTuple):
    """An equation as the walk comes by it.

    Args:
        equation: what is there.
        operands: its operands' values.
        outs: its results' values.
        place: what its name stack says.
        runs: how often it runs; on all devices together, inside ``shard_map``.
    """

    equation: JaxprEqn
    operands: tuple[Value, ...]
    outs: tuple[Value, ...]
    place: Place
    runs: int


class Join(NamedTuple):
    """Where a value is one of several.

    Args:
        sources: what a loop begins with, and what one of its rounds hands on; or what the branches return.
        loops: whether it is a loop's.
        entry: how many sites come before the loop.
        trips: how many rounds it has.
    """

    sources: tuple[Value, ...]
    loops: bool
    entry: int = 0
    trips: int = 1


class Shown(NamedTuple):
    """The equation that makes a view, the operand whose elements that shows, and the shapes of the two."""

    equation: JaxprEqn
    value: Value
    inside: tuple[int, ...]
    outside: tuple[int, ...]


class Trace(NamedTuple):
    """A whole trace, as the walk finds it.

    Args:
        sites: every equation that makes something and calls nothing, in the order in which they run.
        made: the origins of what equations make and loops carry; what is left is given.
        carried: the origins of what loops carry, weights in training among it.
        needed: the origins of results, and of what effects take, loops carry and branches return.
        given: elements of what comes from outside, by origin; numbers in the program are not among it.
        results: what the whole returns.
        shows: the views, by their numbers.
        joins: by origin, what loops carry and branches return.
    """

    sites: list[Site]
    made: set[int]
    carried: set[int]
    needed: set[int]
    given: dict[int, int]
    results: list[Value]
    shows: dict[int, Shown]
    joins: dict[int, Join]
