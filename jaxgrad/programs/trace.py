"""What a walk through a traced program finds: its equations, the values between them, and where values meet."""

from __future__ import annotations

from typing import NamedTuple

from jax.extend.core import JaxprEqn

from jaxgrad.programs.kinds import Place


class Value(NamedTuple):
    """A value of a program.

    Args:
        number: its value number; equal values have the same.
        origin: the number of the value whose elements it shows; its own, unless it is a view or a multiple.
    """

    number: int
    origin: int


class Site(NamedTuple):
    """An equation at the place where the walk meets it.

    Args:
        equation: the equation.
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
    """A value that is one of several, as a phi node of static single assignment says: what a loop carries, or what a
    conditional returns.

    Args:
        sources: a loop's initial value and what a round hands to the next; or each branch's result.
        loops: whether it is a loop's.
        entry: how many sites come before the loop.
        trips: how many rounds it has.
    """

    sources: tuple[Value, ...]
    loops: bool
    entry: int = 0
    trips: int = 1


class View(NamedTuple):
    """How a value shows the elements of another.

    Args:
        equation: the one that makes the view.
        value: the operand whose elements it shows.
        inside: that operand's shape.
        outside: the view's.
    """

    equation: JaxprEqn
    value: Value
    inside: tuple[int, ...]
    outside: tuple[int, ...]


class Trace(NamedTuple):
    """A whole trace, as the walk finds it.

    Args:
        sites: every equation that computes something and calls nothing, in the order in which they run.
        computed: the origins of equations' results and of what loops carry; all others come from outside.
        carried: the origins of what loops carry, weights in training among it.
        roots: the origins of what is live in any case: results, and what effects take, loops carry and branches return.
        inputs: elements of what comes from outside, by origin; literals of the program are not among it.
        results: what the program returns.
        views: by their numbers.
        joins: by origin, what loops carry and branches return.
        solutions: of linear solves (``lax.custom_linear_solve``), by origin the derivatives taken of the solve.
    """

    sites: list[Site]
    computed: set[int]
    carried: set[int]
    roots: set[int]
    inputs: dict[int, int]
    results: list[Value]
    views: dict[int, View]
    joins: dict[int, Join]
    solutions: dict[int, int]
