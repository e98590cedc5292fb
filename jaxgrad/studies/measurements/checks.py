"""Whether measurements, and what is to be fitted to them, are of what an experiment computes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set
from typing import NamedTuple

from jaxgrad.base.errors import InputError, choose
from jaxgrad.studies.measurements.sections import CalibrateSection, MeasuredSection
from jaxgrad.studies.measurements.units import TIMED

# quantity -> for each table of [machine] that it needs, keys of which one gives it
_NEEDS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "cycles": (),
    "accesses": (),
    "time": (("memory",),),
    "throughput": (("memory",),),
    "dram_bytes": (("memory",),),
    "energy": (("technology", "energy_table"),),
    "power": (("memory",), ("technology", "energy_table")),
    "area": (("technology",),),
}


class Computed(NamedTuple):
    """What an experiment computes.

    Args:
        networks, variants: their names.
        labels: by axis of the sweep.
        machine_keys: keys of ``machine`` that it, or a variant, gives.
        has_vector: whether work beside the array is computed.
    """

    networks: Sequence[str]
    variants: Sequence[str]
    labels: Mapping[str, Sequence[str]]
    machine_keys: Set[str]
    has_vector: bool


def check_measured(measured: Sequence[MeasuredSection], computed: Computed) -> None:
    """Refuses a measurement that is of nothing that is computed, or of more than one thing.

    Raises:
        InputError: the key that will not do.
    """
    for section in measured:
        _check_one("measured.network", section.network, computed.networks, "networks")
        _check_one("measured.variant", section.variant, computed.variants, "variants")
        for axis, label in section.at.items():
            if label not in computed.labels.get(axis, ()):
                remedy = "give a swept axis and one of its labels"
                raise InputError("measured.at", {axis: label}, remedy, problem=f"got {axis} = {label!r}")
        missing = [axis for axis in computed.labels if axis not in section.at]
        if missing:
            remedy = f"give a label of {', '.join(missing)}: a measurement is of one point"
            raise InputError("measured.at", section.at, remedy)
        for keys in _NEEDS[section.quantity]:
            if computed.machine_keys.isdisjoint(keys):
                needed = " or ".join(f"machine.{key}" for key in keys)
                problem = f"got {section.unit!r}, a unit of {section.quantity}"
                raise InputError("measured.unit", section.unit, f"give {needed} too", problem=problem)
        if section.phase == "vector" and not computed.has_vector:
            problem = "got 'vector' without workload.vector"
            raise InputError("measured.phase", "vector", "give workload.vector = true", problem=problem)


def check_calibrate(calibrate: CalibrateSection, measured: Sequence[MeasuredSection], given: Collection[str]) -> None:
    """Refuses a fit to nothing, and one of what does not stand in the file itself.

    Args:
        calibrate: what is fitted.
        measured: what it is fitted to.
        given: keys that a sweep or a variant gives, as ``machine.memory.clock_ghz``.

    Raises:
        InputError: the fit can't be.
    """
    if not any(section.fit and section.quantity in TIMED for section in measured):
        problem = "got it without a [[measured]] in cycles, a time or images/s that it may use"
        raise InputError("calibrate", None, "give some, or leave it out", problem=problem)
    for value in calibrate.values:
        taken = next((key for key in given if key == f"machine.memory.{value}" or key == "machine.memory"), None)
        if taken is not None:
            problem = f"got {value!r}, which a sweep or a variant gives ({taken})"
            raise InputError("calibrate.values", value, "fit what is the same everywhere", problem=problem)


def _check_one(field: str, name: str | None, names: Sequence[str], what: str) -> None:
    if name is None and len(names) > 1:
        raise InputError(field, None, f"give one of {', '.join(names)}", problem=f"got none of {len(names)} {what}")
    if name is not None and name not in names:
        raise InputError(field, name, choose(names, name))
