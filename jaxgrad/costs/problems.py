"""What layers cost, equal ones once: from the scratchpad alone, or through a memory by plans searched for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from jaxgrad.array import layers
from jaxgrad.array.counts import CYCLES, DRAM, KEYS
from jaxgrad.array.emulation import Emulation
from jaxgrad.array.layers import Phases
from jaxgrad.array.schedules import Schedule, choose
from jaxgrad.base.errors import InputError
from jaxgrad.costs import cores, hierarchy
from jaxgrad.costs.cores import CoresPlanner, Partition
from jaxgrad.costs.hierarchy import memory_keys
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


def from_scratchpad(
    problems: Iterable[Problem],
    machine: Machine,
    schedule: Schedule,
    emulation: Emulation,
    *,
    update_cycles: bool = False,
) -> dict[Problem, Answer]:
    """Without a memory: the scratchpad holds everything, and shapes decide."""
    answers = {}
    for problem in problems:
        gemm = _Sizes(problem.shapes.sizes)
        chosen = choose(schedule, gemm, machine.array, objective=emulation.objective, dx=problem.dx, dw=problem.dw)
        phases = layers.backward(chosen.mappings, gemm.sizes, machine.array)
        ran = (chosen.schedule.name,) if chosen.mappings else ()
        done = _updated(phases, problem, schedule, emulation, machine, update_cycles=update_cycles)
        answers[problem] = Answer(done, ran=ran)
    return answers


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
) -> tuple[dict[Problem, Counts], dict[Schedule, dict[Problem, Answer]]]:
    """With a memory: the forward counts, and by schedule the answers, of plans that are searched for."""
    forward: dict[Problem, Counts] = {}
    answers: dict[Schedule, dict[Problem, Answer]] = {schedule: {} for schedule in orders}
    for dx, dw, weights in dict.fromkeys(problem.wanted for problem in unique):
        group = [problem for problem in unique if problem.wanted == (dx, dw, weights)]
        stacked = Shapes.of(problem.shapes.numbers for problem in group)
        planner = CoresPlanner(machine, stacked, plan_for)

        def each(plans: list[Partition | Unfit], group: list[Problem] = group) -> Iterator[tuple[Problem, Partition]]:
            for problem, plan in zip(group, plans, strict=True):
                if isinstance(plan, Unfit):
                    raise _too_small(plan, gemms[problems.index(problem)].path, machine)
                yield problem, plan

        for problem, plan in each(planner.forward(emulation.forward)):
            forward[problem] = cores.counts(plan, problem.shapes, machine)["forward"]
        for schedule, order in orders.items() if dx or dw else ():
            wanted = order if order != "separate" or hierarchy.can_run(schedule, order) else "best"
            stored, chosen = machine, planner
            if emulation.weight_update == "in_array" and schedule.updates_in_array and dx and dw and weights:
                # What leaves the array in dW's place is W, in its format.
                stored = replace(machine, precision=replace(machine.precision, dw=machine.precision.w))
                chosen = CoresPlanner(stored, stacked, plan_for)
            for problem, plan in each(chosen.backward(schedule, wanted, dx=dx, dw=dw)):
                phases = cores.counts(plan, problem.shapes, stored)
                ran = tuple(dict.fromkeys(share.plan.schedule for share in plan.shares if share.plan.runs))
                done = _updated(phases, problem, schedule, emulation, machine, update_cycles=update_cycles)
                answers[schedule][problem] = Answer(done, plan, ran)
    for by_problem in answers.values():
        by_problem.update({problem: Answer({}) for problem in unique if not (problem.dx or problem.dw)})
    return forward, answers


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
