"""Counters and costs as rich tables that fit 80 columns, each with a caption that says how to read it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from jaxgrad.array.counts import (
    ACC_UPDATES,
    ACCESSES,
    CYCLES,
    EFFECTUAL_MACS,
    HOPS,
    MACS,
    PE,
    READS,
    SRAM,
    STALLS,
    WRITES,
    Key,
)
from jaxgrad.costs import Counts, StepCost, Summary, accesses, time_cycles
from jaxgrad.programs import LayerGemm
from jaxgrad.reports.numbers import Written, energy_unit, exact, percent, ratio, short
from jaxgrad.reports.screen import PlainTable
from jaxgrad.reports.style import schedule_label

# What each counter counts: its unit and its meaning.
MEANINGS: Mapping[Key, tuple[str, str]] = {
    CYCLES: ("clock cycles", "time on the array, loading and draining included"),
    MACS: ("operations", "multiply-accumulates"),
    EFFECTUAL_MACS: ("operations", "multiply-accumulates with both operands non-zero"),
    Key(SRAM, "w", READS): ("words", "weights read from SRAM"),
    Key(SRAM, "w", WRITES): ("words", "updated weights written to SRAM"),
    Key(SRAM, "x", READS): ("words", "activations read from SRAM"),
    Key(SRAM, "dy", READS): ("words", "output gradients read from SRAM"),
    Key(SRAM, "psum", READS): ("words", "partial sums read back from SRAM"),
    Key(SRAM, "psum", WRITES): ("words", "partial sums and results written to SRAM"),
    Key(SRAM, "dw", READS): ("words", "weight gradients read from SRAM"),
    Key(SRAM, "dw", WRITES): ("words", "weight gradients written to SRAM"),
    Key(PE, "dy", HOPS): ("words", "moves of output gradients between PEs"),
    Key(PE, "x", HOPS): ("words", "moves of activations between PEs"),
    Key(PE, "psum", HOPS): ("words", "moves of partial sums between PEs"),
    ACC_UPDATES: ("operations", "updates of the accumulators inside the PEs"),
}
_HEADERS = {
    Key(SRAM, "w", READS): "W\nread",
    Key(SRAM, "w", WRITES): "W\nwrite",
    Key(SRAM, "x", READS): "X\nread",
    Key(SRAM, "dy", READS): "dY\nread",
    Key(SRAM, "psum", READS): "psum\nread",
    Key(SRAM, "psum", WRITES): "psum\nwrite",
    Key(SRAM, "dw", READS): "dW\nread",
    Key(SRAM, "dw", WRITES): "dW\nwrite",
}


# Columns of energy: what they hold of ``costs.energy.COMPONENTS``.
_ENERGY_PARTS = {
    "MACs": ("mac",),
    "regs": ("register", "hop"),
    "SRAM": ("sram",),
    "DRAM": ("dram",),
    "idle": ("idle", "leakage"),
    "vector": ("vector",),
}


def counters_table(counts: Counts, title: str) -> Table:
    """Exact values of all counters, each with its unit and its meaning."""
    table = PlainTable(title)
    table.add_column("counter", names=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("unit")
    table.add_column("meaning")
    for key, value in counts.items():
        unit, meaning = MEANINGS[key]
        table.add_row(key.name, exact(value), unit, meaning)
    table.add_section()
    table.add_row("accesses", exact(accesses(counts)), "words", "all SRAM reads and writes above")
    return table


def summary_table(cost: StepCost, chosen: str, title: str, *, layers: bool = True) -> Table:
    """Cycles, accesses and MACs of the backward pass, layer by layer, each schedule with its ratio to ``chosen``."""
    table = PlainTable(title)
    table.add_column("layer", names=True)
    table.add_column("schedule", names=True)
    sparse = has_zeros(cost)
    for header, full in (
        ("cycles", None), ("ratio", "ratio of cycles"), ("accesses\n[words]", None), ("ratio", "ratio of accesses"),
        ("MACs", None), *([("effectual\nMACs", None)] if sparse else []),
    ):  # fmt: skip
        table.add_column(header, justify="right", no_wrap=True, full=full)
    for labels, block in _blocks(cost, layers=layers):
        base = block[chosen]
        for label, schedule in zip(labels, cost.schedules, strict=True):
            counts, first = block[schedule], schedule == cost.schedules[0]
            macs = short(counts[MACS]), percent(counts[EFFECTUAL_MACS], counts[MACS])
            table.add_row(
                label,
                schedule_label(schedule),
                short(time_cycles(counts)),
                ratio(time_cycles(counts), time_cycles(base)),
                short(accesses(counts)),
                ratio(accesses(counts), accesses(base)),
                *(cell if first else cell.unsaid() for cell in macs[: 2 if sparse else 1]),
                style="bold" if schedule == chosen else None,
            )
        table.add_section()
    return table


def has_zeros(cost: StepCost) -> bool:
    """Whether some MACs are not effectual; counts from shapes alone take all of them as effectual."""
    totals = map(cost.total, cost.schedules)
    return any(total[EFFECTUAL_MACS] != total[MACS] for total in totals)


def accesses_table(cost: StepCost, chosen: str, title: str, *, layers: bool = True) -> Table:
    """SRAM accesses of the backward pass in words, by layer, operand and direction; columns of zeros are left out."""
    kinds = [kind for kind in ACCESSES if any(cost.total(schedule)[kind] for schedule in cost.schedules)]
    table = PlainTable(title, gap=2 if len(kinds) <= 6 else 1)
    table.add_column("layer", names=True)
    table.add_column("schedule", names=True)
    for kind in kinds:
        table.add_column(_HEADERS[kind], justify="right", no_wrap=True)
    for labels, block in _blocks(cost, layers=layers):
        for label, schedule in zip(labels, cost.schedules, strict=True):
            cells = [short(block[schedule][kind]) for kind in kinds]
            table.add_row(label, schedule_label(schedule), *cells, style="bold" if schedule == chosen else None)
        table.add_section()
    return table


def machine_table(summaries: Mapping[str, Summary], chosen: str, title: str, *, part: str = "step") -> Table:
    """Time, DRAM traffic and energy of the step, or a part of it, by schedule; columns without a value are left out."""
    steps = {schedule: summary.select(part) for schedule, summary in summaries.items()}
    has_memory = any(summary.dram_bytes_per_cycle is not None for summary in summaries.values())
    energies = {schedule: _energy_parts(step.energy_pj, summaries[schedule].levels) for schedule, step in steps.items()}
    parts = [name for name in _ENERGY_PARTS if any(energy.get(name) for energy in energies.values())]
    unit = energy_unit(max((sum(energy.values()) for energy in energies.values()), default=0.0))
    table = PlainTable(title, gap=1)
    table.add_column("schedule", names=True)
    headers = {"cycles": "cycles", "ratio of cycles": "ratio"}
    headers |= {"stalls": "stalls", "DRAM [bytes]": "DRAM\n[bytes]"} if has_memory else {}
    if parts:
        headers |= {f"energy of {name} [{unit.name}]": f"{name}\n[{unit.name}]" for name in (*parts, "all")}
        headers["ratio of energy"] = "ratio"
    for full, header in headers.items():
        table.add_column(header, justify="right", no_wrap=True, full=full)
    for schedule, step in steps.items():
        base = steps[chosen]
        cells = [short(step.time_cycles), ratio(step.time_cycles, base.time_cycles)]
        if has_memory:
            cells += [short(step.counts.get(STALLS, 0)), short(step.dram_bytes)]
        if parts:
            total, reference = (sum(energies[name].values()) for name in (schedule, chosen))
            cells += [*(unit.written(energies[schedule][name]) for name in parts), unit.written(total)]
            cells.append(ratio(total, reference))
        table.add_row(schedule_label(schedule), *cells, style="bold" if schedule == chosen else None)
    return table


def _energy_parts(energy_pj: Mapping[str, float], levels: Iterable[str]) -> dict[str, float]:
    """Components of energy summed into the table's columns; levels between scratchpad and DRAM count as SRAM."""
    parts = _ENERGY_PARTS | {"SRAM": (*_ENERGY_PARTS["SRAM"], *levels)}
    return {
        name: sum(energy_pj[component] for component in components) for name, components in parts.items() if energy_pj
    }


