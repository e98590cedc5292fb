"""Cells and sentences about measurements, ours beside them, and a fit to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jaxgrad.base.errors import either
from jaxgrad.reports.numbers import fixed, measured
from jaxgrad.studies.calibration.least_squares import RANGE
from jaxgrad.studies.calibration.records import UNITS_OF, Calibration, Fitted
from jaxgrad.studies.measurements.agreement import Agreement, Overall, by_quantity, overall
from jaxgrad.studies.measurements.units import UNITS
from jaxgrad.studies.schema import Experiment

Cells = tuple[list[str], list[list[str]]]
"""Headers and rows."""

NAMES: Mapping[str, str] = {
    "cycles": "clock cycles",
    "time": "time",
    "dram_bytes": "DRAM traffic",
    "energy": "energy",
    "power": "power",
    "accesses": "SRAM accesses",
    "throughput": "throughput",
    "area": "area",
}
_FITTED = "Fitted to measurements: values of this machine were chosen so that ours come near what was measured."
_WHOLE = "all"
_SHOWN = 20
_VALUES: Mapping[str, str] = {"dram_gb_per_s": "DRAM bandwidth", "clock_ghz": "clock"}


def names(experiment: Experiment) -> list[str]:
    """Headers of the columns that say what was measured."""
    return ["network", *(axis.name for axis in experiment.sweep), "variant", "layer", "phase"]


def one_by_one(experiment: Experiment, agreements: Sequence[Agreement]) -> Cells:
    """Each measurement, ours, and the error; columns that say the same in every row are left out."""
    places, headers = _places(experiment, agreements)
    cells = [
        [
            *place,
            measured(each.measured.mean),
            "-" if each.measured.bar is None else f"±{measured(each.measured.bar)}",
            measured(each.written),
            each.measured.unit,
            measured(each.error),
            _percent(each.percent),
            {None: "-", True: "yes", False: "no"}[each.is_within],
        ]
        for place, each in zip(places, agreements, strict=True)
    ]
    return [*headers, "measured", "error\nbar", "ours", "unit", "error", "error\nin %", "within\nthe bar"], cells


def farthest(agreements: Sequence[Agreement]) -> list[int]:
    """Which to show where room is scarce: the farthest off of many, in their own order."""
    order = sorted(range(len(agreements)), key=lambda index: -abs(agreements[index].percent))
    return sorted(order[:_SHOWN])


def left_out(shown: Sequence[int], agreements: Sequence[Agreement]) -> list[str]:
    """A word on those that are not shown."""
    if len(shown) == len(agreements):
        return []
    return [f"Shown are the {len(shown)} of {len(agreements)} that are farthest off; tables.txt has all.", ""]


def together(agreements: Sequence[Agreement]) -> Cells:
    """What is said of all of a quantity."""
    headers = ["quantity", "points", "MAPE", "ours over measured,\ngeometric mean", "farthest", "within\nthe bar"]
    rows = []
    for quantity, some in by_quantity(agreements).items():
        found = overall(some)
        within = f"{found.within} of {found.bars}" if found.bars else "-"
        rows.append([NAMES[quantity], str(found.points), *_said(found), within])
    return headers, rows


def meaning(experiment: Experiment, agreements: Sequence[Agreement]) -> list[str]:
    """What the tables mean, and whether something was fitted."""
    said = ["An error is ours less the measured value; MAPE is the mean of errors in %, signs left out."]
    bars = {
        "samples": "the 95 % interval of the samples' mean",
        "std": "1.96 standard deviations either way",
        "ci95": "the 95 % interval that was given",
    }
    given = [text for key, text in bars.items() if any(getattr(each.measured, key) is not None for each in agreements)]
    if given:
        said.append(f"An error bar is {either(given)}.")
    if experiment.fitted_to_measurements:
        said.append(_FITTED)
    return said


def objective(calibration: Calibration) -> list[str]:
    """What was fitted, to what, and how."""
    wanted = [_VALUES[value.name] for value in calibration.values if value.reason != "not asked"]
    points = len(calibration.used)
    return [
        f"Fitted: {' and '.join(wanted)}, to {_measurements(points)}, by least squares of ln(ours / measured).",
        f"Looked for within {RANGE:g} times the file's own either way.",
        "The fit is in these tables and in calibrated.toml alone: all others, and the results, have the file's own.",
    ]


def values(calibration: Calibration) -> Cells:
    """What was found beside the file's own."""
    rows = []
    for value in calibration.values:
        interval = (
            "-" if value.low is None or value.high is None else f"{measured(value.low)} to {measured(value.high)}"
        )
        found = "not determined" if value.found is None else f"{value.found:g}"
        if value.reason == "not asked":
            found = "not fitted"
        rows.append([_VALUES[value.name], UNITS_OF[value.name], f"{value.own:g}", found, interval])
    return ["value", "unit", "the file's", "found", "95 % interval"], rows


