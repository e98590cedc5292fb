"""Workload + hardware + schedule -> StepCost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from jaxgrad import schedules as known
from jaxgrad.autodiff import LayerCounters
from jaxgrad.costs import cores, hierarchy, layers, vector
from jaxgrad.costs.cores import CoresPlanner, Partition
from jaxgrad.costs.hierarchy import DRAM_NAMES
from jaxgrad.costs.integers import exact
from jaxgrad.costs.layers import Phases
from jaxgrad.costs.search import Unfit
from jaxgrad.costs.transfers import Shapes, largest_number
from jaxgrad.counters import NAMES
from jaxgrad.emulation import Emulation
from jaxgrad.evaluate.records import Counts, LayerCost, StepCost, VectorCost, add
from jaxgrad.hardware import Machine
from jaxgrad.workload import LayerGemm, VectorWork

# The schedules that give both gradients, so that a network can train on them, in the order in which reports show them.
TRAINING_SCHEDULES: tuple[str, ...] = ("interleaved", "sequential", "ws_only", "os_only", "auto")
BASELINES: tuple[str, ...] = ("sequential", "ws_only", "os_only")


Ratio = Sequence[int]
"""So many of so many."""


class _Problem(NamedTuple):
    """What layers are told apart by: those with equal problems cost the same, and are costed once."""

    b: int
    k: int
    n: int
    x_words: int
    dx: bool
    dw: bool

    @property
    def shapes(self) -> Shapes:
        return Shapes(*self[:4])


class _Answer(NamedTuple):
    phases: Mapping[str, Counts]
    plan: Partition | None = None


def step_cost(
    gemms: Sequence[LayerGemm],
    emulation: Emulation,
    schedules: Sequence[str] = TRAINING_SCHEDULES,
    *,
    machine: Machine | None = None,
    order: str | Mapping[str, str] = "separate",
    plan_for: str = "cycles",
    vector_work: Sequence[VectorWork] = (),
) -> StepCost:
    """One training step under each of ``schedules``, from shapes alone: ``effectual_macs`` counts no zeros.

    Args:
        gemms: the model's GEMMs.
        emulation: the array, the forward dataflow, the objective of ``auto`` and the weight update. Where that is
            ``in_array``, which only the interleaved schedule can do, the others update ``separate``-ly.
        schedules: those to compare; the emulation's own plays no part.
        machine: what is around the array; its array takes the place of the emulation's.
        order: with a memory, the order of the gradients' blocks (``costs.orders.ORDERS``), for all schedules or by
            schedule. Interleaved passes, which know no ``separate``, then take the best of theirs.
        plan_for: with a memory, what blocks and orders are chosen by: ``cycles`` or ``dram``.
        vector_work: work beside the array, costed where the machine has a vector unit.

    Raises:
        ValueError: a name will not do, or a layer does not fit into the scratchpad.
    """
    machine = machine or Machine(emulation.array)
    problems = [_problem(gemm, machine) for gemm in gemms]
    unique = list(dict.fromkeys(problems))
    forward: dict[_Problem, Counts]
    if machine.memory is None:
        forward = {
            problem: layers.forward(emulation.forward, problem.shapes.sizes, machine.array)["forward"]
            for problem in unique
        }
        answers = {schedule: _from_scratchpad(unique, machine, schedule, emulation) for schedule in schedules}
    else:
        orders = {name: order if isinstance(order, str) else order.get(name, "separate") for name in schedules}
        forward, answers = _through_memory(unique, gemms, problems, machine, orders, plan_for, emulation)
    by_path: dict[str, list[tuple[LayerGemm, _Problem]]] = {}
    for gemm, problem in zip(gemms, problems, strict=True):
        by_path.setdefault(gemm.path, []).append((gemm, problem))
    costs = [
        LayerCost(
            path=path,
            gemms=tuple(gemm for gemm, _ in own),
            phases={schedule: _phases(own, forward, answers[schedule]) for schedule in schedules},
            plans={
                schedule: tuple(plan for _, problem in own if (plan := answers[schedule][problem].plan))
                for schedule in schedules
            },
        )
        for path, own in by_path.items()
    ]
    return StepCost(tuple(costs), tuple(schedules), 1, _vector(vector_work, machine), machine)


def measured(cost: StepCost, schedule: str, counters: Mapping[str, LayerCounters], steps: int) -> StepCost:
    """What ``steps`` steps took: ``schedule`` as the array counted it, the others from the same shapes.

    Which MACs are effectual depends on the data and not on the schedule, so the measured number serves them all.
    """

    def put_in(layer: LayerCost) -> LayerCost:
        forward, own = (counts.as_dict() for counts in counters[layer.path])
        phases = {
            name: {
                "forward": forward,
                "backward": own
                if name == schedule
                else _times(counts, steps) | {"effectual_macs": own["effectual_macs"]},
            }
            for name, counts in layer.backward.items()
        }
        return replace(layer, phases=phases)

    return StepCost(tuple(map(put_in, cost.layers)), cost.schedules, cost.steps * steps)


def sparse(cost: StepCost, effectual: Mapping[str, tuple[Ratio, Ratio]]) -> StepCost:
    """A step whose data have zeros, as they were measured.

    Args:
        cost: from shapes.
        effectual: by layer, the effectual MACs and all MACs, of its forward and of its backward pass.
    """

    def put_in(layer: LayerCost) -> LayerCost:
        ahead, back = effectual[layer.path]
        phases = {
            schedule: {
                phase: {**counts, "effectual_macs": _part(counts["macs"], ahead if phase == "forward" else back)}
                for phase, counts in by_phase.items()
            }
            for schedule, by_phase in layer.phases.items()
        }
        return replace(layer, phases=phases)

    return replace(cost, layers=tuple(map(put_in, cost.layers)))


def _part(macs: int, ratio: Ratio) -> int:
    some, of = ratio
    return macs * some // of if of else 0


def _problem(gemm: LayerGemm, machine: Machine) -> _Problem:
    b, k, n = gemm.gemm.batch, gemm.gemm.in_features, gemm.gemm.out_features
    on_chip = machine.memory is not None and machine.memory.im2col == "on_chip"
    return _Problem(b, k, n, gemm.input_words if on_chip else b * k, gemm.needs_dx, gemm.needs_dw)


def _from_scratchpad(
    problems: Iterable[_Problem], machine: Machine, schedule: str, emulation: Emulation
) -> dict[_Problem, _Answer]:
    """Without a memory: the scratchpad holds everything, and shapes decide."""
    answers = {}
    for problem in problems:
        gemm = _Sizes(problem.shapes.sizes)
        mappings = known.backward_mappings(
            schedule, gemm, machine.array, objective=emulation.objective, dx=problem.dx, dw=problem.dw
        )
        phases = layers.backward(mappings, gemm.sizes, machine.array)
        answers[problem] = _Answer(_updated(phases, problem, schedule, emulation, machine))
    return answers


def _through_memory(
    unique: Sequence[_Problem],
    gemms: Sequence[LayerGemm],
    problems: Sequence[_Problem],
    machine: Machine,
    orders: Mapping[str, str],
    plan_for: str,
    emulation: Emulation,
) -> tuple[dict[_Problem, Counts], dict[str, dict[_Problem, _Answer]]]:
    """With a memory: the forward counts, and by schedule the answers, of plans that are searched for."""
    forward: dict[_Problem, Counts] = {}
    answers: dict[str, dict[_Problem, _Answer]] = {schedule: {} for schedule in orders}
    for dx, dw in dict.fromkeys((problem.dx, problem.dw) for problem in unique):
        group = [problem for problem in unique if (problem.dx, problem.dw) == (dx, dw)]
        stacked = _stacked(group, machine)
        planner = CoresPlanner(machine, stacked, plan_for)

        def each(plans: list[Partition | Unfit], group: list[_Problem] = group) -> Iterator[tuple[_Problem, Partition]]:
            for problem, plan in zip(group, plans, strict=True):
                if isinstance(plan, Unfit):
                    raise _too_small(plan, gemms[problems.index(problem)].path, machine)
                yield problem, plan

        for problem, plan in each(planner.forward(emulation.forward)):
            forward[problem] = cores.counts(plan, problem.shapes, machine)["forward"]
        for schedule, order in orders.items() if dx or dw else ():
            wanted = "best" if order == "separate" and schedule == "interleaved" else order
            own, chosen = machine, planner
            if emulation.weight_update == "in_array" and schedule == "interleaved" and dx and dw:
                # What leaves the array in dW's place is W, in its format.
                own = replace(machine, precision=replace(machine.precision, dw=machine.precision.w))
                chosen = CoresPlanner(own, stacked, plan_for)
            for problem, plan in each(chosen.backward(schedule, wanted, dx=dx, dw=dw)):
                phases = cores.counts(plan, problem.shapes, own)
                answers[schedule][problem] = _Answer(_updated(phases, problem, schedule, emulation, machine), plan)
    for own in answers.values():
        own.update({problem: _Answer({}) for problem in unique if not (problem.dx or problem.dw)})
    return forward, answers


def _too_small(unfit: Unfit, path: str, machine: Machine) -> ValueError:
    memory = machine.memory
    assert memory is not None
    lacking = unfit.lacking_bytes * (2 if memory.double_buffered else 1)
    divided = "" if isinstance(memory.sram_bytes, int) else ", in its smallest part,"
    return ValueError(
        f"sram_bytes: got {memory.total_bytes}; layer {path!r} needs {lacking} more{divided} for one tile of each "
        f"tensor on a {machine.array.rows}x{machine.array.cols} array: give more, or a smaller array"
    )


def _updated(
    phases: Phases, problem: _Problem, schedule: str, emulation: Emulation, machine: Machine
) -> dict[str, Counts]:
    """The phases with the weight update: one of its own, or, in the array, within that of the gradients."""
    done = {phase: _complete(counts, machine) for phase, counts in phases.items()}
    if not problem.dw:
        return done
    how = emulation.weight_update
    if how == "in_array" and schedule not in ("interleaved", "auto"):
        how = "separate"
    together = "dx+dw" in done and schedule == "interleaved"
    extra = layers.update(how, problem.shapes.sizes, in_array=together)
    if not extra:
        return done
    if machine.memory is not None:
        extra |= {f"dram_{name}": words for name, words in extra.items()}
    if together and how == "in_array":
        return done | {"dx+dw": add((done["dx+dw"], extra))}
    if machine.memory is not None:
        extra["stall_cycles"] = hierarchy.transfer_cycles(extra, machine)
    return done | {"update": _complete(extra, machine)}


def _phases(
    own: Sequence[tuple[LayerGemm, _Problem]], forward: Mapping[_Problem, Counts], answers: Mapping[_Problem, _Answer]
) -> dict[str, Counts]:
    """A layer's counts by phase: each of its shapes as often as it is computed."""
    phases: dict[str, list[Counts]] = {}
    for gemm, problem in own:
        phases.setdefault("forward", []).append(_times(forward[problem], gemm.times + gemm.recomputed))
        for phase, counts in answers[problem].phases.items():
            phases.setdefault(phase, []).append(_times(counts, gemm.times))
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


class _Sizes(NamedTuple):
    """What mappings want of a GEMM."""

    sizes: Mapping[str, int]


def _stacked(problems: Sequence[_Problem], machine: Machine) -> Shapes:
    """The shapes as arrays, of Python ints where a step of the search could pass 64 bits."""
    largest = max(largest_number(problem.shapes, machine) for problem in problems)
    return Shapes(*(exact(column, largest=largest) for column in np.array([p[:4] for p in problems], object).T))


def _complete(counts: Mapping[str, int], machine: Machine) -> Counts:
    names = NAMES if machine.memory is None else (*NAMES, *DRAM_NAMES, "stall_cycles")
    return dict.fromkeys(names, 0) | dict(counts)


def _times(counts: Counts, repeats: int) -> dict[str, int]:
    return {name: value * repeats for name, value in counts.items()}
