"""Workload + hardware + schedule -> StepCost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from jaxgrad.array import layers
from jaxgrad.array.emulation import Emulation
from jaxgrad.array.schedules import TRAINING_SCHEDULES, Schedule, find
from jaxgrad.autodiff.estimators import EXACT, stored_words
from jaxgrad.autodiff.estimators.asked import Estimators
from jaxgrad.base.errors import InputError
from jaxgrad.costs import vector
from jaxgrad.costs.posed import Posed, posed
from jaxgrad.costs.problems import Answer, Problem, from_scratchpad, through_memory
from jaxgrad.costs.records import Counts, LayerCost, StepCost, VectorCost, add, times
from jaxgrad.costs.updates import update_apart
from jaxgrad.hardware import Machine
from jaxgrad.programs import LayerGemm, ReluMask, VectorWork


def step_cost(
    gemms: Sequence[LayerGemm],
    emulation: Emulation,
    schedules: Sequence[str | Schedule] = TRAINING_SCHEDULES,
    *,
    machine: Machine | None = None,
    order: str | Mapping[str, str] = "separate",
    plan_for: str = "cycles",
    update_cycles: bool = False,
    vector_work: Sequence[VectorWork] = (),
    estimator: Estimators = EXACT,
    masks: Sequence[ReluMask] = (),
) -> StepCost:
    """One training step under each of ``schedules``, from shapes alone: ``effectual_macs`` counts no zeros.

    Args:
        gemms: the model's GEMMs.
        emulation: the array, the forward dataflow, the objective of choices among schedules and the weight update.
            Where that is ``in_array``, which only the interleaved schedule can do, the others update ``separate``-ly.
            A choice takes for each layer the schedule that is best by the whole of its cost, see ``Objective``.
        schedules: those to compare, records or names of registered ones; the emulation's own plays no part.
        machine: what is around the array; its array takes the place of the emulation's.
        order: with a memory, the order of the gradients' blocks (``costs.orders.ORDERS``), for all schedules or by
            schedule. Interleaved passes, which know no ``separate``, then take the best of theirs.
        plan_for: with a memory, what blocks and orders are chosen by: ``cycles`` or ``dram``.
        update_cycles: whether a separate weight update takes cycles of its own (``array.layers.update_cycles``), and
            not its accesses and transfers alone.
        vector_work: work beside the array, costed where the machine has a vector unit.
        estimator: of the gradients, of all layers or of each by its path (``transform.Rules.estimator``): the GEMMs
            that count are those that it poses. A product that it runs in the backward pass is of phase ``backward``;
            its work beside the array is not counted.
        masks: of the model's ReLUs, for the stored activation words.

    Raises:
        ValueError: a name will not do, two schedules have the same, a layer does not fit into the scratchpad, a choice
            is by energy and the machine has no prices, or a record does not tell what its estimator poses.
    """
    machine = machine or Machine(emulation.array)
    compared = _records(schedules)
    asked = [posed(gemm, machine, estimator) for gemm in gemms]
    paths: dict[Problem, str] = {}
    for one in asked:
        for problem in one.problems:
            paths.setdefault(problem, one.path)
    unique = list(paths)
    ahead = {problem for one in asked for problem, _ in (*one.forward, *one.products)}
    forward: dict[Problem, Counts]
    if machine.memory is None:
        forward = {
            problem: layers.forward(emulation.forward, problem.shapes.sizes, machine.array)["forward"]
            for problem in ahead
        }
        answers = from_scratchpad(unique, machine, compared, emulation, update_cycles=update_cycles)
    else:
        orders = {
            record: order if isinstance(order, str) else order.get(record.name, "separate") for record in compared
        }
        forward, answers = through_memory(
            paths, ahead, machine, orders, plan_for, emulation, update_cycles=update_cycles
        )
    updates = {
        problem: update_apart(problem.shapes.sizes, emulation, machine, update_cycles=update_cycles)
        for one in asked
        for problem, _ in one.updates
    }
    by_path: dict[str, list[tuple[LayerGemm, Posed]]] = {}
    for gemm, one in zip(gemms, asked, strict=True):
        by_path.setdefault(gemm.path, []).append((gemm, one))
    costs: list[LayerCost] = []
    for path, layer in by_path.items():
        records, asked_there = (tuple(column) for column in zip(*layer, strict=True))
        problems = [problem for one in asked_there for problem, _ in one.gradients]
        of_layer = {schedule.name: [answers[schedule][problem] for problem in problems] for schedule in compared}
        costs.append(
            LayerCost(
                path=path,
                gemms=records,
                phases={
                    schedule.name: _phases(asked_there, forward, answers[schedule], updates) for schedule in compared
                },
                plans={name: tuple(plan for one in done for plan in one.plans) for name, done in of_layer.items()},
                ran={
                    name: tuple(dict.fromkeys(ran for one in done for ran in one.ran))
                    for name, done in of_layer.items()
                },
            )
        )
    names = tuple(schedule.name for schedule in compared)
    stored = stored_words(gemms, estimator, masks)
    return StepCost(tuple(costs), names, 1, _vector(vector_work, machine), machine, stored)


def _records(schedules: Iterable[str | Schedule]) -> list[Schedule]:
    """Each once; results are by name."""
    records = list(dict.fromkeys(map(find, schedules)))
    names = [record.name for record in records]
    for name in names:
        if names.count(name) > 1:
            raise InputError("schedules", names, "give each a name of its own", problem=f"got two named {name!r}")
    return records


def _phases(
    asked: Sequence[Posed],
    forward: Mapping[Problem, Counts],
    answers: Mapping[Problem, Answer],
    updates: Mapping[Problem, Counts | None],
) -> dict[str, Counts]:
    """A layer's counts by phase: each of its shapes as often as it is computed."""
    phases: dict[str, list[Counts]] = {}

    def put(phase: str, counts: Counts, repeats: int) -> None:
        phases.setdefault(phase, []).append(times(counts, repeats))

    for one in asked:
        for problem, repeats in one.forward:
            put("forward", forward[problem], repeats)
        for problem, repeats in one.products:
            put("backward", forward[problem], repeats)
        for problem, repeats in one.gradients:
            for phase, counts in answers[problem].phases.items():
                put(phase, counts, repeats)
        for problem, repeats in one.updates:
            if (counts := updates[problem]) is not None:
                put("update", counts, repeats)
    return {phase: add(parts) for phase, parts in phases.items()}


def _vector(work: Iterable[VectorWork], machine: Machine) -> tuple[VectorCost, ...]:
    """Work beside the array, by kind and phase."""
    if machine.vector_unit is None:
        return ()
    sums: dict[tuple[str, str], list[int]] = {}
    for part in work:
        total = sums.setdefault((part.kind, part.phase), [0, 0])
        total[0] += part.operations
        total[1] += part.reads_words + part.writes_words
    return tuple(
        VectorCost(kind, phase, add([vector.counts(operations, words, machine)]))
        for (kind, phase), (operations, words) in sums.items()
    )
