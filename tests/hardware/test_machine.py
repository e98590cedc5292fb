"""jaxgrad.hardware.machine: what goes together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from jaxgrad.hardware import Accelerator, Machine, Memory, Precision, VectorUnit, load_technology
from tests.refusals import Refusal, assert_refused

ARRAY, MEMORY = Accelerator(2, 3), Memory(1000, 1.0)
WHOLE = "whole number of at least 1"
NO_SIZES: list[Any] = [0, -1, 1.5, "2", None, True]
NO_BOOLEANS: list[Any] = [1, 0, None, "yes"]


def test_an_array_is_enough() -> None:
    machine = Machine(ARRAY)
    assert (machine.memory, machine.technology, machine.vector_unit) == (None, None, None)
    assert (machine.precision, machine.zero_gating, machine.cores) == (Precision(), False, 1)


def test_numpy_s_integers_become_python_s() -> None:
    many: Any = np.int64(4)
    assert type(Machine(ARRAY, MEMORY, cores=many).cores) is int
    assert type(VectorUnit(many).lanes) is int


REFUSALS = [
    *[Refusal(lambda v=v: Machine(ARRAY, MEMORY, cores=v), "cores", repr(v), WHOLE) for v in NO_SIZES],
    *[Refusal(lambda v=v: Machine(ARRAY, zero_gating=v), "zero_gating", repr(v), "True or False") for v in NO_BOOLEANS],
    *[Refusal(lambda v=v: VectorUnit(v), "lanes", repr(v), WHOLE) for v in NO_SIZES],
    Refusal(lambda: Machine(ARRAY, technology=load_technology("sasiml")), "technology", "without a memory", "both"),
    Refusal(lambda: Machine(ARRAY, cores=2), "cores", "2 without a memory", "both"),
    Refusal(lambda: Machine(ARRAY, MEMORY, partition="rows"), "partition", "'rows'", "batch, in_features"),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: f"{refusal.field}-{refusal.shown}")
def test_refusals(refusal: Refusal) -> None:
    assert_refused(refusal)
