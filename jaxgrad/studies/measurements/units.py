"""The units that measurements are given in: of what quantity each is, and how large."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from jaxgrad.base.errors import InputError

TIMED: tuple[str, ...] = ("cycles", "time", "throughput")
"""Quantities that clock and bandwidth decide."""


class Unit(NamedTuple):
    """A unit.

    Args:
        quantity: what it is a unit of.
        size: in ours: cycles, seconds, bytes, joules, watts, words, images a second, mm2.
    """

    quantity: str
    size: float


UNITS: Mapping[str, Unit] = {
    "cycles": Unit("cycles", 1.0),
    "kcycles": Unit("cycles", 1e3),
    "Mcycles": Unit("cycles", 1e6),
    "s": Unit("time", 1.0),
    "ms": Unit("time", 1e-3),
    "us": Unit("time", 1e-6),
    "ns": Unit("time", 1e-9),
    "B": Unit("dram_bytes", 1.0),
    "kB": Unit("dram_bytes", 1e3),
    "MB": Unit("dram_bytes", 1e6),
    "GB": Unit("dram_bytes", 1e9),
    "KiB": Unit("dram_bytes", 2.0**10),
    "MiB": Unit("dram_bytes", 2.0**20),
    "GiB": Unit("dram_bytes", 2.0**30),
    "J": Unit("energy", 1.0),
    "mJ": Unit("energy", 1e-3),
    "uJ": Unit("energy", 1e-6),
    "nJ": Unit("energy", 1e-9),
    "pJ": Unit("energy", 1e-12),
    "W": Unit("power", 1.0),
    "mW": Unit("power", 1e-3),
    "words": Unit("accesses", 1.0),
    "accesses": Unit("accesses", 1.0),
    "images/s": Unit("throughput", 1.0),
    "rows/s": Unit("throughput", 1.0),
    "mm2": Unit("area", 1.0),
    "um2": Unit("area", 1e-6),
}
"""By name. Bytes are DRAM traffic, words accesses of SRAM; images are those of a batch, rows those of a layer's."""


def known(field: str, value: Any) -> str:
    """The name of a unit.

    >>> known("unit", "furlongs")
    Traceback (most recent call last):
    jaxgrad.base.errors.InputError: unit: got 'furlongs'; choose one of cycles, kcycles, Mcycles, s, ms, us, ns, \
B, kB, MB, GB, KiB, MiB, GiB, J, mJ, uJ, nJ, pJ, W, mW, words, accesses, images/s, rows/s, mm2, um2
    """
    if not isinstance(value, str) or value not in UNITS:
        raise InputError(field, value, f"choose one of {', '.join(UNITS)}")
    return value
