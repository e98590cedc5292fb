"""The work of a training step that is no GEMM: what a vector unit does, and the words it moves.

Operations are those of ``operations``, of the equations as traced. Words are counted as a compiler fuses: neighbouring
elementwise equations of one kind, module and phase are one pass, which reads each of its inputs once and writes once
what others read. A reduction ends a pass, since what needs its result starts over the elements anew: batch
normalisation reads its input twice. What only its own layer needs again is recomputed there from its operands (a
ReLU's mask from its input), without counting the operations twice; nothing but results of reductions, and what another
kind or module reads, goes through memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jax.extend.core import ClosedJaxpr

from jaxgrad.programs.kinds import Kind
from jaxgrad.programs.steps import Key, Part, Step, Trace, VectorPhase


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


def vector_work(jaxpr: ClosedJaxpr) -> list[VectorWork]:
    """All work of a trace but its GEMMs, one record a kind, module and phase, in the order in which they begin.

    A scan's body counts as often as it runs, every branch of a ``lax.cond`` counts, the body of a ``lax.while_loop``
    counts once unless ``jaxprs.with_trips`` told more, and what ``jax.checkpoint`` runs anew counts again, for the
    backward pass. Equations that depend on the backward pass and are none of it are the update.
    """
    return _Passes(Trace.of(jaxpr.jaxpr)).records()


class _Passes:
    """The steps of a trace as they share passes over memory."""

    def __init__(self, trace: Trace) -> None:
        self.values, self.steps = trace.values, trace.steps

    def records(self) -> list[VectorWork]:
        live = self._live()
        groups: dict[tuple[Any, ...], list[Step]] = {}
        for step in live:
            if step.key is not None:
                groups.setdefault(step.group, []).append(step)
        sums: dict[tuple[Key, VectorPhase], list[int]] = {}
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

    def _live(self) -> list[Step]:
        """Dead-code elimination: the steps that something needs. Differentiation leaves some that nothing does."""
        live: list[Step] = []
        needed: set[int] = {number for number, value in enumerate(self.values) if value.kept}
        for number in reversed(range(len(self.steps))):
            step = self.steps[number]
            if step.key is None or not needed.isdisjoint(step.made):
                self._move_to_update(step)
                live.append(step)
                needed.update(part.value for part in step.reads)
                for part in step.reads:
                    self.values[part.value].used.append(number)
        return live[::-1]

    def _move_to_update(self, step: Step) -> None:
        """Moves a step to the update if nothing else reads it: a momentum's decay, in which no gradient takes part."""
        values = [self.values[value] for value in step.made]
        users = [self.steps[user] for value in values for user in value.used]
        alone = users and not any(value.kept for value in values) and all(user.phase == "update" for user in users)
        if alone and step.key is not None and step.phase == "forward":
            step.key, step.phase = step.key._replace(kind="update"), "update"

    def _written(self, value: int) -> bool:
        """Whether a vector step's result goes through memory."""
        result = self.values[value]
        assert result.step is not None  # a step's
        maker = self.steps[result.step]
        if result.kept or any(self.steps[user].key != maker.key for user in result.used):
            return True
        return maker.ends and bool(result.used)

    def _read(self, written: list[int]) -> int:
        """Words that one run of a pass reads that writes these values."""
        results = set(written)
        words: dict[int, dict[int, int]] = {}
        todo = [part for value in written for part in self._made_of(value)]
        seen: set[int] = set()
        while todo:
            part = todo.pop()
            if part.value in results:
                continue
            maker = self.values[part.value].step
            if maker is None or self.steps[maker].key is None or self._written(part.value):
                sizes = words.setdefault(part.value, {})
                sizes[part.cut] = max(part.words, sizes.get(part.cut, 0))
            elif part.value not in seen:
                seen.add(part.value)
                todo += self._made_of(part.value)
        return sum(min(self.values[value].words, sum(sizes.values())) for value, sizes in words.items())

    def _made_of(self, value: int) -> list[Part]:
        step = self.values[value].step
        assert step is not None  # a step's
        return self.steps[step].reads
