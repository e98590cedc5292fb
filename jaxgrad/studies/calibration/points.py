"""The fit of an experiment, a point among its others: computed once, and kept with them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from jaxgrad.studies.calibration import least_squares
from jaxgrad.studies.calibration.model import Target, parameters
from jaxgrad.studies.calibration.records import Calibration, Fitted
from jaxgrad.studies.measured import Place, place
from jaxgrad.studies.measurements.sections import FITTED
from jaxgrad.studies.measurements.units import TIMED, UNITS
from jaxgrad.studies.points import Point
from jaxgrad.studies.schema import Experiment
from jaxgrad.studies.store import Store


@dataclass(frozen=True)
class CalibrationPoint:
    """What decides a fit.

    Args:
        experiment: with what is measured, and what is to be fitted.
        points: all of the experiment's.
    """

    experiment: Experiment
    points: Sequence[Point]

    @property
    def label(self) -> str:
        return "fit to measurements"

    @property
    def spec(self) -> Mapping[str, Any]:
        calibrate = self.experiment.calibrate
        return {
            "calibrate": calibrate.model_dump() if calibrate else None,
            "measured": [section.model_dump(exclude={"source"}) for section in self.experiment.measured],
            "places": [list(where) for where in self._places],
            "points": [[str(point.identity), point.spec] for point in self.points if point.change is None],
        }

    @cached_property
    def _places(self) -> list[Place]:
        networks = list(dict.fromkeys(point.network for point in self.points))
        return [place(self.experiment, section, networks) for section in self.experiment.measured]

    def compute(self, store: Store) -> Calibration:
        """The fit; traces are kept in ``store``.

        Raises:
            InputError: a measurement is of nothing that is computed.
        """
        return _Fit(self, store).calibration()

    def targets(self, store: Store) -> list[tuple[Target, list[int]]]:
        """What was measured at each point in a quantity that the two decide, and the places of this in the file."""
        measured, points = (
            self.experiment.measured,
            {point.identity: point for point in self.points if not point.change},
        )
        groups: dict[Any, list[int]] = {}
        for index, (section, where) in enumerate(zip(measured, self._places, strict=True)):
            if section.quantity in TIMED:
                at = tuple(section.at[axis.name] for axis in self.experiment.sweep)
                groups.setdefault((where.network, at, where.variant), []).append(index)
        return [
            (Target(points[identity], [(measured[index], self._places[index].phase) for index in group], store), group)
            for identity, group in groups.items()
        ]


class _Fit:
    def __init__(self, point: CalibrationPoint, store: Store) -> None:
        measured, calibrate = point.experiment.measured, point.experiment.calibrate
        assert calibrate  # there is no point without it
        self._targets = point.targets(store)
        order = [index for _, group in self._targets for index in group]
        self._used = sorted(index for index in order if measured[index].fit)
        self._rows = [order.index(index) for index in self._used]
        sections = [measured[index] for index in self._used]
        self._measured = np.log([section.mean * UNITS[section.unit].size for section in sections])
        self._wanted = [index for index, name in enumerate(FITTED) if name in calibrate.values]
        # Cycles tell how many bytes move in one, and nothing of how long it is.
        in_time = any(section.quantity != "cycles" for section in sections)
        self._free = [index for index in self._wanted if in_time or FITTED[index] != "clock_ghz"]
        memory = self._targets[0][0].memory
        self._own = {name: float(getattr(memory, name)) for name in FITTED}

    def predict(self, values: np.ndarray, coarse: int) -> np.ndarray:
        """Logarithms of ours, of the measurements that the fit uses (``least_squares.Predict``)."""
        both = parameters(values)
        return np.concatenate([target.logarithms(*both, coarse) for target, _ in self._targets])[self._rows]

    def calibration(self) -> Calibration:
        solution = least_squares.solve(self.predict, self._measured, self._free, len(FITTED))
        spread = least_squares.spread(solution, self.predict(solution.parameters, 1) - self._measured)
        values = tuple(self._values(solution, spread))
        left_out = None
        if solution.free:
            left_out = least_squares.left_out(self.predict, self._measured, self._free, len(FITTED))
        return Calibration(
            values,
            tuple(self._used),
            before=self._exact(self._own),
            after=self._exact({value.name: value.used for value in values}),
            left_out=dict(zip(self._used, np.exp(left_out[0]).tolist(), strict=True)) if left_out else {},
            folds=left_out[1] if left_out else 0,
            condition=spread.condition if spread else None,
            correlation=spread.correlation if spread else None,
        )

    def _values(self, solution: least_squares.Solution, spread: least_squares.Spread | None) -> Iterator[Fitted]:
        factors = dict(zip(solution.free, spread.factors, strict=True)) if spread and spread.factors else {}
        for index, name in enumerate(FITTED):
            own = self._own[name]
            if index in solution.free:
                found = max(0.001, round(own * math.exp(solution.parameters[index]), 3))  # as files can have it
                factor = factors.get(index)
                low, high = (found / factor, found * factor) if factor else (None, None)
                yield Fitted(name, own, found, low, high)
            elif solution.reasons.get(index) == "no effect":
                least = least_squares.reach(self.predict, solution.parameters, index)
                from_on = None if least is None else own * math.exp(least)
                yield Fitted(name, own, None, reason="no effect", from_on=from_on)
            else:
                unsaid = "cycles" if index in self._wanted else "not asked"
                yield Fitted(name, own, None, reason=solution.reasons.get(index, unsaid))

    def _exact(self, values: Mapping[str, float]) -> dict[int, float]:
        found: dict[int, float] = {}
        for target, group in self._targets:
            found |= dict(zip(group, target.exact(values["dram_gb_per_s"], values["clock_ghz"]), strict=True))
        return dict(sorted(found.items()))
