"""What was measured beside ours: for each measurement the figure that an experiment computes of the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from jaxgrad.base.errors import InputError, choose
from jaxgrad.costs import PhaseSummary, Summary, accesses
from jaxgrad.studies.compare import PSUM_READS, Row, unchanged
from jaxgrad.studies.measurements.agreement import Agreement
from jaxgrad.studies.measurements.sections import MeasuredSection
from jaxgrad.studies.points import Measure, Point
from jaxgrad.studies.schema import Experiment

_BOTH = "dx+dw"
"""Both gradients, whether one pass computes them or two."""


class Place(NamedTuple):
    """What a measurement is of.

    Args:
        network, variant: by name.
        phase: of a step; of an area, which has none, ``-``.
    """

    network: str
    variant: str
    phase: str


def place(experiment: Experiment, section: MeasuredSection, names: Sequence[str]) -> Place:
    """Where a measurement was made, with all that its file leaves unsaid.

    Args:
        experiment: that of the measurement.
        section: the measurement.
        names: of the workload's networks.
    """
    phase = "-" if section.quantity == "area" else section.phase or experiment.compare
    return Place(section.network or names[0], section.variant or experiment.variant[0].name, phase)


def agreements(experiment: Experiment, rows: Sequence[Row]) -> list[Agreement]:
    """Each measurement and ours, of the experiment as it is written.

    Raises:
        InputError: there is no such layer, or the schedule has no such phase.
    """
    points = {row.point.identity: row for row in unchanged(rows)}
    networks = list(dict.fromkeys(row.point.network for row in rows))
    found = []
    for section in experiment.measured:
        where = place(experiment, section, networks)
        row = points[where.network, tuple(section.at[axis.name] for axis in experiment.sweep), where.variant]
        found.append(Agreement(section, ours(section, where.phase, row.summary, row.point), *where))
    return found


def ours(section: MeasuredSection, phase: str, summary: Summary, point: Point) -> float:
    """Our figure of what was measured, in our unit of its quantity (``measurements.units.Unit``).

    Args:
        section: what was measured.
        phase: of a step.
        summary: of the point that it was measured at.
        point: that one.

    Raises:
        InputError: there is no such layer, or nothing of the quantity in this phase.
    """
    if section.quantity == "area":
        value = sum(summary.area_um2.values()) / 1e6
    else:
        value = _value(section.quantity, _part(section, phase, summary), summary, point.measure, point.spec["batch"])
    if not value:
        problem = f"got {section.unit!r} of {phase!r}, of which {point.variant!r} has none"
        raise InputError("measured.unit", section.unit, "measure what it has", problem=problem)
    return value


def _value(quantity: str, part: PhaseSummary, summary: Summary, measure: Measure, batch: int) -> float:
    cycles, clock_hz = part.time_cycles, 1e9 * (summary.clock_ghz or 0.0)
    joules = sum(part.energy_pj.values()) / 1e12
    if quantity == "cycles":
        return float(cycles)
    if quantity == "accesses":
        return float(accesses(part.counts) - (0 if measure.psum_reads else part.counts[PSUM_READS]))
    if quantity == "dram_bytes":
        return float(part.dram_bytes)
    if quantity == "energy":
        return joules
    seconds = cycles / clock_hz
    if not seconds or quantity == "time":
        return seconds
    return {"power": joules, "throughput": batch}[quantity] / seconds


def _part(section: MeasuredSection, phase: str, summary: Summary) -> PhaseSummary:
    """The layer, or all of them, in the phase."""
    whole = summary
    if section.layer is not None:
        layers = {layer.path: layer for layer in summary.layers}
        if section.layer not in layers:
            raise InputError("measured.layer", section.layer, choose(list(layers), section.layer))
        whole = layers[section.layer]
    labels = {part.phase.label for part in whole.phases}
    if _BOTH in labels:  # what is left of one of the two alone is of the layers that pass no gradient on
        labels -= {"dx", "dw"}
    possible = labels | {_BOTH, "backward", "step"}
    if phase not in {*possible, "vector"}:
        raise InputError("measured.phase", phase, f"{summary.schedule} has {', '.join(sorted(possible))}")
    return whole.select(*(("dx", "dw", _BOTH) if phase == _BOTH else (phase,)))
