"""Jaxprs inside jaxprs: what an equation calls."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn

LOOPS = ("scan", "while", "cond")
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


def called(equation: JaxprEqn) -> Jaxpr | None:
    """The jaxpr that an equation calls on its own operands, once, if that is what it does."""
    jaxprs = list(inner(equation))
    if len(jaxprs) != 1 or equation.primitive.name in (*LOOPS, *_ELEMENT_BY_ELEMENT):
        return None
    fits = len(jaxprs[0].invars) == len(equation.invars) and len(jaxprs[0].outvars) == len(equation.outvars)
    return jaxprs[0] if fits else None


def is_followed(equation: JaxprEqn) -> bool:
    """Whether a walk of a trace goes into the jaxprs of an equation, since it is known how they run."""
    return equation.primitive.name in LOOPS or called(equation) is not None


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
            return tuple(map(changed, value))
        return value

    return equation.replace(params={name: changed(value) for name, value in equation.params.items()})
