"""A measurement as a file gives it, ``[[measured]]``, and what is fitted to all of them, ``[calibrate]``."""

from __future__ import annotations

import math
import statistics
from typing import Annotated, Any

from pydantic import Field, model_validator

from jaxgrad.base.errors import InputError, positive_number
from jaxgrad.base.json_schema import Elsewhere
from jaxgrad.base.schema import Section, Switch, among, checked
from jaxgrad.studies.measurements import units

PHASES: tuple[str, ...] = ("forward", "dx", "dw", "dx+dw", "update", "backward", "vector", "step")
FITTED: tuple[str, ...] = ("dram_gb_per_s", "clock_ghz")
"""Keys of ``machine.memory`` that measurements can decide."""

_NORMAL = 1.96  # standard deviations from the mean to either end of what holds 95 %
_FARTHEST = 1e30  # beyond it, squares and axes of a figure are no numbers
_WHOLE = ("area", "throughput")  # of a whole network alone


def _phase(field: str, value: Any) -> Any:
    return value.lower() if value in ("dX", "dW", "dX+dW") else value


def _measurable(field: str, value: Any) -> float:
    found = positive_number(field, value)
    if not 1 / _FARTHEST <= found <= _FARTHEST:
        raise InputError(field, value, f"give a number from {1 / _FARTHEST:g} to {_FARTHEST:g}")
    return found


Quantity = Annotated[float, Field(ge=1 / _FARTHEST, le=_FARTHEST), checked(_measurable)]


class MeasuredSection(Section):
    """A measured value, absolute, and where it was measured.

    Args:
        file: a CSV file, of which each line is a table like this one; see ``files``.
        value: in ``unit``; or ``samples``, of which it is the mean.
        unit: one of ``units.UNITS``, which says of what quantity it is.
        samples: at least two; the error bar is then the 95 % interval of their mean (Student's t).
        std: standard deviation of single measurements; the error bar is 1.96 of it, what holds 95 % of them.
        ci95: half of a 95 % interval, the error bar itself.
        network: whose value it is; by default the only one of the workload.
        variant: under which; by default the only one.
        at: label of a swept value by the name of its axis, for every axis.
        layer: of this layer alone, by its path, as ``layers.csv`` has it.
        phase: of this part of the step; by default of what the experiment compares.
        source: where it is from.
        fit: whether ``[calibrate]`` uses it; one that it does not tests what was found.
    """

    file: Annotated[str | None, Elsewhere()] = None
    value: Quantity | None = None
    unit: Annotated[str, checked(units.known)]
    samples: Annotated[list[Quantity], Field(min_length=2)] | None = None
    std: Quantity | None = None
    ci95: Quantity | None = None
    network: str | None = None
    variant: str | None = None
    at: dict[str, str] = Field(default_factory=dict)
    layer: str | None = None
    phase: Annotated[str, among(PHASES), checked(_phase)] | None = None
    source: str
    fit: Switch = True

    @model_validator(mode="after")
    def _is_one(self) -> MeasuredSection:
        if (self.value is None) == (self.samples is None):
            problem = "got neither" if self.value is None else "got both"
            raise InputError("value", self.value, "give value or samples", problem=problem)
        bars = [name for name in ("samples", "std", "ci95") if getattr(self, name) is not None]
        if len(bars) > 1:
            problem = f"got {' and '.join(bars)}"
            raise InputError(bars[-1], getattr(self, bars[-1]), "give one of samples, std and ci95", problem=problem)
        for key, whole in (("layer", _WHOLE), ("phase", ("area",))):
            if getattr(self, key) is not None and self.quantity in whole:
                problem = f"got {getattr(self, key)!r} with unit {self.unit!r}"
                raise InputError(key, getattr(self, key), f"leave it out: {self.quantity} has none", problem=problem)
        if self.layer is not None and self.phase == "vector":
            problem = f"got 'vector' of layer {self.layer!r}"
            raise InputError("phase", "vector", "work beside the array is not told apart by layer", problem=problem)
        return self

    @property
    def quantity(self) -> str:
        return units.UNITS[self.unit].quantity

    @property
    def mean(self) -> float:
        """What was measured, in ``unit``."""
        return self.value if self.value is not None else statistics.fmean(self.samples or ())

    @property
    def bar(self) -> float | None:
        """Half of the error bar, in ``unit``; None where nothing is known of errors."""
        if self.samples is not None:
            from scipy.stats import t

            count = len(self.samples)
            return float(t.ppf(0.975, count - 1)) * statistics.stdev(self.samples) / math.sqrt(count)
        return self.ci95 if self.std is None else _NORMAL * self.std


class CalibrateSection(Section):
    """What of the machine is fitted to the measurements.

    Args:
        values: keys of ``machine.memory``.
    """

    values: Annotated[list[Annotated[str, among(FITTED)]], Field(min_length=1)] = Field(
        default_factory=lambda: list(FITTED)
    )
