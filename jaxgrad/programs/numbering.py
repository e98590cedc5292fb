"""Which values of a trace are the same: a number for each, followed through calls, loops and views.

Two equations of one primitive with the same parameters and operands get the same number: what ``jax.checkpoint`` runs
anew is known again. A value that merely shows another's elements otherwise (a transpose, a reshape, a cast) has the
other's ``origin``; so has one that is another's multiple by a number in the program, zero where that is zero. A scan's
stacked inputs and outputs have the number of their slice, its constants that of the value outside; a carry is a value
of its own, unless the body hands it on untouched.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn
from jax.extend.core import Literal as Constant

from jaxgrad.programs import jaxprs
from jaxgrad.programs.kinds import Place
from jaxgrad.programs.operations import MADE, elements
from jaxgrad.programs.trace import Join, Shown, Site, Trace, Value

# They show the elements that they are given, all of them.
_SHOWS = frozenset({
    "broadcast_in_dim", "convert_element_type", "copy", "copy_p", "expand_dims", "name", "optimization_barrier",
    "pbroadcast", "pvary", "rev", "reduce_precision", "reshape", "sharding_constraint", "squeeze", "stop_gradient",
    "transpose", "mesh_cast", "reshard",
})  # fmt: skip

_Closed = tuple[Jaxpr, Sequence[Any]]  # a jaxpr and the values of its constvars


def walk(jaxpr: ClosedJaxpr) -> Trace:
    """Goes through a whole trace."""
    sites: list[Site] = []
    numbering = Numbering(sites.append)
    results = numbering.walk(jaxpr)
    made = numbering.carried | {out.origin for site in sites for out in site.outs}
    needed = numbering.kept | {value.origin for value in results}
    return Trace(sites, made, numbering.carried, needed, numbering.given, results, numbering.shows, numbering.joins)


class Numbering:
    """A walk through a jaxpr and all that it calls.

    Args:
        visit: told of every equation that makes something and calls nothing, in the order in which they run.
    """

    def __init__(self, visit: Callable[[Site], None]) -> None:
        self._visit = visit
        self._numbers: dict[Hashable, Value] = {}
        self._next = self._visited = 0
        self.kept: set[int] = set()  # origins of what is needed, whether or not it leads to a result
        self.carried: set[int] = set()  # origins of what a round of a loop finds
        self.given: dict[int, int] = {}
        self.shows: dict[int, Shown] = {}
        self.joins: dict[int, Join] = {}

    def walk(self, jaxpr: ClosedJaxpr) -> list[Value]:
        """Goes through a whole trace; its results' values."""
        operands = [self._outside(variable) for variable in jaxpr.jaxpr.invars]
        return self._run((jaxpr.jaxpr, jaxpr.consts), operands, Place(), 1)

    def _outside(self, variable: object) -> Value:
        value = self._new()
        self.given[value.origin] = elements(variable)
        return value

    def _constant(self, variable: object, array: object) -> Value:
        """An array from outside, by its identity: the same at whichever place of a trace JAX takes it in."""
        key = ("array", id(array))
        if key not in self._numbers:
            self._numbers[key] = self._outside(variable)
        return self._numbers[key]

    def _new(self) -> Value:
        self._next += 1
        return Value(self._next, self._next)

    def _run(self, closed: _Closed, operands: Sequence[Value], outer: Place, runs: int) -> list[Value]:
        jaxpr, arrays = closed
        known: dict[object, Value] = dict(zip(jaxpr.invars, operands, strict=True))
        constants = zip(jaxpr.constvars, arrays, strict=True)
        known.update((variable, self._constant(variable, array)) for variable, array in constants)

        def value(variable: Any) -> Value:
            if isinstance(variable, Constant):
                return self._numbers.setdefault(("constant", str(variable.val), str(variable.aval)), self._new())
            return known[variable]

        for equation in jaxpr.eqns:
            own = [value(variable) for variable in equation.invars]
            outs = self._equation(equation, own, outer.within(equation), runs)
            known.update(zip(equation.outvars, outs, strict=True))
        return [value(variable) for variable in jaxpr.outvars]

    def _equation(self, equation: JaxprEqn, operands: list[Value], place: Place, runs: int) -> list[Value]:
        name = equation.primitive.name
        inner = list(jaxprs.closed(equation))
        runs *= jaxprs.runs(equation)
        if name == "scan":
            return self._scan(equation, inner[0], operands, place, runs)
        if name == "while":
            return self._while(equation, inner, operands, place, runs)
        if name == "cond":
            self._keep(operands[:1])
            return self._cond(equation, inner, operands[1:], place, runs)
        if jaxprs.called(equation) is not None:
            return self._run(inner[0], operands, place, runs)
        return self._plain(equation, operands, place, runs)

    def _plain(self, equation: JaxprEqn, operands: list[Value], place: Place, runs: int) -> list[Value]:
        name = equation.primitive.name
        outs = [self._number(equation, operands, index) for index in range(len(equation.outvars))]
        if equation.effects:
            self._keep(operands)
        scaled = _scaled(equation)
        if scaled is not None or (name in _SHOWS and operands):
            shown = range(len(outs)) if scaled is None else (scaled,)
            for out, index, made in zip(outs, shown, equation.outvars, strict=True):
                shapes = _shape(equation.invars[index]), _shape(made)
                self.shows[out.number] = Shown(equation, operands[index], *shapes)
            outs = [Value(out.number, operands[index].origin) for out, index in zip(outs, shown, strict=True)]
        elif outs:
            self._visited += 1
            self._visit(Site(equation, tuple(operands), tuple(outs), place, runs))
        return outs

    def _number(self, equation: JaxprEqn, operands: Sequence[Value], index: int) -> Value:
        if equation.effects:
            return self._new()
        shapes = tuple(str(variable.aval) for variable in (*equation.invars, *equation.outvars))
        parameters: tuple[Any, ...] = tuple(sorted(equation.params.items(), key=lambda item: item[0]))
        try:
            key = (equation.primitive.name, parameters, shapes, tuple(own.number for own in operands), index)
            return self._numbers.setdefault(key, self._new())
        except TypeError:  # a parameter that can't be a key
            return self._new()

    def _scan(self, equation: JaxprEqn, inner: _Closed, operands: list[Value], place: Place, runs: int) -> list[Value]:
        body, _ = inner
        consts, carries = _scan_counts(equation, body)
        given = list(operands)
        changing = {
            index: index - consts
            for index in range(consts, consts + carries)
            if body.outvars[index - consts] is not body.invars[index]
        }
        entry = self._visited
        for index in changing:
            given[index] = self._carry(given[index])
        outs = self._run(inner, given, place, runs)
        for index, out in changing.items():
            sources = operands[index], outs[out]
            self.joins[given[index].origin] = Join(sources, loops=True, entry=entry, trips=jaxprs.runs(equation))
        self._keep(outs[:carries])
        return outs

    def _while(
        self, equation: JaxprEqn, inner: list[_Closed], operands: list[Value], place: Place, runs: int
    ) -> list[Value]:
        test, body = inner
        for_test, for_body = equation.params["cond_nconsts"], equation.params["body_nconsts"]
        consts = operands[for_test : for_test + for_body]
        starts = operands[for_test + for_body :]
        carries = [
            own if body[0].outvars[index] is body[0].invars[for_body + index] else self._carry(own)
            for index, own in enumerate(starts)
        ]
        entry = self._visited
        self._keep(self._run(test, [*operands[:for_test], *carries], place, runs))
        outs = self._run(body, [*consts, *carries], place, runs)
        for start, carry, out in zip(starts, carries, outs, strict=True):
            if carry is not start:
                self.joins[carry.origin] = Join((start, out), loops=True, entry=entry, trips=jaxprs.runs(equation))
        self._keep(outs)
        return outs

    def _cond(
        self, equation: JaxprEqn, inner: list[_Closed], operands: list[Value], place: Place, runs: int
    ) -> list[Value]:
        outs = [self._run(branch, operands, place, runs) for branch in inner]
        branches = [branch for branch, _ in inner]
        return [self._either(branches, outs, index) for index in range(len(equation.outvars))]

    def _either(self, branches: list[Jaxpr], outs: list[list[Value]], index: int) -> Value:
        """The result of the one branch that computes it, where the others fill in a constant; else a new value."""
        computed = {
            out[index] for branch, out in zip(branches, outs, strict=True) if not _filled(branch, branch.outvars[index])
        }
        if len(computed) == 1:
            return computed.pop()
        self._keep(out[index] for out in outs)
        value = self._new()
        self.joins[value.origin] = Join(tuple(dict.fromkeys(out[index] for out in outs)), loops=False)
        return value

    def _carry(self, start: Value) -> Value:
        self._keep([start])
        value = self._new()
        self.carried.add(value.origin)
        return value

    def _keep(self, values: Iterable[Value]) -> None:
        self.kept.update(value.origin for value in values)


