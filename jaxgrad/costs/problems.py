"""What layers cost, equal ones once: from the scratchpad alone, or through a memory by plans searched for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import replace
from typing import NamedTuple

from jaxgrad.array import layers
from jaxgrad.array.choice import choose
from jaxgrad.array.emulation import Emulation
from jaxgrad.array.layers import Phases
from jaxgrad.array.schedules import Schedule
from jaxgrad.base.errors import InputError
from jaxgrad.costs import cores, hierarchy
from jaxgrad.costs.cores import CoresPlanner, Partition
from jaxgrad.costs.objectives import Objective
from jaxgrad.costs.records import Counts, add
from jaxgrad.costs.search import Unfit
from jaxgrad.costs.transfers import Shapes
from jaxgrad.costs.updates import complete, update_apart, with_memory
from jaxgrad.hardware import Machine
from jaxgrad.programs import LayerGemm


class Problem(NamedTuple):
    """What layers are told apart by: those with equal problems cost the same, and are costed once.

    ``columns`` are the columns of x that dW is of, the first ones, where it is not of all.
    """

    b: int
    k: int
    n: int
    x_words: int
    dx: bool
    dw: bool
    weights: bool = True
    columns: int | None = None

    @property
    def shapes(self) -> Shapes:
        return Shapes(self.b, self.k, self.n, self.x_words)

    @property
    def wanted(self) -> tuple[bool, bool, bool]:
        """Of a layer: whether dX, whether dW, and whether that updates weights."""
        return self.dx, self.dw, self.weights

    def parts(self, schedule: Schedule) -> tuple[Problem, Problem]:
        """A problem of some columns as two problems, one after the other: both gradients of these columns and dX of the
        others where a schedule computes them at once, else each gradient by itself."""
        assert self.columns is not None
        some = self._replace(k=self.columns, x_words=self.b * self.columns, columns=None)
        if schedule.fused:
            left = self.k - self.columns
            return some, self._replace(k=left, x_words=self.b * left, dw=False, columns=None)
        return self._replace(dw=False, columns=None), some._replace(dx=False)


class Answer(NamedTuple):
    """What a problem costs: by phase, by which plans where there is a memory, and under which schedules that ran."""

    phases: Mapping[str, Counts]
    plans: tuple[Partition, ...] = ()
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
    columns = problem.columns
    mappings = choose(schedule, gemm, machine.array, dx=problem.dx, dw=problem.dw, columns=columns).mappings
    phases = layers.backward(mappings, gemm.sizes, machine.array, columns)
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
    paths: Mapping[Problem, str],
    ahead: Set[Problem],
    machine: Machine,
    orders: Mapping[Schedule, str],
    plan_for: str,
    emulation: Emulation,
    *,
    update_cycles: bool = False,
) -> tuple[dict[Problem, Counts], Answers]:
    """With a memory: the forward counts, and by schedule the answers, of plans that are searched for.

    A choice among schedules is made last, when each of them has its own plan, stalls and update; where cores' shares
    differ, one in which each core runs its own is among them. A problem of some columns is planned as its two parts.

    Args:
        paths: the problems, each with the layer that a message names.
        ahead: those whose forward product runs.
        machine: with a memory.
        orders: of the gradients' blocks, by schedule.
        plan_for: what blocks and orders are chosen by.
        emulation: the forward dataflow, the objective of choices and the weight update.
        update_cycles: whether a separate weight update takes cycles of its own.
    """
    forward: dict[Problem, Counts] = {}
    answers: Answers = {schedule: {} for schedule in orders}
    better = _chooser(orders, machine, emulation)
    unique = [problem for problem in paths if problem.columns is None]

    def fitting(problem: Problem, found: Sequence[Answer | Unfit]) -> list[Answer]:
        fits = [option for option in found if isinstance(option, Answer)]
        if not fits:
            (unfit, *_) = (option for option in found if isinstance(option, Unfit))
            raise _too_small(unfit, paths[problem], machine)
        return fits

    for wanted_of, runs_ahead in dict.fromkeys((problem.wanted, problem in ahead) for problem in unique):
        dx, dw, _ = wanted_of
        group = [problem for problem in unique if (problem.wanted, problem in ahead) == (wanted_of, runs_ahead)]
        planned = _Planned(group, machine, plan_for, emulation, update_cycles)
        for problem, answer in zip(group, planned.forward(), strict=True) if runs_ahead else ():
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
    in_parts = [problem for problem in paths if problem.columns is not None]
    for schedule, order in orders.items() if in_parts else ():
        members = {
            member: order if not schedule.among or hierarchy.can_run(member, order) else "best"
            for member in schedule.members
        }
        parts = {part: paths[problem] for problem in in_parts for member in members for part in problem.parts(member)}
        _, of_parts = through_memory(
            parts, frozenset(), machine, members, plan_for, emulation, update_cycles=update_cycles
        )
        for problem in in_parts:
            answers[schedule][problem] = better(
                [_together([of_parts[member][part] for part in problem.parts(member)]) for member in members]
            )
    return forward, answers


def _together(answers: Sequence[Answer]) -> Answer:
    """What parts of a problem cost, one after the other."""
    phases = dict.fromkeys(phase for answer in answers for phase in answer.phases)
    return Answer(
        {phase: add(answer.phases[phase] for answer in answers if phase in answer.phases) for phase in phases},
        tuple(plan for answer in answers for plan in answer.plans),
        tuple(dict.fromkeys(name for answer in answers for name in answer.ran)),
    )


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
        return Answer(done, (plan,), ran)


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
    done = {phase: complete(counts, machine) for phase, counts in phases.items()}
    if not (problem.dw and problem.weights):
        return done
    if emulation.weight_update == "in_array" and "dx+dw" in done and schedule.updates_in_array:
        extra = with_memory(layers.update("in_array", problem.shapes.sizes, in_array=True), machine)
        return done | {"dx+dw": add((done["dx+dw"], extra))}
    apart = update_apart(problem.shapes.sizes, emulation, machine, update_cycles=update_cycles)
    return done | {"update": apart} if apart else done


class _Sizes(NamedTuple):
    """What mappings want of a GEMM."""

    sizes: Mapping[str, int]
