"""An experiment's results as tables, on the screen and in files."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import groupby

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from jaxgrad.reports import levels as memory_tables
from jaxgrad.reports.numbers import energy_unit, exact, fixed, measured, percent, short, time_unit
from jaxgrad.reports.style import PHASES, phase_of
from jaxgrad.studies import frame, sensitivity_tables
from jaxgrad.studies.against import Against
from jaxgrad.studies.compare import UNITS, Comparison, Row, unchanged
from jaxgrad.studies.published import deviation_text, numbered
from jaxgrad.studies.schema import Experiment
from jaxgrad.studies.sensitivity import Sensitivity, sensitivity

_HEADERS: Mapping[str, str] = {
    "cycles": "cycles",
    "accesses": "SRAM\n[words]",
    "dram_bytes": "DRAM\n[bytes]",
    "energy": "energy\n[{energy}]",
    "area": "area\n[mm2]",
}
SEARCHED = "Found by search: that ours are near the published figures proves nothing about the authors' machine."
Cells = tuple[list[str], list[list[str]]]
"""Headers and rows."""


def screen(
    experiment: Experiment,
    rows: Sequence[Row],
    comparisons: Sequence[Comparison],
    against: Against | None = None,
    *,
    brief: bool = True,
) -> Group:
    """All tables: shortened for the terminal, or complete for a file."""
    changes, rows = sensitivity(experiment, rows), unchanged(rows)
    parts: list[RenderableType] = []
    arrays = {_array(row) for row in rows}
    on = f" on {arrays.pop()} PEs" if brief and len(arrays) == 1 else ""
    title = f"{part_title(experiment)}{on}; ratios are over {experiment.baseline}"
    names = {"network", *(axis.name for axis in experiment.sweep), "variant", "array"}
    parts.append(_rich(*results(experiment, rows, brief=brief), title, names))
    shares = phase_shares(experiment, rows)
    if shares:
        parts.append(_rich(*shares, "Share of the cycles by phase", names))
    memories = levels(experiment, rows)
    if memories:
        parts.append(_rich(*memories, f"Memories of each: {part_title(experiment).lower()}", {*names, "memory"}))
    areas = list(iso_areas(rows))
    if areas:
        parts += [*map(Text, areas), ""]
    whole = run_totals(experiment, rows)
    if whole:
        parts.append(_rich(*whole, "Whole training, forward to update", names))
    if comparisons:
        title = f"Published, and ours: ratios over {experiment.baseline}; the deviation is in points of it"
        parts.append(_rich(*published(comparisons), title, {*names, "quantity", ""}))
        if experiment.found_by_search or experiment.fitted_to_measurements:
            parts.append(Text(fitted(experiment)))
        parts += [Text(f"{index}: {text}") for index, text in sources(comparisons).items()]
    parts += against.screen(brief=brief) if against else []
    if changes:
        parts += _changes(changes, brief=brief)
    return frame.on_screen(experiment, parts)


def _changes(found: Sensitivity, *, brief: bool) -> list[RenderableType]:
    title = "One assumption changed at a time; the farthest of all is in points of the baseline"
    tables = sensitivity_tables.of_networks(found) if brief else [(title, sensitivity_tables.whole(found))]
    said = [Text(line) for line in sensitivity_tables.said(found)]
    return ["", *(_rich(*cells, title, {sensitivity_tables.ASSUMPTION}) for title, cells in tables), *said]


def results(experiment: Experiment, rows: Sequence[Row], *, brief: bool = False) -> Cells:
    """A row a point: its quantities and their ratios; quantities that no point has are left out.

    Args:
        experiment, rows: what was run, and what came out.
        brief: leave out the values of all but the cycles, and what is the same everywhere, so that the table fits a
            screen.
    """
    quantities = [name for name in UNITS if any(row.values[name] is not None for row in rows)]
    if brief:
        quantities = [
            name for name in quantities if name == "cycles" or {_ratio(row.ratios[name]) for row in rows} != {"1.000"}
        ]
    with_array = not brief or len({_array(row) for row in rows}) > 1
    axes = [axis.name for axis in experiment.sweep]
    unit = energy_unit(1e6 * max((row.values["energy"] or 0.0 for row in rows), default=0.0))
    headers = ["network", *axes, "variant", *(["array"] if with_array else [])]
    for name in quantities:
        shown = not brief or name == "cycles"
        headers += (
            [_HEADERS[name].format(energy=unit.name), "ratio"] if shown else [f"{_HEADERS[name].split()[0]}\nratio"]
        )
    headers.append("busy\nPEs")
    cells: list[list[str]] = []
    for group, group_rows in groupby(rows, key=lambda row: row.point.group):
        network, at = group
        for index, row in enumerate(group_rows):
            first = index == 0
            line = [network if first else "", *(label if first else "" for _, label in at), row.point.variant]
            line += [_array(row)] if with_array else []
            for name in quantities:
                if not brief or name == "cycles":
                    value = row.values[name]
                    line.append(unit.written(1e6 * value) if name == "energy" and value else measured(value))
                line.append(_ratio(row.ratios[name]))
            part = row.summary.select(experiment.compare)
            line.append(percent(part.utilisation(row.summary.pes), 1))
            cells.append(line)
    return headers, cells


def phase_shares(experiment: Experiment, rows: Sequence[Row]) -> Cells | None:
    """Each phase's share of a step's cycles, for experiments on whole steps without a sweep."""
    if experiment.compare != "step" or experiment.sweep:
        return None
    cycles = []
    for row in rows:
        phase_cycles: dict[str, int] = {}
        for part in row.summary.phases:
            phase_cycles[phase_of(part.phase)] = phase_cycles.get(phase_of(part.phase), 0) + part.time_cycles
        cycles.append(phase_cycles)
    phases = [phase for phase in PHASES if any(phase_cycles.get(phase) for phase_cycles in cycles)]
    cells = []
    for row, phase_cycles in zip(rows, cycles, strict=True):
        shares = [
            percent(phase_cycles[phase], sum(phase_cycles.values()), 1) if phase in phase_cycles else "-"
            for phase in phases
        ]
        cells.append([row.point.network, row.point.variant, *shares])
    return ["network", "variant", *(PHASES[phase].label for phase in phases)], _without_repeats(cells)


def levels(experiment: Experiment, rows: Sequence[Row]) -> Cells | None:
    """Traffic, stalls and energy of each memory in what is compared, where some machine has levels."""
    parts = [row.summary.select(experiment.compare) for row in rows]
    unit = memory_tables.unit_of(parts)
    axes = [axis.name for axis in experiment.sweep]
    cells: list[list[str]] = []
    for row, part in zip(rows, parts, strict=True):
        labels = [row.point.network, *row.point.at.values(), row.point.variant]
        for index, memory in enumerate(memory_tables.memories(part, row.summary.levels, unit)):
            if row.summary.levels:
                cells.append([*(labels if index == 0 else [""] * len(labels)), *memory])
    return (["network", *axes, "variant", *memory_tables.headers(unit)], cells) if cells else None


def iso_areas(rows: Sequence[Row]) -> Iterator[str]:
    """How arrays of equal area were found, one line each."""
    seen = set()
    for row in rows:
        match = row.point.iso_area
        if match is None or (row.point.variant, match) in seen:
            continue
        seen.add((row.point.variant, match))
        array = match.array
        area, rest = fixed(match.pes_um2 / 1e6, 3), fixed(match.remainder_um2 / 1e6, 4)
        yield (
            f"{row.point.variant}: {array.rows} rows x {array.cols} columns, {array.pes} PEs on "
            f"{area} mm2; {rest} mm2 of the other array's area remain"
        )


def run_totals(experiment: Experiment, rows: Sequence[Row]) -> Cells | None:
    """Cycles, energy and time of a step, an epoch and a run, where the experiment says how long they are."""
    workload = experiment.workload
    if workload.images is None:
        return None
    epochs = workload.epochs or 1
    steps = [-(-workload.images // row.point.spec["batch"]) for row in rows]
    energies = [
        epochs * count * sum(row.summary.select("step").energy_pj.values())
        for row, count in zip(rows, steps, strict=True)
    ]
    seconds = [
        epochs * count * row.summary.select("step").time_cycles / (row.summary.clock_ghz * 1e9)
        if row.summary.clock_ghz
        else None
        for row, count in zip(rows, steps, strict=True)
    ]
    unit = energy_unit(max(energies, default=0.0))
    time = time_unit(max((second for second in seconds if second is not None), default=0.0))
    headers = [
        "network",
        "variant",
        "cycles\na step",
        "steps\nan epoch",
        "cycles\nan epoch",
        f"cycles of\n{epochs} epochs",
        f"energy of\nall [{unit.name}]",
        f"time of\nall [{time.name}]",
    ]
    cells = []
    for row, count, energy_pj, second in zip(rows, steps, energies, seconds, strict=True):
        part = row.summary.select("step")
        cells.append(
            [
                row.point.network,
                row.point.variant,
                short(part.time_cycles),
                exact(count),
                short(part.time_cycles * count),
                short(part.time_cycles * count * epochs),
                unit.written(energy_pj) if part.energy_pj else "-",
                "-" if second is None else time.written(second),
            ]
        )
    return headers, _without_repeats(cells)


def published(comparisons: Sequence[Comparison]) -> Cells:
    """Each published figure beside ours; the number refers to its source and what could account for the difference."""
    headers = ["", "network", "variant", "quantity", "published", "ours", "deviation"]
    numbers = {text: number for number, text in sources(comparisons).items()}
    cells = []
    for comparison in comparisons:
        figure = comparison.published
        cells.append(
            [
                numbers[figure.origin],
                comparison.network,
                figure.variant + (f" over {figure.over}" if figure.over else ""),
                figure.quantity,
                figure.text,
                _ratio(comparison.ours),
                deviation_text(figure, comparison.ours),
            ]
        )
    return headers, cells


def sources(comparisons: Sequence[Comparison]) -> dict[str, str]:
    """The sources of the published figures, numbered, each once."""
    return numbered(comparison.published for comparison in comparisons)


def fitted(experiment: Experiment) -> str:
    """Whether anything was fitted."""
    said = [SEARCHED] * experiment.found_by_search
    said += ["Fitted to measurements: see there."] * experiment.fitted_to_measurements
    return " ".join(said) or "Nothing was fitted."


def part_title(experiment: Experiment) -> str:
    parts = {
        "forward": "Forward pass",
        "backward": "Backward pass",
        "vector": "Work beside the array",
        "step": "Training step",
    }
    without = "" if experiment.count_psum_reads else ", SRAM words without reads of partial sums"
    return parts[experiment.compare] + without


def _array(row: Row) -> str:
    machine = row.point.machine
    return f"{machine.array.rows}x{machine.array.cols}" + (f" x{machine.cores}" if machine.cores > 1 else "")


def _without_repeats(cells: list[list[str]]) -> list[list[str]]:
    """Rows whose first cell, the network, is left empty where it is that of the row above."""
    return [
        ["" if index and line[0] == cells[index - 1][0] else line[0], *line[1:]] for index, line in enumerate(cells)
    ]


def _ratio(value: float | None) -> str:
    return fixed(value, 3)


def _rich(headers: Sequence[str], cells: Sequence[Sequence[str]], title: str, names: Collection[str]) -> Table:
    """A table for the terminal, whose columns under ``names`` say what a row is of."""
    table = frame.table(title, headers, names)
    for index, line in enumerate(cells):
        if index and line[0] and headers[0] == "network":
            table.add_section()
        table.add_row(*line)
    return table
