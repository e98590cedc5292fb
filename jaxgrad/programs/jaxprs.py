"""Jaxprs inside jaxprs: what an equation calls."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn

LOOPS = ("scan", "while", "cond")
SOLVE = "custom_linear_solve"
JITS = ("jit", "pjit")
# Primitives whose jaxpr combines two elements, or is a kernel.
_ELEMENT_BY_ELEMENT = ("reduce", "reduce_window", "select_and_scatter", "pallas_call")


def inner(equation: JaxprEqn) -> Iterator[Jaxpr]:
    """The jaxprs among an equation's parameters: a loop's body, the branches of a ``cond``, a called function."""
    return (jaxpr for jaxpr, _ in closed(equation))


def closed(equation: JaxprEqn) -> Iterator[tuple[Jaxpr, Sequence[Any]]]:
    """The same, each with the values of its ``constvars``."""
    for value in equation.params.values():
        for item in value if isinstance(value, tuple | list) else (value,):
            if isinstance(item, ClosedJaxpr):
                yield item.jaxpr, item.consts
            elif isinstance(item, Jaxpr):
                yield item, ()


class Called(NamedTuple):
    """A jaxpr that an equation runs once.

    Args:
        number: which one among ``inner`` it is.
        jaxpr: itself.
        consts: the values of its ``constvars``.
        operands: the indices of those of the equation's operands that it is run on.
    """

    number: int
    jaxpr: Jaxpr
    consts: Sequence[Any]
    operands: Sequence[int]


def called(equation: JaxprEqn) -> Called | None:
    """The jaxpr that an equation calls on its own operands, once, if that is what it does.

    ``lax.custom_linear_solve`` is a call of its solver: the matrix's own products are for its derivative.
    """
    jaxprs = list(closed(equation))
    if equation.primitive.name == SOLVE:
        return _solver(equation, jaxprs)
    if len(jaxprs) != 1 or equation.primitive.name in (*LOOPS, *_ELEMENT_BY_ELEMENT):
        return None
    ((jaxpr, consts),) = jaxprs
    fits = len(jaxpr.invars) == len(equation.invars) and len(jaxpr.outvars) == len(equation.outvars)
    return Called(0, jaxpr, consts, range(len(jaxpr.invars))) if fits else None


def _solver(equation: JaxprEqn, jaxprs: Sequence[tuple[Jaxpr, Sequence[Any]]]) -> Called:
    lengths, parts = equation.params["const_lengths"], equation.params["jaxprs"]
    number = sum(part is not None for part in (parts.matvec, parts.vecmat))
    first, right_side = lengths.matvec + lengths.vecmat, sum(lengths)
    operands = (*range(first, first + lengths.solve), *range(right_side, len(equation.invars)))
    return Called(number, *jaxprs[number], operands)


def followed(equation: JaxprEqn) -> list[tuple[int, Jaxpr]]:
    """The jaxprs of an equation that a walk of a trace goes into, since it is known how they run, each with its number
    among ``inner``."""
    if equation.primitive.name in LOOPS:
        return list(enumerate(inner(equation)))
    call = called(equation)
    return [] if call is None else [(call.number, call.jaxpr)]


def equations(jaxpr: Jaxpr) -> Iterator[JaxprEqn]:
    """All equations of a jaxpr and of those that they have among their parameters."""
    for equation in jaxpr.eqns:
        yield equation
        for part in inner(equation):
            yield from equations(part)


def runs(equation: JaxprEqn) -> int:
    """How often one run of the equation runs its inner jaxprs: a scan's length, a while loop's trips if they were told
    (see ``with_trips``), as often as ``shard_map`` has devices; once otherwise."""
    name = equation.primitive.name
    if name == "scan" or (name == "while" and "length" in equation.params):
        return equation.params["length"]
    if name == "shard_map":
        mesh, manual = equation.params["mesh"], equation.params["newly_manual_axes"]
        return math.prod(mesh.shape[axis] for axis in manual)
    return 1


def with_trips(jaxpr: Jaxpr, trips: Callable[[JaxprEqn], int | None]) -> Jaxpr:
    """The jaxpr, to be read and not run, with a ``length`` on each while loop for which ``trips`` gives one."""

    def with_length(equation: JaxprEqn) -> JaxprEqn:
        length = trips(equation) if equation.primitive.name == "while" else None
        if length is not None:
            equation = equation.replace(params=equation.params | {"length": length})
        return with_inner(equation, lambda inner: with_trips(inner, trips))

    return jaxpr.replace(eqns=[with_length(equation) for equation in jaxpr.eqns])


def with_inner(equation: JaxprEqn, change: Callable[[Jaxpr], Jaxpr]) -> JaxprEqn:
    """The equation with the jaxprs that it calls changed."""

    def changed(value: Any) -> Any:
        if isinstance(value, ClosedJaxpr):
            return value.replace(jaxpr=change(value.jaxpr))
        if isinstance(value, Jaxpr):
            return change(value)
        if isinstance(value, tuple) and any(isinstance(item, ClosedJaxpr | Jaxpr) for item in value):
            items = map(changed, value)
            return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
        return value

    return equation.replace(params={name: changed(value) for name, value in equation.params.items()})


def scan_counts(equation: JaxprEqn) -> tuple[int, int]:
    """How many of a scan's operands are constants, and how many are carried: outside of the body, what is scanned over
    has one more axis than inside."""
    (body,) = inner(equation)

    def unscanned(outside: Sequence[Any], inside: Sequence[Any]) -> int:
        return sum(len(one.aval.shape) == len(other.aval.shape) for one, other in zip(outside, inside, strict=True))

    carried = unscanned(equation.outvars, body.outvars)
    return unscanned(equation.invars, body.invars) - carried, carried