def legend(meanings: Mapping[str, str]) -> Table:
    """What the words in a table mean."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="bold")
    table.add_column()
    for word, meaning in meanings.items():
        table.add_row(Text(word), Text(meaning))
    return table


def note(text: str) -> Padding:
    """A paragraph under a table."""
    return Padding(Text(text), (0, 0, 1, 0))


def _blocks(cost: StepCost, *, layers: bool) -> Iterator[tuple[list[Written], Mapping[str, Counts]]]:
    """One block of rows for each layer, then one of totals: texts of the first column by schedule, and the counts.

    The text beside a choice among schedules, such as ``auto``, says what ran.
    """
    for layer in cost.layers if layers else ():
        texts = [layer.path, *map(_sizes, layer.gemms), *([] if layer.needs_dx else ["(no dX)"])]
        labels = _labels(texts, cost, layer.path)
        for row, name in enumerate(cost.schedules):
            if (ran := layer.ran.get(name, (name,))) != (name,) and ran:
                labels[row] = Written(f"{schedule_label(name)}: {', '.join(map(schedule_label, ran))}", layer.path)
        yield labels, layer.backward
    if len(cost.layers) > 1 or not layers:
        yield (
            _labels(["all layers"], cost, "all layers"),
            {schedule: cost.total(schedule) for schedule in cost.schedules},
        )


def _labels(texts: list[str], cost: StepCost, layer: str) -> list[Written]:
    """Each stands for its layer, whatever it says of it."""
    rows = len(cost.schedules)
    return [Written(text, layer) for text in (texts + [""] * rows)[:rows]]  # sizes beyond these rows stay unsaid


def _sizes(layer: LayerGemm) -> str:
    gemm = layer.gemm
    times = f" x{layer.times}" if layer.times > 1 else ""
    return f"{gemm.batch}x{gemm.in_features}x{gemm.out_features}{times}"
