"""An experiment's results as CSV files: exact numbers, units in the headers.

``cycles`` are all clock cycles wherever they stand: those in which the array is busy and those in which it waits for
DRAM, ``busy_cycles`` and ``stall_cycles``.
"""

from __future__ import annotations

from collections.abc import Sequence

from jaxgrad.array.counts import STALLS, by_name
from jaxgrad.base.csv_text import csv_text
from jaxgrad.costs import PhaseSummary, accesses
from jaxgrad.studies.compare import Row, unchanged
from jaxgrad.studies.schema import Experiment


def phases_csv(experiment: Experiment, rows: Sequence[Row]) -> str:
    """Every phase of every point: all counters, bytes, energies and areas."""
    phases = [part for row in rows for part in row.summary.phases]
    counters = sorted({name for part in phases for name, count in counted(part).items() if count} - {"cycles"})
    components = sorted({name for part in phases for name in part.energy_pj})
    areas = list(dict.fromkeys(["pes", "sram", *(name for row in rows for name in row.summary.levels)]))
    header = [
        *("network", *_axes(experiment), "variant", "rows", "cols", "cores", "phase"),
        *("cycles", "dram_bytes", *counters, *(f"{name}_energy_pj" for name in components)),
        *(f"{name}_area_um2" for name in areas),
    ]
    lines = [
        [
            *(row.point.network, *_place(experiment, row), row.point.variant),
            *(row.point.machine.array.rows, row.point.machine.array.cols, row.point.machine.cores, part.phase.label),
            *(part.time_cycles, part.dram_bytes, *(counted(part).get(name, 0) for name in counters)),
            *(part.energy_pj.get(name, "") for name in components),
            *(row.summary.area_um2.get(name, "") for name in areas),
        ]
        for row in rows
        for part in row.summary.phases
    ]
    return csv_text([header, *lines])


def layers_csv(experiment: Experiment, rows: Sequence[Row]) -> str:
    """Every layer of every point that is as written: shapes, and cycles, traffic and energy of each phase."""
    header = [
        *("network", *(axis.name for axis in experiment.sweep), "variant", "layer", "gemms_BxKxN", "phase", "macs"),
        *("cycles", "busy_cycles", "stall_cycles", "sram_words", "dram_bytes", "energy_pj", "utilisation_percent"),
    ]
    lines = [
        [
            *(row.point.network, *row.point.at.values(), row.point.variant, layer.path),
            " ".join(f"{b}x{k}x{n}" + (f"*{times}" if times > 1 else "") for b, k, n, times in layer.shapes),
            *(part.phase.label, *(counted(part)[name] for name in ("macs", "cycles", "busy_cycles", "stall_cycles"))),
            *(accesses(part.counts), part.dram_bytes, sum(part.energy_pj.values()) if part.energy_pj else ""),
            f"{100 * part.utilisation(row.summary.pes):.2f}",
        ]
        for row in unchanged(rows)
        for layer in row.summary.layers
        for part in layer.phases
    ]
    return csv_text([header, *lines])


def counted(part: PhaseSummary) -> dict[str, int]:
    """A phase's counts as files name them."""
    stalls = part.counts.get(STALLS, 0)
    cycles = {"cycles": part.time_cycles, "busy_cycles": part.time_cycles - stalls, "stall_cycles": stalls}
    return by_name(part.counts) | cycles


def _axes(experiment: Experiment) -> list[str]:
    """What tells the points of a variant apart: the swept axes, or what is changed and how."""
    return [*(axis.name for axis in experiment.sweep), *(("change", "value") if experiment.change else ())]


def _place(experiment: Experiment, row: Row) -> list[str]:
    return [*row.point.at.values(), *((row.point.change or ("", "")) if experiment.change else ())]
