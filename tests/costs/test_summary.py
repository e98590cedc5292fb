"""jaxgrad.costs.summary: a step's numbers in plain form, and back from JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from jaxgrad.array.counts import KEYS, MACS
from jaxgrad.array.emulation import Emulation
from jaxgrad.array.gemm import Gemm
from jaxgrad.array.schedules import find
from jaxgrad.costs import TRAINING_SCHEDULES, StepCost, Summary, step_cost, summary
from jaxgrad.costs.area import area
from jaxgrad.costs.transfers import dram_bytes
from jaxgrad.hardware import Accelerator, Level, Machine, Memory, Precision, VectorUnit, load_technology
from jaxgrad.programs import LayerGemm, VectorWork

ARRAY = Accelerator(4, 3)
MACHINE = Machine(
    ARRAY, Memory(2**14, 4.0, 0.5), Precision.of("bf16"), load_technology("horowitz-45nm"), VectorUnit(4), cores=2
)
LAYERS = (
    LayerGemm("stem", Gemm(20, 9, 8), times=1, needs_dx=False),
    LayerGemm("depthwise", Gemm(20, 9, 1), times=8, needs_dx=True),
    LayerGemm("head", Gemm(5, 8, 10), times=1, needs_dx=True),
)
WORK = (VectorWork("activation", "forward", 40, 30, 10), VectorWork("loss", "backward", 7, 5, 5))


def cost(machine: Machine = MACHINE) -> StepCost:
    emulation = Emulation(machine.array, weight_update="separate")
    return step_cost(LAYERS, emulation, machine=machine, order="best", vector_work=WORK)


@pytest.fixture(scope="module", name="step")
def costed() -> StepCost:
    return cost()


@pytest.mark.parametrize("schedule", TRAINING_SCHEDULES)
def test_there_and_back_through_json(step: StepCost, schedule: str) -> None:
    own = summary(step, schedule)
    again = Summary.from_dict(json.loads(json.dumps(own.as_dict())))
    assert again.as_dict() == own.as_dict()
    assert again.shares == own.shares
    assert bool(own.shares) == bool(find(schedule).among)
    for before, after in zip(own.phases, again.phases, strict=True):
        assert {name: after.counts.get(name, 0) for name in before.counts} == before.counts
        assert set(KEYS) <= set(after.counts)
        assert (after.time_cycles, after.dram_bytes) == (before.time_cycles, before.dram_bytes)


def test_levels_have_names_areas_and_energies_there_and_back() -> None:
    assert MACHINE.memory is not None
    levels = (Level("near", 2**14, 4.0), Level("far", 2**15, 4.0))
    step = cost(replace(MACHINE, memory=replace(MACHINE.memory, levels=levels)))
    own = summary(step, "interleaved")
    again = Summary.from_dict(json.loads(json.dumps(own.as_dict())))
    assert own.levels == again.levels == ("near", "far")
    assert again.area_um2["far"] == pytest.approx(2 * again.area_um2["near"])
    assert {"near", "far"} < set(again.select("step").energy_pj)
    energies = step.as_dict()["energy_pj"]["interleaved"]
    assert energies == {phase.phase.label: phase.energy_pj for phase in own.phases}
    assert "energy_pj" not in cost(replace(MACHINE, technology=None)).as_dict()


@pytest.mark.parametrize("schedule", TRAINING_SCHEDULES)
def test_phases_are_the_cost_s(step: StepCost, schedule: str) -> None:
    own = summary(step, schedule)
    assert {phase.phase: phase.counts for phase in own.phases} == step.phases(schedule)
    assert {phase.phase: phase.energy_pj for phase in own.phases} == step.energy_pj(schedule)
    for phase in own.phases:
        assert phase.dram_bytes == dram_bytes(phase.counts, MACHINE.precision)
    layers = sum(layer.total.counts[MACS] for layer in own.layers)
    assert layers == own.select("step").counts[MACS] == step.step(schedule)[MACS]


def test_the_machine_s_numbers(step: StepCost) -> None:
    own = summary(step, "interleaved")
    assert (own.schedule, own.pes, own.clock_ghz) == ("interleaved", 2 * 12, 0.5)
    assert own.dram_bytes_per_cycle == pytest.approx(2 * 4.0 / 0.5)
    found = area(MACHINE, "interleaved")
    assert own.area_um2 == {"pes": found.pes_um2, "sram": found.sram_um2}


def test_layers_have_their_shapes(step: StepCost) -> None:
    shapes = {layer.path: layer.shapes for layer in summary(step, "ws_only").layers}
    assert shapes == {"stem": ((20, 9, 8, 1),), "depthwise": ((20, 9, 1, 8),), "head": ((5, 8, 10, 1),)}


def test_selected_phases_add_up(step: StepCost) -> None:
    own = summary(step, "sequential")
    parts = {phase.phase.label: phase for phase in own.phases}
    assert own.select("forward").time_cycles == parts["forward"].time_cycles
    backward = own.select("backward")
    names = {"dx", "dw", "dx+dw", "update"} & set(parts)
    assert backward.counts[MACS] == sum(parts[name].counts[MACS] for name in names)
    assert backward.dram_bytes == sum(parts[name].dram_bytes for name in names)
    assert sum(backward.energy_pj.values()) == pytest.approx(sum(sum(parts[name].energy_pj.values()) for name in names))
    assert own.select("step").time_cycles == sum(phase.time_cycles for phase in own.phases)
    both = own.select("vector").time_cycles
    assert both == parts["vector forward"].time_cycles + parts["vector backward"].time_cycles
    assert own.select("forward", "backward", "vector").counts == own.select("step").counts


def test_utilisation_and_intensity_by_hand(step: StepCost) -> None:
    forward = summary(step, "ws_only").select("forward")
    assert 0 < forward.utilisation(24) < 1
    assert forward.utilisation(24) == forward.counts[MACS] / (forward.time_cycles * 24)
    assert forward.macs_per_dram_byte == forward.counts[MACS] / forward.dram_bytes
    nothing = summary(step, "ws_only").select("dx+dw+nothing")
    assert (nothing.utilisation(24), nothing.macs_per_dram_byte, nothing.energy_pj) == (0.0, None, {})


def test_what_is_not_known_is_left_out() -> None:
    bare = summary(cost(Machine(ARRAY)), "auto")
    assert (bare.dram_bytes_per_cycle, bare.clock_ghz, bare.area_um2) == (None, None, {})
    assert all(phase.energy_pj == {} and phase.dram_bytes == 0 for phase in bare.phases)
    no_area = replace(MACHINE, precision=Precision.of("fp32"))  # no PE of it was synthesized
    assert summary(cost(no_area), "auto").area_um2 == {}


def test_a_cost_without_a_machine_is_refused(step: StepCost) -> None:
    with pytest.raises(ValueError, match=r"^cost: got one without a machine;"):
        summary(replace(step, machine=None), "auto")
