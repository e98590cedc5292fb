"""What was measured beside ours, and a fit to it: on the screen, on the page, in files and as a figure."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from jaxgrad.base.csv_text import csv_text
from jaxgrad.reports import html, plots
from jaxgrad.reports.style import SCREEN, FigureStyle
from jaxgrad.studies import against_tables as tables
from jaxgrad.studies import frame
from jaxgrad.studies.calibration.file import CALIBRATED, calibrated
from jaxgrad.studies.calibration.records import Calibration
from jaxgrad.studies.measurements.agreement import Agreement, by_quantity, overall
from jaxgrad.studies.measurements.units import UNITS
from jaxgrad.studies.schema import Experiment

_MEASURED = "Measured, and ours"
_OVERALL = "All measurements of a quantity"
_FITTED = "Fitted to measurements"


@dataclass(frozen=True)
class Against:
    """Ours against measurements.

    Args:
        experiment: with the measurements.
        agreements: in the order of its file.
        calibration: what was fitted to them, if anything was.
        file: the experiment's.
    """

    experiment: Experiment
    agreements: Sequence[Agreement]
    calibration: Calibration | None
    file: Path

    def screen(self, *, brief: bool) -> list[RenderableType]:
        """Tables for the terminal, of many measurements the farthest off, or complete; nothing without measurements."""
        if not self.agreements:
            return []
        names = {*tables.names(self.experiment), "quantity", "value"}
        shown = tables.farthest(self.agreements) if brief else range(len(self.agreements))
        parts: list[RenderableType] = [
            _rich(tables.one_by_one(self.experiment, [self.agreements[index] for index in shown]), _MEASURED, names),
            *(Text(line) for line in tables.left_out(shown, self.agreements)),
            _rich(tables.together(self.agreements), _OVERALL, names),
            *(Text(line) for line in self.notes()),
        ]
        if self.calibration is not None:
            parts += ["", *(Text(line) for line in tables.objective(self.calibration))]
            parts.append(_rich(tables.values(self.calibration), f"{_FITTED}: the machine", names))
            parts += [*(Text(line) for line in tables.determined(self.calibration)), ""]
            rows = tables.fitted(self.experiment, self.agreements, self.calibration, shown)
            parts.append(_rich(rows, f"{_FITTED}: errors", names))
            parts += [Text(line) for line in tables.errors(self.agreements, self.calibration)]
        return parts

    def sections(self) -> list[html.Section]:
        """The same for the page."""
        if not self.agreements:
            return []
        found = [
            html.Section(
                _MEASURED,
                tables=[
                    frame.html_table(tables.one_by_one(self.experiment, self.agreements)),
                    frame.html_table(tables.together(self.agreements), f"{_OVERALL}."),
                ],
                notes=self.notes(),
            )
        ]
        if self.calibration is not None:
            rows = tables.fitted(self.experiment, self.agreements, self.calibration, range(len(self.agreements)))
            found.append(
                html.Section(
                    _FITTED,
                    paragraphs=tables.objective(self.calibration),
                    tables=[frame.html_table(tables.values(self.calibration)), frame.html_table(rows, "Errors.")],
                    notes=[*tables.determined(self.calibration), *tables.errors(self.agreements, self.calibration)],
                )
            )
        return found

    def notes(self) -> list[str]:
        """What error bars mean, whether something was fitted, and where the values are from."""
        sources = dict.fromkeys(agreement.measured.source for agreement in self.agreements)
        return [*tables.meaning(self.experiment, self.agreements), *(f"Measured: {source}" for source in sources)]

    def texts(self, folder: Path) -> dict[str, str]:
        """Files of a folder by name: all measurements, and the experiment on the machine that was found."""
        if not self.agreements:
            return {}
        found = {"measured.csv": self.as_csv()}
        if self.calibration is not None and self.calibration.found:
            found[CALIBRATED] = calibrated(self.experiment, self.calibration, self.file, folder)
        return found

    def as_csv(self) -> str:
        """Every measurement with all that is known of it, in its own unit."""
        axes = [axis.name for axis in self.experiment.sweep]
        after = self.calibration.after if self.calibration else {}
        lines: list[list[Any]] = [
            [
                *("network", *axes, "variant", "layer", "phase", "quantity", "unit", "measured", "error_bar", "ours"),
                *("error", "error_percent", "ratio", "within_error_bar", "ours_fitted", "used_by_fit", "source"),
            ]
        ]
        for index, each in enumerate(self.agreements):
            measured = each.measured
            fitted = after[index] / UNITS[measured.unit].size if index in after else ""
            used = self.calibration is not None and index in self.calibration.used
            lines.append(
                [
                    *(
                        each.network,
                        *(measured.at[axis] for axis in axes),
                        each.variant,
                        measured.layer or "",
                        each.phase,
                    ),
                    *(measured.quantity, measured.unit, measured.mean, _said(measured.bar), each.written, each.error),
                    *(each.percent, each.ratio, _said(each.is_within), fitted, used, measured.source),
                ]
            )
        return csv_text(lines)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        if not self.agreements:
            return {}
        data: dict[str, Any] = {
            "measured": [
                {
                    **each.measured.model_dump(exclude_none=True, exclude_defaults=True),
                    "network": each.network,
                    "variant": each.variant,
                    "phase": each.phase,
                    "quantity": each.measured.quantity,
                    "value": each.measured.mean,
                    "error_bar": each.measured.bar,
                    "ours": each.written,
                    "error": each.error,
                    "error_percent": each.percent,
                    "ratio": each.ratio,
                    "within_error_bar": each.is_within,
                }
                for each in self.agreements
            ],
            "measured_overall": {
                quantity: overall(some)._asdict() for quantity, some in by_quantity(self.agreements).items()
            },
            "fitted_to_measurements": self.experiment.fitted_to_measurements,
        }
        return data | ({"calibration": self.calibration.as_dict()} if self.calibration else {})

    def draw(self, path: Path, style: FigureStyle = SCREEN) -> list[Path]:
        """The figure: ours against measured values, a panel for each quantity."""
        return plots.diagonal(self._panels(), path, f"{self.experiment.title}: measured, and ours", style=style)

    def _panels(self) -> Mapping[str, list[plots.Pair]]:
        after = self.calibration.after if self.calibration else {}
        places = {id(each): index for index, each in enumerate(self.agreements)}
        differing = [len({getattr(each, key) for each in self.agreements}) > 1 for key in ("network", "variant")]
        panels = {}
        for quantity, some in by_quantity(self.agreements).items():
            unit = some[0].measured.unit
            size = UNITS[unit].size
            panels[f"{tables.NAMES[quantity]} [{unit}]"] = [
                plots.Pair(
                    ", ".join(itertools.compress((each.network, each.variant), differing)) or each.network,
                    each.measured.mean * UNITS[each.measured.unit].size / size,
                    each.ours / size,
                    None if each.measured.bar is None else each.measured.bar * UNITS[each.measured.unit].size / size,
                    after[places[id(each)]] / size if places[id(each)] in after else None,
                )
                for each in some
            ]
        return panels


def _said(value: object) -> object:
    return "" if value is None else value


def _rich(cells: tables.Cells, title: str, names: Collection[str]) -> RenderableType:
    headers, lines = cells
    table = frame.table(title, headers, names)
    for line in lines:
        table.add_row(*line)
    return table
