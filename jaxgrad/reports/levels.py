"""Traffic, stalls and energy of each memory in a step: the scratchpad, the levels around it, and DRAM."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rich.table import Table

from jaxgrad.array.counts import DRAM, FILLS, READS, WRITE_BACKS, WRITES, stalls_of
from jaxgrad.costs import PhaseSummary, Summary
from jaxgrad.reports.numbers import Unit, energy_unit, short
from jaxgrad.reports.screen import PlainTable
from jaxgrad.reports.style import schedule_label

MEANINGS: Mapping[str, str] = {
    "filled": "words that a memory takes from the next one outwards; written back: words that it gives to that one; "
    "read and written: words exchanged with the next one inwards",
    "stalls alone": "cycles in which the array would wait if this memory alone took time; they overlap, so they do not "
    "add up",
}
_ACTIONS = {READS: "read", WRITES: "written", FILLS: "filled", WRITE_BACKS: "written\nback"}


def unit_of(parts: Iterable[PhaseSummary]) -> Unit:
    """The unit that energies of memories are written in."""
    return energy_unit(max((pj for part in parts for pj in part.energy_pj.values()), default=0.0))


def headers(unit: Unit) -> list[str]:
    """Column headers for the cells of ``memories``."""
    return [
        "memory",
        *(f"{action}\n[words]" for action in _ACTIONS.values()),
        "stalls\nalone",
        f"energy\n[{unit.name}]",
    ]


def memories(part: PhaseSummary, levels: Iterable[str], unit: Unit) -> Iterator[list[str]]:
    """One row for each memory: the levels, then DRAM.

    Args:
        part: what is told of.
        levels: names, from the scratchpad outwards.
        unit: of energies.
    """
    for name in (*levels, DRAM):
        words = dict.fromkeys(_ACTIONS, 0)
        for key, count in part.counts.items():
            if key.level == name and key.action in words:
                words[key.action] += count
        no_outside = (FILLS, WRITE_BACKS) if name == DRAM else ()
        cells = ["" if action in no_outside else short(count) for action, count in words.items()]
        energy = unit.written(part.energy_pj[name]) if part.energy_pj else "-"
        yield ["DRAM" if name == DRAM else name, *cells, short(part.counts.get(stalls_of(name), 0)), energy]


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
