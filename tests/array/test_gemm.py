"""jaxgrad.array.gemm: the shape of a layer's GEMM."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from jaxgrad.array.gemm import Gemm
from tests.refusals import Refusal, assert_refused

FIELDS = ("batch", "in_features", "out_features")


def test_sizes_by_axis() -> None:
    batch: Any = np.int32(2)
    gemm = Gemm(batch=batch, in_features=3, out_features=5)
    assert type(gemm.batch) is int
    assert gemm.sizes == {"b": 2, "k": 3, "n": 5}
    assert gemm == Gemm(2, 3, 5)
    assert hash(gemm) == hash(Gemm(2, 3, 5))


def test_macs_are_exact_however_large() -> None:
    assert Gemm(2, 3, 5).macs == 30
    assert Gemm(10**12, 10**12 + 1, 10**12).macs == 10**36 + 10**24


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", [0, -2, 1.5, "3", None, False, [1]], ids=repr)
def test_refusals(field: str, value: object) -> None:
    sizes: dict[str, Any] = dict.fromkeys(FIELDS, 1) | {field: value}
    assert_refused(Refusal(lambda: Gemm(**sizes), field, repr(value), "whole number of at least 1"))
