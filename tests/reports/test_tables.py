"""Tables: every number where its header says, and 80 columns enough for all of it."""

from __future__ import annotations

import io

import pytest
from rich.console import Console, RenderableType

from jaxgrad.array.counters import Counters
from jaxgrad.array.counts import ACCESSES, CYCLES, EFFECTUAL_MACS, KEYS, MACS, STALLS
from jaxgrad.array.emulation import Emulation
from jaxgrad.array.gemm import Gemm
from jaxgrad.autodiff import LayerCounters
from jaxgrad.costs import accesses, measured, step_cost, summary
from jaxgrad.hardware import Accelerator, Machine, Memory, Precision, VectorUnit, load_technology
from jaxgrad.programs import LayerGemm, VectorWork
from jaxgrad.reports import tables
from jaxgrad.reports.numbers import ratio, short
from tests.keys import KEY
from tests.reports.costs import SCHEDULES, cost

LAYERS = [
    LayerGemm("conv", Gemm(800, 90, 100), 1, needs_dx=False),
    LayerGemm("head", Gemm(80, 90, 100), 1, needs_dx=True),
]


def text_of(table: RenderableType, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def rows(table: RenderableType, schedule: str) -> list[list[str]]:
    """The cells to the right of the schedule's name, for each row of it."""
    lines = [line.split() for line in text_of(table).splitlines()]
    return [line[line.index(schedule) + 1 :] for line in lines if schedule in line]


def test_counters_are_shown_exactly_with_unit_and_meaning() -> None:
    counts = {key: 1_000_000 + index for index, key in enumerate(KEYS)}
    text = text_of(tables.counters_table(counts, "title"), 100)
    for key, value in counts.items():
        unit, meaning = tables.MEANINGS[key]
        assert any(all(part in line for part in (key.name, f"{value:,}", unit, meaning)) for line in text.splitlines())
    assert f"{accesses(counts):,}" in text


def test_the_summary_has_a_row_a_layer_and_schedule_and_a_total() -> None:
    costs = cost()
    table = tables.summary_table(costs, "interleaved", "title")
    for schedule in SCHEDULES:
        blocks = [*(layer.backward for layer in costs.layers), {name: costs.total(name) for name in SCHEDULES}]
        expected = [
            [
                short(block[schedule][CYCLES]),
                ratio(block[schedule][CYCLES], block["interleaved"][CYCLES]),
                short(accesses(block[schedule])),
                ratio(accesses(block[schedule]), accesses(block["interleaved"])),
            ]
            for block in blocks
        ]
        assert [row[:4] for row in rows(table, schedule)] == expected
    assert [row[4:] for row in rows(table, "interleaved")][-1] == [short(costs.total("interleaved")[MACS])]


def test_effectual_macs_are_shown_where_the_data_are_known() -> None:
    shapes = cost(layers=1)
    counters = Counters.from_counts(shapes.total("interleaved") | {EFFECTUAL_MACS: 180})
    path = shapes.layers[0].path
    trained = measured(shapes, "interleaved", {path: LayerCounters(Counters.zero(), counters)}, steps=1)
    table = tables.summary_table(trained, "interleaved", "title")
    assert rows(table, "interleaved")[0][4:] == ["720", "25%"]


def test_the_kinds_of_access_are_those_that_occur() -> None:
    costs = cost()
    table = tables.accesses_table(costs, "interleaved", "title")
    kinds = ("w_reads", "x_reads", "dy_reads", "psum_reads", "psum_writes", "dw_writes")
    assert len(table.columns) == 2 + len(kinds)
    for schedule in SCHEDULES:
        total = costs.total(schedule)
        assert rows(table, schedule)[-1] == [short(total[KEY[kind]]) for kind in kinds]
    updated = cost(emulation=Emulation(Accelerator(4, 4), weight_update="separate"))
    assert len(tables.accesses_table(updated, "interleaved", "title").columns) == 2 + len(ACCESSES)


def test_totals_alone_leave_the_layers_out() -> None:
    text = text_of(tables.summary_table(cost(), "interleaved", "title", layers=False))
    assert "blocks" not in text
    assert len(rows(tables.summary_table(cost(), "interleaved", "title", layers=False), "ws_only")) == 1


def test_sizes_stand_under_the_name_and_the_first_layer_says_it_needs_no_dx() -> None:
    text = text_of(tables.summary_table(cost(), "interleaved", "title"))
    assert "8x9x10" in text
    assert text.count("(no dX)") == 1


def test_tables_fit_80_columns_uncut() -> None:
    huge = cost(emulation=Emulation(Accelerator(1, 1), weight_update="separate"))
    for table in (tables.summary_table, tables.accesses_table):
        text = text_of(table(huge, "interleaved", "title"))
        assert "…" not in text
        assert all(len(line.rstrip()) <= 80 for line in text.splitlines())


def test_layers_that_differ_past_80_columns_are_told_apart() -> None:
    prefix = "encoder/blocks/" * 5
    layers = [LayerGemm(f"{prefix}{index}/attention", Gemm(8, 9, 10), 1, needs_dx=True) for index in range(3)]
    costs = step_cost(layers, Emulation(Accelerator(4, 4)), SCHEDULES)
    for table in (tables.summary_table, tables.accesses_table):
        text = text_of(table(costs, "interleaved", "title"))
        assert "…" not in text
        letters = "".join(line.strip().split("  ")[0] for line in text.splitlines())
        for index in range(3):
            assert f"{index}/attention" in letters


def test_the_machine_s_table_tells_time_traffic_and_energy_in_80_columns() -> None:
    machine = Machine(
        Accelerator(4, 4),
        Memory(1 << 16, 1.0),
        Precision.of("bf16"),
        load_technology("horowitz-45nm"),
        VectorUnit(4),
    )
    work = [VectorWork("activation", "forward", 400_000, 300_000, 200_000)]
    costs = step_cost(LAYERS, Emulation(machine.array), SCHEDULES, machine=machine, vector_work=work)
    summaries = {name: summary(costs, name) for name in SCHEDULES}
    table = tables.machine_table(summaries, "interleaved", "title")
    assert max(map(len, text_of(table, 200).splitlines())) <= 80
    assert "[bytes]" in text_of(table)
    for name in SCHEDULES:
        step = summaries[name].select("step")
        ((cycles, share, stalls, moved, *energies),) = rows(table, name)
        base = summaries["interleaved"].select("step")
        assert (cycles, share) == (short(step.time_cycles), ratio(step.time_cycles, base.time_cycles))
        assert (stalls, moved) == (short(step.counts[STALLS]), short(step.dram_bytes))
        *parts, total, _ = map(float, energies)
        assert "[uJ]" in text_of(table)
        assert total == pytest.approx(sum(step.energy_pj.values()) / 1e6, rel=5e-3)
        assert sum(parts) == pytest.approx(total, rel=2e-2)


def test_without_a_technology_the_machine_s_table_has_no_energy() -> None:
    machine = Machine(Accelerator(4, 4), Memory(1 << 16, 1.0))
    costs = step_cost(LAYERS, Emulation(machine.array), ["ws_only"], machine=machine)
    table = tables.machine_table({"ws_only": summary(costs, "ws_only")}, "ws_only", "title")
    assert len(rows(table, "ws_only")[0]) == 4


def test_the_row_of_auto_says_what_ran() -> None:
    """Beside it, in the layers' column, where it costs no width; and not beside the sums over layers that ran different
    ones."""
    layers = [LayerGemm("tall", Gemm(60, 9, 10), 1, needs_dx=True), LayerGemm("flat", Gemm(8, 16, 2), 1, needs_dx=True)]
    costs = step_cost(layers, Emulation(Accelerator(2, 1)))
    for table in (tables.summary_table, tables.accesses_table):
        lines = [line.split() for line in text_of(table(costs, "interleaved", "title")).splitlines()]
        found = [line[:3] for line in lines if "auto" in (line or [""])[0] or line[:1] == ["auto"]]
        assert [line[:2] for line in found[:2]] == [["auto:", "interleaved"], ["auto:", "ws_only"]]
        assert [line[2] for line in found[:2]] == ["auto", "auto"]
        assert found[2][0] == "auto"