def determined(calibration: Calibration) -> list[str]:
    """How well the measurements determine what was to be found, in words."""
    said = [line for value in calibration.values if (line := _reason(value))]
    together = [value for value in calibration.values if value.reason == "together"]
    if together:
        said.append(
            "Bandwidth and clock act on these measurements in one way alone, so that neither is determined: measure "
            "layers that wait for DRAM and layers that do not. Both stay as the file has them."
        )
    found = [value for value in calibration.values if value.found is not None]
    if found and found[0].low is None:
        said.append(
            f"As many measurements as values ({len(calibration.used)}): nothing is known of how far off these are."
        )
    if calibration.correlation is not None and calibration.condition is not None:
        said.append(
            f"The two are correlated by {calibration.correlation:+.2f}; the condition number of the fit is "
            f"{calibration.condition:.1f} (1: each is found on its own)."
        )
    return said


def fitted(
    experiment: Experiment, agreements: Sequence[Agreement], calibration: Calibration, shown: Sequence[int]
) -> Cells:
    """Errors with the file's own values, with those found, and of fits that had not seen the measurement.

    Args:
        experiment: with the measurements.
        agreements: all of them.
        calibration: the fit.
        shown: indices of the measurements to show, where the fit is of them.
    """
    timed = [index for index in shown if index in calibration.after]
    places, headers = _places(experiment, [agreements[index] for index in timed])
    cells = []
    for place, index in zip(places, timed, strict=True):
        each = agreements[index]
        others = calibration.left_out.get(index)
        cells.append(
            [
                *place,
                measured(each.measured.mean),
                each.measured.unit,
                _percent(_error(each, calibration.before[index])),
                _percent(_error(each, calibration.after[index])),
                "-" if others is None else _percent(_error(each, others)),
                "yes" if index in calibration.used else "no",
            ]
        )
    tail = ["measured", "unit", "before\nin %", "after\nin %", "left out\nin %", "used by\nthe fit"]
    return [*headers, *tail], cells


def errors(agreements: Sequence[Agreement], calibration: Calibration) -> list[str]:
    """MAPE before and after, of what the fit saw and of what it did not."""
    if not calibration.found:
        return ["Nothing was found: the machine is as the file has it."]
    used = calibration.used
    before = _mape(agreements, {index: calibration.before[index] for index in used})
    after = _mape(agreements, {index: calibration.after[index] for index in used})
    said = [f"MAPE of the {_measurements(len(used))} of the fit: {before} before, {after} after."]
    if calibration.left_out:
        what = "each left out in turn" if calibration.folds == len(used) else f"left out in {calibration.folds} parts"
        said.append(f"MAPE of the same, {what}: {_mape(agreements, calibration.left_out)}: what to expect of new ones.")
    else:
        said.append("Too few measurements to leave some out: the error after says little of new ones.")
    rest = [index for index in calibration.after if index not in used]
    if rest:
        before = _mape(agreements, {index: calibration.before[index] for index in rest})
        after = _mape(agreements, {index: calibration.after[index] for index in rest})
        said.append(f"MAPE of the {len(rest)} that the fit may not use: {before} before, {after} after.")
    return said


def _places(experiment: Experiment, agreements: Sequence[Agreement]) -> tuple[list[list[str]], list[str]]:
    """What each is of, and headers: of columns in which not all are the same; one at least."""
    axes = [axis.name for axis in experiment.sweep]
    rows = [
        [
            *(each.network, *(each.measured.at[axis] for axis in axes), each.variant),
            *(each.measured.layer or _WHOLE, each.phase),
        ]
        for each in agreements
    ]
    headers = names(experiment)
    kept = [index for index in range(len(headers)) if len({row[index] for row in rows}) > 1] or [0]
    return [[row[index] for index in kept] for row in rows], [headers[index] for index in kept]


def _reason(value: Fitted) -> str:
    name, unit = _VALUES[value.name], UNITS_OF[value.name]
    stays = f"It stays at the file's {value.own:g} {unit}."
    if value.reason == "no effect":
        bound = "waits for DRAM" if value.name == "dram_gb_per_s" else "waits for the array"
        reach = "Any" if value.from_on is None else f"Any of at least {measured(value.from_on)} {unit}"
        return f"The {name} is not determined: none of the measured {bound}. {reach} does as well. {stays}"
    if value.reason == "cycles":
        why = "nothing was measured in time, and cycles tell bandwidth over clock alone"
        return f"The {name} is not determined: {why}. {stays}"
    if value.reason == "edge":
        return f"The {name} is not determined: the best fit is at the edge of what was searched. {stays}"
    return ""


def _said(found: Overall) -> list[str]:
    return [f"{found.mape:.1f}%", fixed(found.ratio, 3), _percent(found.worst)]


def _measurements(count: int) -> str:
    return f"{count} measurement{'s' * (count != 1)}"


def _percent(value: float) -> str:
    return f"{value:+.1f}%"


def _error(agreement: Agreement, ours: float) -> float:
    return 100 * (ours / UNITS[agreement.measured.unit].size / agreement.measured.mean - 1)


def _mape(agreements: Sequence[Agreement], ours: Mapping[int, float]) -> str:
    errors = [abs(_error(agreements[index], value)) for index, value in ours.items()]
    return f"{sum(errors) / len(errors):.1f}%"
