"""jaxgrad.hardware.memory: sizes and rates as exact numbers, and what is no memory."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from jaxgrad.hardware import Memory, PerOperand
from jaxgrad.hardware.memory import IM2COL
from tests.refusals import Refusal, assert_refused

PARTS = PerOperand(x=1, w=2, dy=3, dx=40, dw=5)
WHOLE = "whole number of at least 1"


@pytest.mark.parametrize(
    ("rate", "clock", "expected"),
    [
        (1.0, 1.0, Fraction(1)),
        (22.0, 1.0, Fraction(1, 22)),  # IGO's small machine
        (150.0, 1.05, Fraction(7, 1000)),  # and its large one
        (37.5, 1.05, Fraction(28, 1000)),
        (0.1, 0.001, Fraction(1, 100)),  # floats that are no binary fractions
        (0.3, 1.0, Fraction(10, 3)),
    ],
)
def test_cycles_a_byte_are_exact(rate: float, clock: float, expected: Fraction) -> None:
    assert Memory(1, rate, clock).cycles_per_byte == expected


def test_sizes_of_the_whole_and_of_parts() -> None:
    assert Memory(100, 1.0).total_bytes == 100
    assert Memory(PARTS, 1.0).total_bytes == 51
    assert [Memory(100, 1.0).part_bytes(name) for name in ("x", "y", "psum")] == [100] * 3
    divided = Memory(PARTS, 1.0)
    parts = {name: divided.part_bytes(name) for name in ("x", "w", "dy", "dx", "dw", "y", "psum")}
    assert parts == {"x": 1, "w": 2, "dy": 3, "dx": 40, "dw": 5, "y": 40, "psum": 40}
    assert PARTS.of("y") == 40


def test_numpy_s_integers_become_python_s() -> None:
    size: Any = np.int64(1024)
    assert type(Memory(size, 1.0).sram_bytes) is int
    assert type(PerOperand(size, size, size, size, size).dw) is int
    assert hash(Memory(size, 1)) == hash(Memory(1024, 1.0))


NO_SIZES: list[Any] = [0, -1, 1.5, "1 MB", None, True]
TOO_LARGE: list[Any] = [(1 << 50) + 1, 1 << 72, 10**4000]
NO_RATES: list[Any] = [0, 0.0, -22.0, float("nan"), float("inf"), "22", None, True]
NO_BOOLEANS: list[Any] = [1, 0, None, "no"]
NO_PLACES: list[Any] = ["sram", "", None, 1]
UNEVEN: list[Any] = [0.0005, 0.00001, 22.0001]


def parts(**changed: Any) -> PerOperand:
    return PerOperand(**({"x": 1, "w": 1, "dy": 1, "dx": 1, "dw": 1} | changed))


REFUSALS = [
    *[Refusal(lambda v=v: Memory(v, 1.0), "sram_bytes", repr(v), WHOLE) for v in NO_SIZES],
    *[
        Refusal(lambda v=v, name=name: parts(**{name: v}), f"sram_bytes.{name}", repr(v), WHOLE)
        for name in ("x", "w", "dy", "dx", "dw")
        for v in NO_SIZES
    ],
    *[Refusal(lambda v=v: Memory(v, 1.0), "sram_bytes", str(v)[:50], "at most 1125899906842624") for v in TOO_LARGE],
    *[Refusal(lambda v=v: parts(x=v), "sram_bytes.x", str(v)[:50], "at most 1125899906842624") for v in TOO_LARGE],
    *[Refusal(lambda v=v: Memory(1, v), "dram_gb_per_s", repr(v), "at most 1e+09") for v in (1.1e9, 1e308)],
    *[Refusal(lambda v=v: Memory(1, 1.0, v), "clock_ghz", repr(v), "at most 1e+09") for v in (1.1e9, 1e308)],
    *[Refusal(lambda v=v: Memory(1, v), "dram_gb_per_s", repr(v), "a number above 0") for v in NO_RATES],
    *[Refusal(lambda v=v: Memory(1, 1.0, v), "clock_ghz", repr(v), "a number above 0") for v in NO_RATES],
    *[Refusal(lambda v=v: Memory(1, v), "dram_gb_per_s", repr(v), "whole number of MB/s") for v in UNEVEN],
    *[Refusal(lambda v=v: Memory(1, 1.0, v), "clock_ghz", repr(v), "whole number of MHz") for v in UNEVEN],
    *[Refusal(lambda v=v: Memory(1, 1.0, 1.0, v), "double_buffered", repr(v), "True or False") for v in NO_BOOLEANS],
    *[Refusal(lambda v=v: Memory(1, 1.0, im2col=v), "im2col", repr(v), "on_chip, dram") for v in NO_PLACES],
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: f"{refusal.field}-{refusal.shown}")
def test_refusals(refusal: Refusal) -> None:
    assert_refused(refusal)


def test_places_of_patches() -> None:
    assert [Memory(1, 1.0, im2col=place).im2col for place in IM2COL] == list(IM2COL)
