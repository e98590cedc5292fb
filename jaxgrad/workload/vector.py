"""The work of a training step that is no GEMM: what a vector unit does, and the words it moves.

Operations are those of ``operations``, of the equations as traced. Words are counted as a compiler fuses: neighbouring
elementwise equations of one kind, module and phase are one pass, which reads each of its inputs once and writes once
what others read. A reduction ends a pass, since what needs its result starts over the elements anew: batch
normalisation reads its input twice. What only its own layer needs again is made anew there from what made it (a ReLU's
mask from its input), without counting the operations twice; nothing but results of reductions, and what another kind
or module reads, goes through memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn
from jax.extend.core import Literal as Constant

from jaxgrad.workload import jaxprs
from jaxgrad.workload.gemms import PREFIX
from jaxgrad.workload.kinds import GEMMS, Kind, Place, kind_of
from jaxgrad.workload.operations import BARRIERS, CUTS, MADE, VIEWS, elements, operations

VectorPhase = Literal["forward", "backward", "update"]
_LOOPS = ("scan", "while", "cond")


@dataclass(frozen=True)
class VectorWork:
    """What a vector unit does of one kind, for one module, in one phase of a training step.

    Args:
        kind: normalisation, activation, pooling, softmax, loss, residual, bias, dropout, update or other.
        phase: forward, backward or update.
        operations: lane-cycles of a vector unit; see ``operations``.
        reads_words, writes_words: elements read from and written to memory.
        path: the module's place in the model; empty where none is known.
    """

    kind: Kind
    phase: VectorPhase
    operations: int
    reads_words: int
    writes_words: int
    path: str = ""


class _Key(NamedTuple):
    """Whose work: equations of one key can share a pass."""

    kind: Kind
    path: str


class _Part(NamedTuple):
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
class _Value:
    """Something that an equation makes, or that is given.

    Args:
        words: its elements.
        step: the number of the step that makes it; None for what is given.
        used: the numbers of the steps that need it.
        kept: whether something reads it that is no step: the function's caller.
    """

    words: int
    step: int | None
    used: list[int]
    kept: bool = False


@dataclass
class _Step:
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

    key: _Key | None
    phase: VectorPhase
    ends: bool
    operations: int
    runs: int
    reads: list[_Part]
    made: list[int]
    level: int
    body: int

    @property
    def group(self) -> tuple[Any, ...]:
        return self.body, self.level, self.key, self.phase


def vector_work(jaxpr: ClosedJaxpr) -> list[VectorWork]:
    """All work of a trace but its GEMMs, one record a kind, module and phase, in the order in which they begin.

    A scan's body counts as often as it runs, every branch of a ``lax.cond`` counts, the body of a ``lax.while_loop``
    counts once, and what ``jax.checkpoint`` runs anew counts again, for the backward pass. Equations that depend on
    the backward pass and are none of it are the update.
    """
    trace = _Trace()
    outs = trace.run(jaxpr.jaxpr, [trace.given(var) for var in jaxpr.jaxpr.invars], Place(), 1, 0)
    trace.keep(outs)
    return trace.records()


class _Trace:
    def __init__(self) -> None:
        self.values: list[_Value] = []
        self.steps: list[_Step] = []
        self.late: set[int] = set()  # values that depend on the backward pass
        self.bodies = self.cuts = 0

    def given(self, variable: Any) -> list[_Part]:
        """Something from outside, as an operand."""
        return self._new(variable, None)

    def keep(self, operands: Iterable[Sequence[_Part]]) -> None:
        for operand in operands:
            for part in operand:
                self.values[part.value].kept = True

    def run(
        self, jaxpr: Jaxpr, operands: Sequence[list[_Part]], outer: Place, runs: int, body: int
    ) -> list[list[_Part]]:
        """Goes through a function and returns what its results are made of."""
        known: dict[Any, list[_Part]] = dict(zip(jaxpr.invars, operands, strict=True))
        known.update((variable, self.given(variable)) for variable in jaxpr.constvars)

        def operand(variable: Any) -> list[_Part]:
            return [] if isinstance(variable, Constant) else known[variable]

        for equation in jaxpr.eqns:
            reads = [operand(variable) for variable in equation.invars]
            place = outer.within(equation)
            place = place._replace(kind=place.kind or kind_of(equation))
            known.update(zip(equation.outvars, self._equation(equation, reads, place, runs, body), strict=True))
        return [operand(variable) for variable in jaxpr.outvars]

    def _equation(
        self, equation: JaxprEqn, reads: list[list[_Part]], place: Place, runs: int, body: int
    ) -> list[list[_Part]]:
        name = equation.primitive.name
        if name in GEMMS or str(equation.params.get("name", "")).startswith(PREFIX):
            return self._step(equation, reads, None, place, 0, runs, body, ends=True)
        inner = list(jaxprs.inner(equation))
        if inner and name in _LOOPS:
            for each in inner:
                self.bodies += 1
                own = self.bodies
                outs = self.run(each, [self.given(var) for var in each.invars], place, runs * jaxprs.runs(equation), own)
                self.keep(outs)
            return self._step(equation, reads, None, place, 0, runs, body, ends=True)
        if inner and name not in BARRIERS:
            return self.run(inner[0], reads[len(reads) - len(inner[0].invars) :], place, runs, body)
        if name in VIEWS:
            return [self._view(reads, elements(out), cut=name in CUTS) for out in equation.outvars]
        key = _Key(place.kind or "other", place.path)
        if name in MADE:
            return [[] for _ in equation.outvars]
        return self._step(equation, reads, key, place, operations(equation), runs, body, ends=name in BARRIERS)

    def _step(
        self,
        equation: JaxprEqn,
        reads: list[list[_Part]],
        key: _Key | None,
        place: Place,
        count: int,
        runs: int,
        body: int,
        *,
        ends: bool,
    ) -> list[list[_Part]]:
        parts = [part for operand in reads for part in operand]
        phase = self._phase(place, parts)
        number = len(self.steps)
        level = max((self._after(part.value, key, phase) for part in parts), default=0)
        outs = [self._new(variable, number) for variable in equation.outvars]
        made = [part.value for out in outs for part in out]
        if phase != "forward":
            self.late.update(made)
        self.steps.append(_Step(key, phase, ends, count * runs, runs, parts, made, level, body))
        return outs

    def _phase(self, place: Place, parts: list[_Part]) -> VectorPhase:
        if place.backward:
            return "backward"
        late = place.kind == "update" or any(part.value in self.late for part in parts)
        return "update" if late else "forward"

    def _after(self, value: int, key: _Key | None, phase: VectorPhase) -> int:
        """The first level at which a step of that key can read the value."""
        number = self.values[value].step
        if number is None:
            return 0
        step = self.steps[number]
        return step.level + (step.key != key or step.phase != phase or step.ends)

    def _view(self, reads: list[list[_Part]], size: int, *, cut: bool) -> list[_Part]:
        """A view's elements: no more of each of its parts than it has itself."""
        self.cuts += cut
        return [
            _Part(part.value, min(part.words, size), self.cuts if cut else part.cut) for read in reads for part in read
        ]

    def _new(self, variable: Any, step: int | None) -> list[_Part]:
        self.values.append(_Value(elements(variable), step, []))
        return [_Part(len(self.values) - 1, elements(variable))]

    def records(self) -> list[VectorWork]:
        live = self._live()
        groups: dict[tuple[Any, ...], list[_Step]] = {}
        for step in live:
            if step.key is not None:
                groups.setdefault(step.group, []).append(step)
        sums: dict[tuple[_Key, VectorPhase], list[int]] = {}
        for steps in groups.values():
            key, phase, runs = steps[0].key, steps[0].phase, steps[0].runs
            assert key is not None  # as chosen above
            written = [value for step in steps for value in step.made if self._written(value)]
            total = sums.setdefault((key, phase), [0, 0, 0])
            total[0] += sum(step.operations for step in steps)
            total[1] += self._read(written) * runs
            total[2] += sum(self.values[value].words for value in written) * runs
        return [
            VectorWork(key.kind, phase, *total, path=key.path) for (key, phase), total in sums.items() if any(total)
        ]

    def _live(self) -> list[_Step]:
        """The steps that something needs: differentiation leaves some behind that a compiler takes out."""
        live: list[_Step] = []
        needed: set[int] = {number for number, value in enumerate(self.values) if value.kept}
        for number in reversed(range(len(self.steps))):
            step = self.steps[number]
            if step.key is None or not needed.isdisjoint(step.made):
                live.append(step)
                needed.update(part.value for part in step.reads)
                for part in step.reads:
                    self.values[part.value].used.append(number)
        return live[::-1]

    def _written(self, value: int) -> bool:
        """Whether a vector step's result goes through memory."""
        own = self.values[value]
        assert own.step is not None  # a step's
        maker = self.steps[own.step]
        if own.kept or any(self.steps[user].key != maker.key for user in own.used):
            return True
        return maker.ends and bool(own.used)

    def _read(self, written: list[int]) -> int:
        """Words that one run of a pass reads that writes these values."""
        own = set(written)
        words: dict[int, dict[int, int]] = {}
        todo = [part for value in written for part in self._made_of(value)]
        seen: set[int] = set()
        while todo:
            part = todo.pop()
            if part.value in own:
                continue
            maker = self.values[part.value].step
            if maker is None or self.steps[maker].key is None or self._written(part.value):
                sizes = words.setdefault(part.value, {})
                sizes[part.cut] = max(part.words, sizes.get(part.cut, 0))
            elif part.value not in seen:
                seen.add(part.value)
                todo += self._made_of(part.value)
        return sum(min(self.values[value].words, sum(sizes.values())) for value, sizes in words.items())

    def _made_of(self, value: int) -> list[_Part]:
        step = self.values[value].step
        assert step is not None  # a step's
        return self.steps[step].reads