def _scaled(equation: JaxprEqn) -> int | None:
    """Which operand an equation multiplies by a number that stands in the program, if that is what it does."""
    name, operands = equation.primitive.name, equation.invars
    if name == "neg":
        return 0
    if name not in ("mul", "div"):
        return None
    numbers = [isinstance(operand, Constant) and np.ndim(operand.val) == 0 for operand in operands]
    if numbers[0] == numbers[1] or (name == "div" and numbers[0]):
        return None
    number: Any = operands[numbers.index(True)]
    return numbers.index(False) if np.isfinite(number.val) and number.val != 0 else None


def _scan_counts(equation: JaxprEqn, body: Jaxpr) -> tuple[int, int]:
    """How many of a scan's operands are constants, and how many are carried: what is scanned has an axis more outside
    of the body than in it."""

    def whole(outside: Sequence[object], inside: Sequence[object]) -> int:
        return sum(_rank(out) == _rank(own) for out, own in zip(outside, inside, strict=True))

    carries = whole(equation.outvars, body.outvars)
    return whole(equation.invars, body.invars) - carries, carries


def _rank(variable: object) -> int:
    return len(_shape(variable))


def _shape(variable: object) -> tuple[int, ...]:
    return getattr(getattr(variable, "aval", None), "shape", ())


def _filled(jaxpr: Jaxpr, variable: object) -> bool:
    """Whether a result is a constant spread over its shape."""
    if isinstance(variable, Constant):
        return True
    makers: dict[Any, JaxprEqn] = {out: equation for equation in jaxpr.eqns for out in equation.outvars}
    maker = makers.get(variable)
    while maker is not None:
        if maker.primitive.name in MADE:
            return True
        if maker.primitive.name != "broadcast_in_dim":
            return False
        if isinstance(maker.invars[0], Constant):
            return True
        maker = makers.get(maker.invars[0])
    return False
