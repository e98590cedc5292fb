"""What layers cost, equal ones once: from the scratchpad alone, or through a memory by plans searched for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from jaxgrad.array import layers
from jaxgrad.array.choice import choose
from jaxgrad.array.counts import CYCLES, DRAM, KEYS
from jaxgrad.array.emulation import Emulation
from jaxgrad.array.layers import Phases
from jaxgrad.array.schedules import Schedule
from jaxgrad.base.errors import InputError
from jaxgrad.costs import cores, hierarchy
from jaxgrad.costs.cores import CoresPlanner, Partition
from jaxgrad.costs.hierarchy import memory_keys
from jaxgrad.costs.objectives import Objective
from jaxgrad.costs.records import Counts, add
from jaxgrad.costs.search import Unfit
from jaxgrad.costs.tiers import waits_for_dram
from jaxgrad.costs.transfers import Shapes
from jaxgrad.hardware import Machine
from jaxgrad.programs import LayerGemm


class Problem(NamedTuple):
    """What layers are told apart by: those with equal problems cost the same, and are costed once."""

    b: int
    k: int
    n: int
    x_words: int
    dx: bool
    dw: bool
    weights: bool = True

    @property
    def shapes(self) -> Shapes:
        return Shapes(self.b, self.k, self.n, self.x_words)

    @property
    def wanted(self) -> tuple[bool, bool, bool]:
        """Of a layer: whether dX, whether dW, and whether that updates weights."""
        return self.dx, self.dw, self.weights


class Answer(NamedTuple):
    """What a problem costs: by phase, by which plan where there is a memory, and under which schedules that ran."""

    phases: Mapping[str, Counts]
    plan: Partition | None = None
    ran: tuple[str, ...] = ()


def problem_of(gemm: LayerGemm, machine: Machine) -> Problem:
    b, k, n = gemm.gemm.batch, gemm.gemm.in_features, gemm.gemm.out_features
    on_chip = machine.memory is not None and machine.memory.im2col == "on_chip"
    return Problem(b, k, n, gemm.input_words if on_chip else b * k, gemm.needs_dx, gemm.needs_dw, gemm.weights)


Answers = dict[Schedule, dict[Problem, Answer]]


def from_scratchpad(
    problems: Sequence[Problem],
    machine: Machine,
    compared: Sequence[Schedule],
    emulation: Emulation,
    *,
    update_cycles: bool = False,
) -> Answers:
    """Without a memory: the scratchpad holds everything, and shapes decide."""
    members = dict.fromkeys(member for schedule in compared for member in schedule.members)
    alone = {
        member: {problem: _from_scratchpad(problem, machine, member, emulation, update_cycles) for problem in problems}
        for member in members
    }
    better = _chooser(compared, machine, emulation)
    return {
        schedule: {problem: better([alone[member][problem] for member in schedule.members]) for problem in problems}
        for schedule in compared
    }


def _from_scratchpad(
    problem: Problem, machine: Machine, schedule: Schedule, emulation: Emulation, update_cycles: bool
) -> Answer:
    """Of a schedule that is no choice among others."""
    gemm = _Sizes(problem.shapes.sizes)
    mappings = choose(schedule, gemm, machine.array, dx=problem.dx, dw=problem.dw).mappings
    phases = layers.backward(mappings, gemm.sizes, machine.array)
    done = _updated(phases, problem, schedule, emulation, machine, update_cycles=update_cycles)
    return Answer(done, ran=(schedule.name,) if mappings else ())


def _chooser(
    compared: Iterable[Schedule], machine: Machine, emulation: Emulation
) -> Callable[[Sequence[Answer]], Answer]:
    """What takes the best of several answers by the whole of what they cost, of equally good ones the first.

    Raises:
        InputError: some schedule is a choice, and the machine cannot tell what it minimises.
    """
    objective = Objective(emulation.objective, machine) if any(schedule.among for schedule in compared) else None

    def better(answers: Sequence[Answer]) -> Answer:
        return objective.best(answers) if objective and answers[1:] else answers[0]

    return better


def through_memory(
    unique: Sequence[Problem],
    gemms: Sequence[LayerGemm],
    problems: Sequence[Problem],
    machine: Machine,
    orders: Mapping[Schedule, str],
    plan_for: str,
    emulation: Emulation,
    *,
    update_cycles: bool = False,
) -> tuple[dict[Problem, Counts], Answers]:
    """With a memory: the forward counts, and by schedule the answers, of plans that are searched for.

    A choice among schedules is made last, when each of them has its own plan, stalls and update; where cores' shares
    differ, one in which each core runs its own is among them.
    """
    forward: dict[Problem, Counts] = {}
    answers: Answers = {schedule: {} for schedule in orders}
    better = _chooser(orders, machine, emulation)

    def fitting(problem: Problem, found: Sequence[Answer | Unfit]) -> list[Answer]:
        fits = [option for option in found if isinstance(option, Answer)]
        if not fits:
            (unfit, *_) = (option for option in found if isinstance(option, Unfit))
            raise _too_small(unfit, gemms[problems.index(problem)].path, machine)
        return fits

    for dx, dw, weights in dict.fromkeys(problem.wanted for problem in unique):
        group = [problem for problem in unique if problem.wanted == (dx, dw, weights)]
        planned = _Planned(group, machine, plan_for, emulation, update_cycles)
        for problem, answer in zip(group, planned.forward(), strict=True):
            (fits,) = fitting(problem, [answer])
            forward[problem] = fits.phases["forward"]
        for schedule, order in orders.items() if dx or dw else ():
            wanted = order if order != "separate" or hierarchy.can_run(schedule, order) else "best"
            members = schedule.members if schedule.among else ()
            options = [
                planned.backward(schedule, wanted),
                *(planned.backward(one, order if hierarchy.can_run(one, order) else "best") for one in members),
            ]
            for problem, *found in zip(group, *options, strict=True):
                answers[schedule][problem] = better(fitting(problem, found))
    for by_problem in answers.values():
        by_problem.update({problem: Answer({}) for problem in unique if not (problem.dx or problem.dw)})
    return forward, answers


class _Planned:
    """Layers that are asked for the same, and their answers: each schedule and order is searched once."""

    def __init__(
        self, group: Sequence[Problem], machine: Machine, plan_for: str, emulation: Emulation, update_cycles: bool
    ) -> None:
        self._update_cycles = update_cycles
        self._group, self._machine, self._plan_for, self._emulation = group, machine, plan_for, emulation
        self._shapes = Shapes.of(problem.shapes.numbers for problem in group)
        self._planner = CoresPlanner(machine, self._shapes, plan_for)
        self._answers: dict[tuple[Schedule, str], list[Answer | Unfit]] = {}

    def forward(self) -> list[Answer | Unfit]:
        plans = self._planner.forward(self._emulation.forward)
        return [
            plan if isinstance(plan, Unfit) else Answer(cores.counts(plan, problem.shapes, self._machine))
            for problem, plan in zip(self._group, plans, strict=True)
        ]

    def backward(self, schedule: Schedule, order: str) -> list[Answer | Unfit]:
        if (schedule, order) not in self._answers:
            dx, dw, weights = self._group[0].wanted
            stored, planner, emulation = self._machine, self._planner, self._emulation
            if emulation.weight_update == "in_array" and schedule.updates_in_array and dx and dw and weights:
                # What leaves the array in dW's place is W, in its format.
                stored = replace(stored, precision=replace(stored.precision, dw=stored.precision.w))
                planner = CoresPlanner(stored, self._shapes, self._plan_for)
            plans = planner.backward(schedule, order, dx=dx, dw=dw)
            self._answers[schedule, order] = [
                plan if isinstance(plan, Unfit) else self._answer(problem, plan, schedule, stored)
                for problem, plan in zip(self._group, plans, strict=True)
            ]
        return self._answers[schedule, order]

    def _answer(self, problem: Problem, plan: Partition, schedule: Schedule, stored: Machine) -> Answer:
        phases = cores.counts(plan, problem.shapes, stored)
        ran = tuple(dict.fromkeys(share.plan.schedule for share in plan.shares if share.plan.runs))
        done = _updated(phases, problem, schedule, self._emulation, self._machine, update_cycles=self._update_cycles)
        return Answer(done, plan, ran)


def _too_small(unfit: Unfit, path: str, machine: Machine) -> InputError:
    memory = machine.memory
    assert memory is not None
    lacking = unfit.lacking_bytes * (2 if memory.double_buffered else 1)
    divided = "" if isinstance(memory.sram_bytes, int) else ", in its smallest part,"
    return InputError(
        "sram_bytes",
        memory.total_bytes,
        f"layer {path!r} needs {lacking} more{divided} for one tile of each tensor on a "
        f"{machine.array.rows}x{machine.array.cols} array: give more, or a smaller array",
    )


def _updated(
    phases: Phases,
    problem: Problem,
    schedule: Schedule,
    emulation: Emulation,
    machine: Machine,
    *,
    update_cycles: bool,
) -> dict[str, Counts]:
    """The phases with the weight update: one of its own, or, in the array, within that of the gradients.

    Where its cycles are charged, it is a run of its own: its transfers overlap with it as those of other runs do.
    """
    done = {phase: _complete(counts, machine) for phase, counts in phases.items()}
    if not (problem.dw and problem.weights):
        return done
    how = emulation.weight_update
    together = "dx+dw" in done and schedule.updates_in_array
    extra = layers.update(how, problem.shapes.sizes, in_array=together)
    if not extra:
        return done
    if machine.memory is not None:
        extra |= {key._replace(level=DRAM): words for key, words in extra.items()}
    if together and how == "in_array":
        return done | {"dx+dw": add((done["dx+dw"], extra))}
    busy = layers.update_cycles(problem.shapes.sizes, machine.array) if update_cycles else 0
    if machine.memory is not None:
        transfers = hierarchy.transfer_cycles(extra, machine)
        waits = max(0, transfers - busy) if machine.memory.double_buffered else transfers
        extra |= dict.fromkeys(waits_for_dram(machine.memory), waits)
    extra[CYCLES] = busy
    return done | {"update": _complete(extra, machine)}


class _Sizes(NamedTuple):
    """What mappings want of a GEMM."""

    sizes: Mapping[str, int]


def _complete(counts: Counts, machine: Machine) -> Counts:
    return dict.fromkeys((*KEYS, *memory_keys(machine)), 0) | dict(counts)
