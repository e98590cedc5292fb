"""Traffic, stalls and energy of each memory in a step: the registers of the PEs, the scratchpad, levels, and DRAM."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rich.table import Table

from jaxgrad.array.counts import DRAM, SRAM, stalls_of
from jaxgrad.costs import PhaseSummary, Summary, activities, energies_pj
from jaxgrad.costs.memories import REGISTER
from jaxgrad.reports.numbers import Unit, energy_unit, short
from jaxgrad.reports.screen import PlainTable
from jaxgrad.reports.style import schedule_label

MEANINGS: Mapping[str, str] = {
    "filled": "words that a memory takes from the next one outwards; written back: words that it gives to that one; "
    "read and written: words exchanged with the next one inwards",
    "registers": "those of the PEs, read and written by MACs; their energy includes moves between PEs",
    "stalls alone": "cycles in which the array would wait if this memory alone took time; they overlap, so they do not "
    "add up",
}
_ACTIONS = ("read", "written", "filled", "written\nback")
_LABELS = {REGISTER: "registers", SRAM: "SRAM", DRAM: "DRAM"}


def unit_of(parts: Iterable[PhaseSummary]) -> Unit:
    """The unit that energies of memories are written in."""
    return energy_unit(max((pj for part in parts for pj in part.energy_pj.values()), default=0.0))


def headers(unit: Unit) -> list[str]:
    """Column headers for the cells of ``memories``."""
    return [
        "memory",
        *(f"{action}\n[words]" for action in _ACTIONS),
        "stalls\nalone",
        f"energy\n[{unit.name}]",
    ]


def memories(part: PhaseSummary, levels: Iterable[str], unit: Unit) -> Iterator[list[str]]:
    """One row for each memory: the registers of the PEs, the scratchpad, the levels, then DRAM.

    Args:
        part: what is told of.
        levels: names, from the scratchpad outwards.
        unit: of energies.
    """
    levels = tuple(levels)
    energies = energies_pj(part.energy_pj, levels) if part.energy_pj else {}
    for name, done in activities(part.counts, levels).items():
        outside = ["", ""] if name == DRAM else [short(done.fills), short(done.write_backs)]
        waits = name in (*levels, DRAM)  # the others keep pace with the array
        stalls = short(part.counts.get(stalls_of(name), 0)) if waits else ""
        energy = unit.written(energies[name]) if energies else "-"
        yield [_LABELS.get(name, name), short(done.reads), short(done.writes), *outside, stalls, energy]


def levels_table(summaries: Mapping[str, Summary], chosen: str, title: str) -> Table:
    """The memories of the whole step, schedule by schedule."""
    steps = {schedule: summary.select("step") for schedule, summary in summaries.items()}
    unit = unit_of(steps.values())
    table = PlainTable(title, gap=1)
    table.add_column("schedule", names=True)
    memory, *numbers = headers(unit)
    table.add_column(memory, names=True)
    for header in numbers:
        table.add_column(header, justify="right", no_wrap=True)
    for schedule, step in steps.items():
        for index, cells in enumerate(memories(step, summaries[schedule].levels, unit)):
            label = "" if index else schedule_label(schedule)
            table.add_row(label, *cells, style="bold" if schedule == chosen else None)
        table.add_section()
    return table
