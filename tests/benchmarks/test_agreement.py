"""The checks that a GPU has to pass, on a CPU beside itself: that they see what is wrong."""

from __future__ import annotations

import itertools
from typing import Any

import jax
import pytest

from benchmarks import agreement
from benchmarks.agreement import Product
from jaxgrad import Accelerator, Counters, Gemm

PRODUCT = Product(Gemm(7, 6, 5), Accelerator(4, 3), "interleaved", "native")


def test_a_device_agrees_with_itself() -> None:
    (one,) = agreement.of_products([PRODUCT], [jax.devices("cpu")[0]] * 2)
    assert one.faults == ()
    assert 0 < one.error < 1


@pytest.mark.parametrize("wrong", ["dx", "dw", "counters"])
def test_what_differs_is_a_fault(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    emulate, calls = agreement.emulate, itertools.count()

    def off_on_the_first(*arguments: Any) -> Any:
        outcome: dict[str, Any] = dict(zip(("dx", "dw", "counters"), emulate(*arguments), strict=True))
        if next(calls) % 2 == 0:
            outcome[wrong] = outcome[wrong] + (Counters.of(x_reads=1) if wrong == "counters" else 1)
        return tuple(outcome.values())

    monkeypatch.setattr(agreement, "emulate", off_on_the_first)
    (one,) = agreement.of_products([PRODUCT], [jax.devices("cpu")[0]] * 2)
    assert one.faults
    assert all(wrong in fault or "gradients" in fault for fault in one.faults)
