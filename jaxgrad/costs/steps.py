"""Workload + hardware + schedule -> StepCost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from jaxgrad.array import layers
from jaxgrad.array.emulation import Emulation
from jaxgrad.array.schedules import TRAINING_SCHEDULES, Schedule, find
from jaxgrad.autodiff.estimators import stored_words
from jaxgrad.base.errors import InputError
from jaxgrad.costs import vector
from jaxgrad.costs.problems import Answer, Problem, from_scratchpad, problem_of, through_memory
from jaxgrad.costs.records import Counts, LayerCost, StepCost, VectorCost, add, times
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
        masks: of the model's ReLUs, for the stored activation words.

    Raises:
        ValueError: a name will not do, two schedules have the same, a layer does not fit into the scratchpad, or a
            choice is by energy and the machine has no prices.
    """
    machine = machine or Machine(emulation.array)
    compared = _records(schedules)
    problems = [problem_of(gemm, machine) for gemm in gemms]
    unique = list(dict.fromkeys(problems))
    forward: dict[Problem, Counts]
    if machine.memory is None:
        forward = {
            problem: layers.forward(emulation.forward, problem.shapes.sizes, machine.array)["forward"]
            for problem in unique
        }
        answers = from_scratchpad(unique, machine, compared, emulation, update_cycles=update_cycles)
    else:
        orders = {
            record: order if isinstance(order, str) else order.get(record.name, "separate") for record in compared
        }
        forward, answers = through_memory(
            unique, gemms, problems, machine, orders, plan_for, emulation, update_cycles=update_cycles
        )
    by_path: dict[str, list[tuple[LayerGemm, Problem]]] = {}
    for gemm, problem in zip(gemms, problems, strict=True):
        by_path.setdefault(gemm.path, []).append((gemm, problem))
    costs = [
        LayerCost(
            path=path,
            gemms=tuple(gemm for gemm, _ in gemms),
            phases={schedule.name: _phases(gemms, forward, answers[schedule]) for schedule in compared},
            plans={
                schedule.name: tuple(plan for _, problem in gemms if (plan := answers[schedule][problem].plan))
                for schedule in compared
            },
            ran={
                schedule.name: tuple(
                    dict.fromkeys(name for _, problem in gemms for name in answers[schedule][problem].ran)
                )
                for schedule in compared
            },
        )
        for path, gemms in by_path.items()
    ]
    names = tuple(schedule.name for schedule in compared)
    stored = stored_words(gemms, masks=masks)
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
    gemms: Sequence[tuple[LayerGemm, Problem]], forward: Mapping[Problem, Counts], answers: Mapping[Problem, Answer]
) -> dict[str, Counts]:
    """A layer's counts by phase: each of its shapes as often as it is computed."""
    phases: dict[str, list[Counts]] = {}
    for gemm, problem in gemms:
        phases.setdefault("forward", []).append(times(forward[problem], gemm.times + gemm.recomputed))
        for phase, counts in answers[problem].phases.items():
            phases.setdefault(phase, []).append(times(counts, gemm.times))
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
