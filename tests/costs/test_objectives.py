"""jaxgrad.costs.objectives: what choices among schedules minimise, and that none of their members is better in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from jaxgrad.array.emulation import Emulation
from jaxgrad.array.gemm import Gemm
from jaxgrad.array.schedules import OBJECTIVES, find
from jaxgrad.costs import StepCost, accesses, energy, step_cost, time_cycles
from jaxgrad.costs.objectives import Objective
from jaxgrad.costs.problems import Problem, from_scratchpad
from jaxgrad.costs.records import Counts
from jaxgrad.hardware import Accelerator, Machine, Memory, PerOperand, Precision, load_technology
from jaxgrad.programs import LayerGemm
from tests.refusals import Refusal, assert_refused

ARRAY = Accelerator(16, 8, True)
HOROWITZ = load_technology("horowitz-45nm")
MEMBERS = [member.name for member in find("best").members]
MACHINES = {
    "waiting": Machine(Accelerator(8, 4, True), Memory(4096, 1.0), Precision.of("bf16"), HOROWITZ),
    "divided": Machine(
        Accelerator(4, 4), Memory(PerOperand(2048, 2048, 2048, 4096, 4096), 8.0, im2col="dram"), technology=HOROWITZ
    ),
    "cores": Machine(Accelerator(8, 4), Memory(4096, 2.0), technology=HOROWITZ, cores=3, partition="best"),
}


def values(phases: Mapping[str, Counts], machine: Machine) -> dict[str, float]:
    """Every objective of what a layer's gradients take, phase by phase."""
    parts = [counts for phase, counts in phases.items() if phase != "forward"]
    cycles, prices = sum(map(time_cycles, parts)), energy.table(machine)
    spent = sum(sum(energy.energy_pj(counts, prices).values()) for counts in parts)
    return {"cycles": cycles, "accesses": sum(map(accesses, parts)), "energy": spent, "edp": spent * cycles}


def test_energy_is_by_the_macs_of_each_phase_s_products() -> None:
    narrow = replace(MACHINES["waiting"], precision=Precision(x="int4", w="int1", dy="bf16"))
    (layer,) = layers = [Problem(64, 24, 40, 64 * 24, dx=True, dw=True)]
    ran = from_scratchpad(layers, Machine(ARRAY), [find("sequential")], Emulation(ARRAY))[find("sequential")][layer]
    prices = energy.table(narrow)
    spent = {phase: energy.energy_pj(counts, prices, phase=phase) for phase, counts in ran.phases.items()}
    assert {phase: part["mac"] for phase, part in spent.items()} == pytest.approx(
        {"dx": 64 * 24 * 40 * 0.9, "dw": 64 * 24 * 40 * 1.3}
    )
    assert Objective("energy", narrow).of(ran.phases)[0] == pytest.approx(sum(sum(p.values()) for p in spent.values()))


@pytest.mark.slow
def test_best_is_never_worse_than_a_member_on_ten_thousand_layers() -> None:
    """All closed forms of a layer in the scratchpad, and what they take on a machine with prices."""
    rng, priced = np.random.default_rng(11), Machine(ARRAY, Memory(1 << 20, 8.0), technology=HOROWITZ)
    sizes = np.floor(2 ** rng.uniform(0, 9, (10_000, 3))).astype(int).tolist()
    layers = [
        Problem(b, k, n, b * k, dx, dw=True) for (b, k, n), dx in zip(sizes, rng.random(10_000) < 0.9, strict=True)
    ]
    distinct = list(dict.fromkeys(layers))
    assert len(distinct) > 9_000
    members = [find(name) for name in MEMBERS]
    costed = from_scratchpad(distinct, Machine(ARRAY), members, Emulation(ARRAY))
    objectives = {name: Objective(name, priced) for name in OBJECTIVES}
    ran = {name: set() for name in OBJECTIVES}
    for layer in distinct:
        answers = [costed[member][layer] for member in members]
        costs = [values(answer.phases, priced) for answer in answers]
        for name, objective in objectives.items():
            chosen = objective.best(answers)
            cost = next(cost for answer, cost in zip(answers, costs, strict=True) if answer is chosen)
            ran[name].add(chosen.ran)
            assert cost[name] <= min(other[name] for other in costs) * (1 + 1e-12)
    assert all(len(names) > 3 for names in ran.values())  # the layers are such that much is chosen


def random_step(objective: str, machine: Machine, *, order: str = "best", update: str = "none") -> StepCost:
    rng = np.random.default_rng(5)
    sizes = np.floor(2 ** rng.uniform(0, 6, (12, 3))).astype(int).tolist()
    gemms = [LayerGemm(f"layers.{place}", Gemm(*size), 1, needs_dx=place > 0) for place, size in enumerate(sizes)]
    emulation = Emulation(machine.array, weight_update=update, objective=objective)
    return step_cost(gemms, emulation, [*MEMBERS, "auto", "best"], machine=machine, order=order)


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_with_a_memory_no_member_is_better_by_the_whole_cost(objective: str, name: str) -> None:
    """Stalls, DRAM and what cores exchange included, layer by layer; and so in the sum of what adds up."""
    machine = MACHINES[name]
    update = {"waiting": "in_array", "divided": "separate", "cores": "none"}[name]
    cost = random_step(objective, machine, update=update, order="best_of_igo" if name == "divided" else "best")
    for choice in ("best", "auto"):
        among = [member.name for member in find(choice).members]
        for layer in cost.layers:
            of = {schedule: values(phases, machine)[objective] for schedule, phases in layer.phases.items()}
            assert of[choice] <= min(of[member] for member in among) * (1 + 1e-12)
            if len(layer.ran[choice]) == 1:
                assert of[choice] == pytest.approx(of[layer.ran[choice][0]], rel=1e-12)


def test_the_objective_decides() -> None:
    """By accesses fewer of them, by cycles less time, on the same layers."""
    machine = Machine(Accelerator(8, 4, True), Memory(1 << 16, 1000.0))
    fast, frugal = (random_step(objective, machine) for objective in ("cycles", "accesses"))
    assert accesses(frugal.total("best")) < accesses(fast.total("best"))
    assert time_cycles(frugal.total("best")) > time_cycles(fast.total("best"))
    assert fast.total("free") == frugal.total("free")  # a schedule that is no choice is what it is


@pytest.mark.parametrize("objective", ["energy", "edp"])
@pytest.mark.parametrize("machine", [Machine(ARRAY), Machine(ARRAY, Memory(1 << 20, 8.0))], ids=["bare", "no prices"])
def test_energy_needs_prices(objective: str, machine: Machine) -> None:
    layer = LayerGemm("dense", Gemm(4, 5, 6), 1, needs_dx=True)
    emulation = Emulation(ARRAY, objective=objective)
    refused = Refusal(
        lambda: step_cost([layer], emulation, ["best"], machine=machine),
        "objective",
        repr(objective),
        "give a machine with a memory and an energy table or a technology, or choose 'cycles' or 'accesses'",
    )
    assert_refused(refused)
    step_cost([layer], emulation, ["free"], machine=machine)
