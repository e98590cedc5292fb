"""What came out of a fit, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

UNITS_OF: Mapping[str, str] = {"dram_gb_per_s": "GB/s", "clock_ghz": "GHz"}
"""Of what can be fitted (``measurements.sections.FITTED``)."""

_BY_PLACE = ("before", "after", "left_out")


@dataclass(frozen=True)
class Fitted:
    """A value of the machine and what the measurements say of it.

    Args:
        name: its key in ``machine.memory``.
        own: as the file has it.
        found: by the fit; None where they do not determine it, or it was not to be fitted.
        low, high: ends of its 95 % interval; None where they can't be known.
        reason: why there is none: ``no effect``, ``together``, ``edge`` (see ``least_squares``), ``cycles`` (no
            measurement is in time) or ``not asked``; empty where it was found.
        from_on: with ``no effect``, the least value from which on it makes no difference; None where none does.
    """

    name: str
    own: float
    found: float | None
    low: float | None = None
    high: float | None = None
    reason: str = ""
    from_on: float | None = None

    @property
    def used(self) -> float:
        """What the machine has after the fit."""
        return self.own if self.found is None else self.found


@dataclass(frozen=True)
class Calibration:
    """A fit.

    Args:
        values: of ``FITTED``, in this order.
        used: the measurements that it is fitted to, by their place in the file.
        before, after: ours of every measurement of a quantity in ``TIMED``, by its place: with the file's own values
            and with those that were found; in our units.
        left_out: of ``used``, ours by fits that had not seen them; empty where there are too few.
        folds: how many such fits.
        condition, correlation: see ``least_squares.Spread``.
    """

    values: tuple[Fitted, ...]
    used: tuple[int, ...]
    before: Mapping[int, float]
    after: Mapping[int, float]
    left_out: Mapping[int, float]
    folds: int
    condition: float | None
    correlation: float | None

    @property
    def found(self) -> dict[str, float]:
        """What was found, by key of ``machine.memory``."""
        return {value.name: value.found for value in self.values if value.found is not None}

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for JSON, which ``from_dict`` reads."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Calibration:
        values = tuple(Fitted(**each) for each in data["values"])
        places = {key: {int(index): value for index, value in data[key].items()} for key in _BY_PLACE}
        return cls(**{**data, **places, "values": values, "used": tuple(data["used"])})
