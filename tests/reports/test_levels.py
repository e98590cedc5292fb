"""The table of memories: every number where its header says, by the memory's own name, in 80 columns."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jaxgrad.array.counts import ACC_UPDATES, ACCESSES, MACS, Key, stalls_of
from jaxgrad.array.emulation import Emulation
from jaxgrad.array.gemm import Gemm
from jaxgrad.costs import StepCost, Summary, step_cost, summary
from jaxgrad.hardware import Accelerator, Level, Machine, Memory, Precision, VectorUnit, load_technology
from jaxgrad.programs import LayerGemm, VectorWork
from jaxgrad.reports import schedules, tables
from jaxgrad.reports.levels import headers, levels_table, memories, unit_of
from jaxgrad.reports.numbers import short
from tests.reports.costs import SCHEDULES
from tests.reports.test_tables import rows, text_of

LEVELS = (Level("near", 1 << 11, 16.0, keeps=("x", "dy", "dx", "y")), Level("global_buffer", 1 << 13, 4.0))
MACHINE = Machine(
    Accelerator(4, 4),
    Memory(1 << 9, 1.0, levels=LEVELS),
    Precision.of("bf16"),
    load_technology("horowitz-45nm"),
    VectorUnit(4),
)
LAYERS = [LayerGemm("wide", Gemm(30, 25, 45), 9, needs_dx=True), LayerGemm("head", Gemm(15, 45, 20), 1, needs_dx=True)]


def costed(machine: Machine) -> tuple[StepCost, dict[str, Summary]]:
    work = [VectorWork("activation", "forward", 4000, 3000, 2000)]
    cost = step_cost(LAYERS, Emulation(machine.array), SCHEDULES, machine=machine, vector_work=work)
    return cost, {name: summary(cost, name) for name in SCHEDULES}


@pytest.fixture(scope="module", name="step")
def costed_once() -> tuple[StepCost, dict[str, Summary]]:
    return costed(MACHINE)


def test_every_memory_has_a_row_with_its_own_numbers(step: tuple[StepCost, dict[str, Summary]]) -> None:
    _, summaries = step
    text = text_of(levels_table(summaries, "interleaved", "title"), 80)
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    unit = unit_of(own.select("step") for own in summaries.values())
    for own in summaries.values():
        part = own.select("step")
        cells = {row[0]: row[1:] for row in memories(part, own.levels, unit)}
        assert list(cells) == ["registers", "SRAM", "near", "global_buffer", "DRAM"]
        assert {len(row) + 1 for row in cells.values()} == {len(headers(unit))}
        for name in ("near", "global_buffer", "DRAM"):
            read, written, filled, back, stalls, energy = cells[name]
            level = name.lower()
            moved = {
                action: sum(count for key, count in part.counts.items() if key[::2] == (level, action))
                for action in ("reads", "writes", "fills", "write_backs")
            }
            assert (read, written) == (short(moved["reads"]), short(moved["writes"]))
            assert (filled, back) == (
                ("", "") if name == "DRAM" else (short(moved["fills"]), short(moved["write_backs"]))
            )
            assert stalls == short(part.counts[stalls_of(level)])
            assert energy == unit.written(part.energy_pj[level])
            assert all(value in text for value in (name, read, written, filled, stalls, energy))
        taken, given = (
            sum(part.counts[key] for key in ACCESSES if key.action == action) for action in ("reads", "writes")
        )
        macs, sums = part.counts[MACS], part.counts[ACC_UPDATES]
        assert cells["registers"][:-1] == [*map(short, (macs, sums, taken, given)), ""]
        assert cells["registers"][-1] == unit.written(part.energy_pj["register"] + part.energy_pj["hop"])
        assert cells["SRAM"][:2] == [short(taken), short(given)]
        assert cells["SRAM"][-2:] == ["", unit.written(part.energy_pj["sram"])]
        assert part.counts[Key("near", "x", "reads")] > 0
        assert not any(part.counts.get(Key("near", "w", action)) for action in ("reads", "fills"))


def test_the_machine_s_table_counts_levels_as_sram(step: tuple[StepCost, dict[str, Summary]]) -> None:
    _, summaries = step
    table = tables.machine_table(summaries, "interleaved", "title")
    assert max(map(len, text_of(table, 200).splitlines())) <= 80
    for name in SCHEDULES:
        ((*_, total, _),) = rows(table, name)
        parts = list(map(float, rows(table, name)[0][4:-2]))
        assert sum(parts) == pytest.approx(float(total), rel=2e-2)


def test_the_report_shows_memories_where_there_are_levels(step: tuple[StepCost, dict[str, Summary]]) -> None:
    cost, _ = step
    with_levels = text_of(schedules.report(cost, "interleaved", MACHINE.array, measured=False), 100)
    assert all(text in with_levels for text in ("Memories of the step", "global_buffer", "stalls alone"))
    assert MACHINE.memory is not None
    bare, _ = costed(replace(MACHINE, memory=replace(MACHINE.memory, levels=())))
    without = text_of(schedules.report(bare, "interleaved", MACHINE.array, measured=False), 100)
    assert "Memories of the step" not in without
    assert "stalls alone" not in without


def test_without_a_technology_energies_are_not_told() -> None:
    _, summaries = costed(replace(MACHINE, technology=None))
    for row in memories(summaries["interleaved"].select("step"), ["near"], unit_of([])):
        assert row[-1] == "-"
