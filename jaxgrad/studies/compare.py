"""An experiment's results: each point's quantities, their ratios to the baseline's, and the published figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jaxgrad.array.counts import READS, SRAM, Key
from jaxgrad.base.tabular import Tabular, of_rows
from jaxgrad.costs import Summary, accesses
from jaxgrad.studies.points import Group, Measure, Point
from jaxgrad.studies.published import deviation
from jaxgrad.studies.schema import Experiment
from jaxgrad.studies.sections import PublishedSection

UNITS: Mapping[str, str] = {
    "cycles": "clock cycles",
    "accesses": "SRAM words",
    "dram_bytes": "bytes",
    "energy": "uJ",
    "area": "mm2",
}

_COLUMNS = {
    "cycles": "cycles",
    "accesses": "sram_words",
    "dram_bytes": "dram_bytes",
    "energy": "energy_uj",
    "area": "area_mm2",
}

PSUM_READS = Key(SRAM, "psum", READS)


@dataclass(frozen=True)
class Row:
    """One point.

    Args:
        point: what was costed.
        summary: what came out.
        values: by quantity, in ``UNITS``, of the part of the step that is compared; None where it is not known.
        ratios: the same over the baseline's.
    """

    point: Point
    summary: Summary
    values: Mapping[str, float | None]
    ratios: Mapping[str, float | None]


@dataclass(frozen=True)
class Comparison:
    """A published figure and ours.

    Args:
        published: the figure.
        network: whose ours is.
        ours: our ratio; None where there is none.
    """

    published: PublishedSection
    network: str
    ours: float | None

    @property
    def deviation(self) -> float | None:
        """By how much ours differs, as a part of the baseline; 0 within a published range."""
        return deviation(self.published, self.ours)


class Rows(list[Row], Tabular):
    """All points of an experiment."""

    def columns(self) -> dict[str, list[Any]]:
        """A row for each point: where it is, its quantities in ``UNITS``, and their ratios."""
        return of_rows(
            {
                "network": row.point.network,
                **row.point.at,
                **(row.point.change._asdict() if row.point.change else {}),
                "variant": row.point.variant,
                "array_rows": row.point.machine.array.rows,
                "array_cols": row.point.machine.array.cols,
                **{_COLUMNS[name]: value for name, value in row.values.items()},
                **{f"{name}_ratio": ratio for name, ratio in row.ratios.items()},
            }
            for row in self
        )


def rows(experiment: Experiment, results: Sequence[tuple[Point, Summary]]) -> Rows:
    """Every point with its ratios to the baseline at the same place."""
    values = [quantities(summary, point.measure) for point, summary in results]
    baselines = {
        point.group: point_values
        for (point, _), point_values in zip(results, values, strict=True)
        if point.variant == experiment.baseline
    }
    return Rows(
        Row(
            point,
            summary,
            point_values,
            {name: _ratio(value, baselines[point.group][name]) for name, value in point_values.items()},
        )
        for (point, summary), point_values in zip(results, values, strict=True)
    )


def unchanged(rows: Sequence[Row]) -> list[Row]:
    """Those of the experiment as it is written: of its changes see ``sensitivity``."""
    return [row for row in rows if row.point.change is None]


def quantities(summary: Summary, measure: Measure) -> dict[str, float | None]:
    """What is compared, in ``UNITS``."""
    part = summary.select(measure.part)
    psum_reads = 0 if measure.psum_reads else part.counts[PSUM_READS]
    return {
        "cycles": float(part.time_cycles),
        "accesses": float(accesses(part.counts) - psum_reads),
        "dram_bytes": float(part.dram_bytes) if summary.dram_bytes_per_cycle else None,
        "energy": sum(part.energy_pj.values()) / 1e6 if part.energy_pj else None,
        "area": sum(summary.area_um2.values()) / 1e6 if summary.area_um2 else None,
    }


def published(experiment: Experiment, results: Sequence[Row]) -> list[Comparison]:
    """Each published figure beside ours, for each network it is of, or their mean."""
    by_place = {(row.point.group, row.point.variant): row for row in results}
    comparisons = []
    for figure in experiment.published:
        ours: dict[Group, float | None] = {}
        for group in dict.fromkeys(row.point.group for row in unchanged(results)):
            network, at = group
            if figure.network not in (None, network) or not set(figure.at.items()) <= set(at):
                continue
            value = by_place[group, figure.variant].values[figure.quantity]
            base = by_place[group, figure.over or experiment.baseline].values[figure.quantity]
            ours[group] = _ratio(value, base)
        if figure.mean:
            ours = _means(ours)
        comparisons += [Comparison(figure, named(group), ratio) for group, ratio in ours.items()]
    return comparisons


def named(group: Group) -> str:
    """A network, and at which swept values."""
    network, at = group
    return ", ".join([network, *(f"{axis} {label}" for axis, label in at)])


def _means(ratios: Mapping[Group, float | None]) -> dict[Group, float | None]:
    """The networks' mean at each of the swept values; None where a network has none."""
    by_at: dict[tuple[tuple[str, str], ...], list[float | None]] = {}
    for (_, at), ratio in ratios.items():
        by_at.setdefault(at, []).append(ratio)
    means: dict[Group, float | None] = {}
    for at, group in by_at.items():
        defined = [ratio for ratio in group if ratio is not None]
        means[f"mean of {len(group)} networks", at] = (
            sum(defined) / len(defined) if len(defined) == len(group) else None
        )
    return means


def _ratio(value: float | None, base: float | None) -> float | None:
    return value / base if value is not None and base else None
