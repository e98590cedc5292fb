"""The checks that a GPU has to pass, on a CPU beside itself: that they see what is wrong."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import jax
import pytest

from benchmarks import agreement
from benchmarks.agreement import Product
from jaxgrad import Accelerator, Counters, Gemm
from jaxgrad.training.config import Config

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


CONFIGS = [
    Config.model_validate(
        {
            "model": {"name": "mlp", "hidden": [8]},
            "data": {"batch_size": 16},
            "emulation": {"fidelity": fidelity},
            "optimizer": {"name": "sgd", "learning_rate": 1.0, "decay": "constant"},
        }
    )
    for fidelity in ("native", "tile")
]


@pytest.mark.parametrize("wrong", ["nothing", "gradients", "counters"])
def test_a_step_is_judged_by_the_rounding_of_two_orders_of_sums(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first_step, calls = agreement._first_step, itertools.count()

    def off_on_the_first(config: Config) -> Any:
        first = next(calls) == 0  # as the pool begins them: the first fidelity on the first device
        before, after = first_step(config)
        if first and wrong == "gradients":
            after = replace(after, params=jax.tree.map(lambda leaf: leaf * (1 + 1e-4), after.params))
        if first and wrong == "counters":
            after = replace(after, counters={path: layer + layer for path, layer in after.counters.items()})
        return before, after

    monkeypatch.setattr(agreement, "_first_step", off_on_the_first)
    cpu = jax.devices("cpu")[0]
    agreements = agreement.of_steps(CONFIGS, [cpu, cpu])
    faults = [fault for one in agreements for fault in one.faults]
    assert bool(faults) == (wrong != "nothing")
    assert any("gradients" in fault for fault in faults) == (wrong == "gradients")
