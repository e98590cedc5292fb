"""A trace as a vector unit runs it: the steps of its work, what each reads and makes, and the earliest pass for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from jax.extend.core import Jaxpr, JaxprEqn
from jax.extend.core import Literal as Constant

from jaxgrad.programs import jaxprs
from jaxgrad.programs.kinds import Kind, Place, kind_of
from jaxgrad.programs.operations import BARRIERS, CUTS, MADE, VIEWS, elements, operations
from jaxgrad.programs.shapes import PRODUCTS

VectorPhase = Literal["forward", "backward", "update"]


class Key(NamedTuple):
    """Whose work: equations of one key can share a pass."""

    kind: Kind
    path: str


class Part(NamedTuple):
    """Elements of a value in memory that an operand is made of.

    Args:
        value: its number.
        words: how many of them.
        cut: which slice of it; 0 for all.
    """

    value: int
    words: int
    cut: int = 0


@dataclass
class Value:
    """The result of an equation, or an input.

    Args:
        words: its elements.
        step: the number of the step that computes it; None for an input.
        used: the numbers of the steps that read it.
        kept: whether it is a result of the function or of a loop's body, which no step reads.
    """

    words: int
    step: int | None
    used: list[int]
    kept: bool = False


@dataclass
class Step:
    """One equation: what it reads and in which pass it is.

    Args:
        key: whose it is; None for a GEMM or a loop.
        phase: of the training step.
        ends: whether its result ends a pass.
        operations: of all its runs.
        runs: how often it runs.
        reads: its operands' parts.
        made: the values it makes.
        level: passes that must be over before it.
        body: number of the loop body it is in.
    """

    key: Key | None
    phase: VectorPhase
    ends: bool
    operations: int
    runs: int
    reads: list[Part]
    made: list[int]
    level: int
    body: int

    @property
    def group(self) -> tuple[Any, ...]:
        return self.body, self.level, self.key, self.phase


class Trace:
    """The steps and the values of a trace, filled by ``run``."""

    def __init__(self) -> None:
        self.values: list[Value] = []
        self.steps: list[Step] = []
        self.late: set[int] = set()  # values that depend on the backward pass
        self.bodies = self.cuts = 0

    @classmethod
    def of(cls, jaxpr: Jaxpr) -> Trace:
        trace = cls()
        trace.keep(trace.run(jaxpr, [trace.input(variable) for variable in jaxpr.invars], Place(), 1, 0))
        return trace

    def input(self, variable: Any) -> list[Part]:
        """A new value from outside, as an operand."""
        return self._new(variable, None)

    def keep(self, operands: Iterable[Sequence[Part]]) -> None:
        for operand in operands:
            for part in operand:
                self.values[part.value].kept = True

    def run(self, jaxpr: Jaxpr, operands: Sequence[list[Part]], outer: Place, runs: int, body: int) -> list[list[Part]]:
        """Goes through a function and returns what its results are made of."""
        parts: dict[Any, list[Part]] = dict(zip(jaxpr.invars, operands, strict=True))
        parts.update((variable, self.input(variable)) for variable in jaxpr.constvars)

        def operand(variable: Any) -> list[Part]:
            return [] if isinstance(variable, Constant) else parts[variable]

        for equation in jaxpr.eqns:
            reads = [operand(variable) for variable in equation.invars]
            place = outer.within(equation)
            place = place._replace(kind=place.kind or kind_of(equation))
            parts.update(zip(equation.outvars, self._equation(equation, reads, place, runs, body), strict=True))
        return [operand(variable) for variable in jaxpr.outvars]

    def _equation(
        self, equation: JaxprEqn, reads: list[list[Part]], place: Place, runs: int, body: int
    ) -> list[list[Part]]:
        name = equation.primitive.name
        if name in PRODUCTS:
            return self._step(equation, reads, None, place, 0, runs, body, ends=True)
        if name in jaxprs.LOOPS:
            for loop_body in jaxprs.inner(equation):
                self.bodies += 1
                inputs = [self.input(variable) for variable in loop_body.invars]
                self.keep(self.run(loop_body, inputs, place, runs * jaxprs.runs(equation), self.bodies))
            return self._step(equation, reads, None, place, 0, runs, body, ends=True)
        called = jaxprs.called(equation)
        if called is not None:
            operands = [reads[index] for index in called.operands]
            return self.run(called.jaxpr, operands, place, runs * jaxprs.runs(equation), body)
        if name in VIEWS:
            return [self._view(reads, elements(out), cut=name in CUTS) for out in equation.outvars]
        key = Key(place.kind or "other", place.path)
        if name in MADE:
            return [[] for _ in equation.outvars]
        return self._step(equation, reads, key, place, operations(equation), runs, body, ends=name in BARRIERS)

    def _step(
        self,
        equation: JaxprEqn,
        reads: list[list[Part]],
        key: Key | None,
        place: Place,
        count: int,
        runs: int,
        body: int,
        *,
        ends: bool,
    ) -> list[list[Part]]:
        parts = [part for operand in reads for part in operand]
        phase = self._phase(place, parts)
        if phase == "update" and key is not None:
            key = key._replace(kind="update")
        number = len(self.steps)
        level = max((self._after(part.value, key, phase) for part in parts), default=0)
        outs = [self._new(variable, number) for variable in equation.outvars]
        made = [part.value for out in outs for part in out]
        if phase != "forward":
            self.late.update(made)
        self.steps.append(Step(key, phase, ends, count * runs, runs, parts, made, level, body))
        return outs

    def _phase(self, place: Place, parts: list[Part]) -> VectorPhase:
        if place.backward:
            return "backward"
        late = place.kind == "update" or any(part.value in self.late for part in parts)
        return "update" if late else "forward"

    def _after(self, value: int, key: Key | None, phase: VectorPhase) -> int:
        """The first level at which a step of that key can read the value."""
        number = self.values[value].step
        if number is None:
            return 0
        step = self.steps[number]
        return step.level + (step.key != key or step.phase != phase or step.ends)

    def _view(self, reads: list[list[Part]], size: int, *, cut: bool) -> list[Part]:
        """A view's elements: no more of each of its parts than it has itself."""
        self.cuts += cut
        return [
            Part(part.value, min(part.words, size), self.cuts if cut else part.cut) for read in reads for part in read
        ]

    def _new(self, variable: Any, step: int | None) -> list[Part]:
        self.values.append(Value(elements(variable), step, []))
        return [Part(len(self.values) - 1, elements(variable))]
