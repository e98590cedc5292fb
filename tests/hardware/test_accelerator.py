"""jaxgrad.hardware: the array a user describes."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest

from jaxgrad.hardware import Accelerator
from tests.refusals import Refusal, assert_refused

WHOLE = "whole number of at least 1"
FIELD = "rows"


def numpys(*sizes: int) -> list[Any]:
    """Sizes as numpy code has them."""
    return [np.int64(size) for size in sizes]


def test_sizes_become_python_ints() -> None:
    rows, cols = numpys(3, 5)
    array = Accelerator(rows, cols)
    assert (type(array.rows), type(array.cols)) == (int, int)
    assert (array.rows, array.cols, array.double_buffered, array.pes) == (3, 5, False, 15)


def test_equal_arrays_are_one_key() -> None:
    """jit holds the array as a static argument: equal ones must hash alike, or everything compiles again."""
    assert len({Accelerator(3, 5), Accelerator(*numpys(3, 5)), Accelerator(3, 5, False)}) == 1
    assert len({Accelerator(3, 5), Accelerator(5, 3), Accelerator(3, 5, True)}) == 3


def test_an_array_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(Accelerator(3, 5), FIELD, 4)


NO_SIZES: list[Any] = [0, -1, 4.0, float("nan"), "4", None, True, (4,)]
NO_BOOLEANS: list[Any] = [1, 0, None, "yes"]
REFUSALS = [
    *[Refusal(lambda v=v: Accelerator(v, 4), "rows", repr(v), WHOLE) for v in NO_SIZES],
    *[Refusal(lambda v=v: Accelerator(4, v), "cols", repr(v), WHOLE) for v in NO_SIZES],
    *[Refusal(lambda v=v: Accelerator(4, 4, v), "double_buffered", repr(v), "True or False") for v in NO_BOOLEANS],
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: f"{refusal.field}-{refusal.shown}")
def test_refusals(refusal: Refusal) -> None:
    assert_refused(refusal)
