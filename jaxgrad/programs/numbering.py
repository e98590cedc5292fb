"""Global value numbering: which values of a trace are equal, through calls, loops, branches and views.

Two equations of one primitive with the same parameters and operands get the same value number: so what
``jax.checkpoint`` rematerialises is recognised. A view of a value (a transpose, a reshape, a cast) has that value's
``origin``; so has its product with a non-zero literal, which is zero where the value is. A scan's stacked inputs and
outputs have the number of their slice, its constants that of the value outside; a carry is a value of its own, unless
the body returns it unchanged.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn
from jax.extend.core import Literal as Constant

from jaxgrad.programs import jaxprs
from jaxgrad.programs.kinds import Place
from jaxgrad.programs.operations import MADE, elements, shape_of
from jaxgrad.programs.trace import Join, Site, Trace, Value, View

# Views of all elements of their operand.
_WHOLE_VIEWS = frozenset({
    "broadcast_in_dim", "convert_element_type", "copy", "copy_p", "expand_dims", "name", "optimization_barrier",
    "pbroadcast", "pvary", "rev", "reduce_precision", "reshape", "sharding_constraint", "squeeze", "stop_gradient",
    "transpose", "mesh_cast", "reshard",
})  # fmt: skip

_Closed = tuple[Jaxpr, Sequence[Any]]  # a jaxpr and the arrays that its constvars stand for


def walk(jaxpr: ClosedJaxpr) -> Trace:
    """Numbers the values of a whole trace.

    >>> import jax
    >>> trace = walk(jax.make_jaxpr(lambda x: (x.T @ x) + (x.T @ x))(jax.numpy.ones((3, 2))))
    >>> [site.equation.primitive.name for site in trace.sites]
    ['dot_general', 'dot_general', 'add']
    >>> first, second, total = trace.sites
    >>> first.outs == second.outs  # computed twice, one value
    True
    >>> first.operands[0].origin == first.operands[1].origin  # a transpose is a view
    True
    """
    numbering = Numbering()
    results = numbering.walk(jaxpr)
    computed = numbering.carried | {out.origin for site in numbering.sites for out in site.outs}
    return Trace(
        numbering.sites,
        computed,
        numbering.carried,
        numbering.roots | {value.origin for value in results},
        numbering.inputs,
        results,
        numbering.views,
        numbering.joins,
        numbering.solutions,
    )


class Numbering:
    """A walk through a jaxpr and all that it calls."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, Value] = {}
        self._next = 0
        self._scans: dict[Hashable, list[tuple[list[Value], list[Value]]]] = {}  # what they carried, and handed on
        self.sites: list[Site] = []  # equations that compute something and call nothing, in the order in which they run
        self.roots: set[int] = set()  # origins of what is live whether or not a result needs it
        self.carried: set[int] = set()  # origins of what loops carry
        self.inputs: dict[int, int] = {}
        self.views: dict[int, View] = {}
        self.joins: dict[int, Join] = {}
        self.solutions: dict[int, int] = {}

    def walk(self, jaxpr: ClosedJaxpr) -> list[Value]:
        """Numbers a whole trace and returns its results' values."""
        operands = [self._input(variable) for variable in jaxpr.jaxpr.invars]
        return self._run((jaxpr.jaxpr, jaxpr.consts), operands, Place(), 1)

    def _input(self, variable: object) -> Value:
        value = self._new()
        self.inputs[value.origin] = elements(variable)
        return value

    def _constant(self, variable: object, array: object) -> Value:
        """An array from outside, by its identity: the same at whichever place of a trace JAX takes it in."""
        key = ("array", id(array))
        if key not in self._numbers:
            self._numbers[key] = self._input(variable)
        return self._numbers[key]

    def _new(self) -> Value:
        self._next += 1
        return Value(self._next, self._next)

    def _run(self, closed: _Closed, operands: Sequence[Value], outer: Place, runs: int) -> list[Value]:
        jaxpr, arrays = closed
        values: dict[object, Value] = dict(zip(jaxpr.invars, operands, strict=True))
        constants = zip(jaxpr.constvars, arrays, strict=True)
        values.update((variable, self._constant(variable, array)) for variable, array in constants)

        def value(variable: Any) -> Value:
            if isinstance(variable, Constant):
                return self._numbers.setdefault(("constant", str(variable.val), str(variable.aval)), self._new())
            return values[variable]

        for equation in jaxpr.eqns:
            reads = [value(variable) for variable in equation.invars]
            outs = self._equation(equation, reads, outer.within(equation), runs)
            values.update(zip(equation.outvars, outs, strict=True))
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
            self._add_roots(operands[:1])
            return self._cond(equation, inner, operands[1:], place, runs)
        called = jaxprs.called(equation)
        if called is not None:
            reads = [operands[index] for index in called.operands]
            outs = self._run((called.jaxpr, called.consts), reads, place, runs)
            if name == jaxprs.SOLVE:
                self.solutions.update((out.origin, place.derivatives) for out in outs)
            return outs
        return self._plain(equation, operands, place, runs)

    def _plain(self, equation: JaxprEqn, operands: list[Value], place: Place, runs: int) -> list[Value]:
        name = equation.primitive.name
        outs = [self._number(equation, operands, index) for index in range(len(equation.outvars))]
        if equation.effects:
            self._add_roots(operands)
        scaled = _scaled(equation)
        if scaled is not None or (name in _WHOLE_VIEWS and operands):
            viewed = range(len(outs)) if scaled is None else (scaled,)
            for out, index, variable in zip(outs, viewed, equation.outvars, strict=True):
                shapes = shape_of(equation.invars[index]), shape_of(variable)
                self.views[out.number] = View(equation, operands[index], *shapes)
            outs = [Value(out.number, operands[index].origin) for out, index in zip(outs, viewed, strict=True)]
        elif outs:
            self.sites.append(Site(equation, tuple(operands), tuple(outs), place, runs))
        return outs

    def _number(self, equation: JaxprEqn, operands: Sequence[Value], index: int) -> Value:
        if equation.effects:
            return self._new()
        shapes = tuple(str(variable.aval) for variable in (*equation.invars, *equation.outvars))
        parameters: tuple[Any, ...] = tuple(sorted(equation.params.items(), key=lambda item: item[0]))
        try:
            key = (equation.primitive.name, parameters, shapes, tuple(operand.number for operand in operands), index)
            return self._numbers.setdefault(key, self._new())
        except TypeError:  # a parameter that can't be hashed
            return self._new()

    def _scan(self, equation: JaxprEqn, inner: _Closed, operands: list[Value], place: Place, runs: int) -> list[Value]:
        body, _ = inner
        consts, carries = jaxprs.scan_counts(equation)
        changing = [index for index in range(carries) if body.outvars[index] is not body.invars[consts + index]]
        starts = [operands[consts + index] for index in changing]

        def run(carried: list[Value]) -> tuple[list[Value], list[Value]]:
            reads = list(operands)
            for index, value in zip(changing, carried, strict=True):
                reads[consts + index] = value
            outs = self._run(inner, reads, place, runs)
            return outs, [outs[index] for index in changing]

        trips, entry = equation.params["length"], len(self.sites)
        scans = self._scans.setdefault((tuple(start.number for start in starts), trips, equation.params["reverse"]), [])
        # A checkpoint runs a scan again. It carries what the first one did, by induction, if it starts from the same
        # values and a round that carries the same in carries the same out.
        for carried, handed_on in scans if place.backward else ():
            outs, ends = run(carried)
            if ends == handed_on:
                return outs
            del self.sites[entry:]
        carried = [self._carry(start) for start in starts]
        outs, ends = run(carried)
        scans.append((carried, ends))
        for value, *sources in zip(carried, starts, ends, strict=True):
            self.joins[value.origin] = Join(tuple(sources), loops=True, entry=entry, trips=trips)
        self._add_roots(outs[:carries])
        return outs

    def _while(
        self, equation: JaxprEqn, inner: list[_Closed], operands: list[Value], place: Place, runs: int
    ) -> list[Value]:
        test, body = inner
        for_test, for_body = equation.params["cond_nconsts"], equation.params["body_nconsts"]
        consts = operands[for_test : for_test + for_body]
        starts = operands[for_test + for_body :]
        carries = [
            start if body[0].outvars[index] is body[0].invars[for_body + index] else self._carry(start)
            for index, start in enumerate(starts)
        ]
        entry = len(self.sites)
        self._add_roots(self._run(test, [*operands[:for_test], *carries], place, runs))
        outs = self._run(body, [*consts, *carries], place, runs)
        for start, carry, out in zip(starts, carries, outs, strict=True):
            if carry is not start:
                self.joins[carry.origin] = Join((start, out), loops=True, entry=entry, trips=jaxprs.runs(equation))
        self._add_roots(outs)
        return outs

    def _cond(
        self, equation: JaxprEqn, inner: list[_Closed], operands: list[Value], place: Place, runs: int
    ) -> list[Value]:
        outs = [self._run(branch, operands, place, runs) for branch in inner]
        branches = [branch for branch, _ in inner]
        return [self._branch_result(branches, outs, index) for index in range(len(equation.outvars))]

    def _branch_result(self, branches: list[Jaxpr], outs: list[list[Value]], index: int) -> Value:
        """The value of the one branch that computes it, where the others return a constant; else a new value."""
        computed = {
            out[index]
            for branch, out in zip(branches, outs, strict=True)
            if not _is_constant(branch, branch.outvars[index])
        }
        if len(computed) == 1:
            return computed.pop()
        self._add_roots(out[index] for out in outs)
        value = self._new()
        self.joins[value.origin] = Join(tuple(dict.fromkeys(out[index] for out in outs)), loops=False)
        return value

    def _carry(self, start: Value) -> Value:
        self._add_roots([start])
        value = self._new()
        self.carried.add(value.origin)
        return value

    def _add_roots(self, values: Iterable[Value]) -> None:
        self.roots.update(value.origin for value in values)


def _scaled(equation: JaxprEqn) -> int | None:
    """The index of the operand that an equation multiplies by a non-zero literal, if that is what it does."""
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


def _is_constant(jaxpr: Jaxpr, variable: object) -> bool:
    """Whether a result is a literal, broadcast to its shape."""
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
