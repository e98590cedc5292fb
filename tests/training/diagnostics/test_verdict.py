"""Verdicts on made series of which the truth is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from jaxgrad.training.diagnostics import Verdict, afterwards, judge, words
from jaxgrad.training.diagnostics.verdict import Gradient
from tests.training.diagnostics.test_series import autoregression

COUNT, EVERY = 150, 200
STEPS = EVERY * np.arange(COUNT)
TRANSIENT = np.exp(-np.arange(COUNT) / 5)


def records(loss: np.ndarray, gradient: np.ndarray, weights: np.ndarray | None = None, **columns: Any) -> list[dict]:
    generator = np.random.default_rng(1)
    noises = [autoregression(generator, COUNT, 0.3) for _ in range(7)]
    weights = 100 + noises[0] if weights is None else weights
    return [
        {
            "step": int(step),
            "cycles": 10 * int(step),
            "loss": loss[place],
            "gradient_squared": gradient[place],
            "weights_squared": weights[place],
            "projections": [0.1 * noise[place] for noise in noises[1:5]],
            "descent": -0.01 - 0.003 * noises[5][place],
            "rise": 0.01 + 0.003 * noises[6][place],
            **{name: column[place] for name, column in columns.items()},
        }
        for place, step in enumerate(STEPS)
    ]


def noise(seed: int, coefficient: float = 0.3) -> np.ndarray:
    return autoregression(np.random.default_rng(seed), COUNT, coefficient)


STATIONARY = records(1 + 2 * TRANSIENT + 0.03 * noise(2), 0.0144 + 0.3 * TRANSIENT + 0.002 * noise(3))


def test_a_stationary_law_with_a_gradient_that_stays() -> None:
    verdict = judge(STATIONARY)
    assert verdict.stopped is not None
    assert 3 * EVERY <= verdict.stopped <= 35 * EVERY  # 1 % of the fall is left after 23 measurements
    assert verdict.gradient is not None
    assert verdict.gradient.after == pytest.approx(0.12, rel=0.1)
    assert verdict.gradient.bounds[0] <= 0.12 <= verdict.gradient.bounds[1]
    assert verdict.gradient.vanished is False
    assert verdict.law is not None
    assert verdict.law.stationary
    assert set(verdict.law.same) == {"loss", "|weights|^2", *(f"projection {number}" for number in range(1, 5))}
    assert verdict.balance is not None
    assert verdict.balance.ratio == pytest.approx(1, abs=3 * verdict.balance.error)
    assert 0.01 < verdict.balance.error < 0.1
    text = words(verdict, afterwards(verdict.stopped, STATIONARY, [], None))
    assert text.startswith(f"The loss stopped falling at step {verdict.stopped:,}")
    assert "The gradient did not vanish" in text
    assert "approximately stationary law" in text
    rest = int(STEPS[-1]) - verdict.stopped
    assert f"The {rest:,} of {STEPS[-1]:,} steps after that took {10 * rest:,} cycles" in text


def test_a_loss_that_falls_to_the_end_has_no_further_verdict() -> None:
    for falling in (3 - 0.01 * np.arange(COUNT), 1 / (1 + np.arange(COUNT) / 100)):
        verdict = judge(records(falling + 0.003 * noise(4), 1 + 0.1 * noise(5)))
        assert verdict == Verdict(COUNT, int(STEPS[-1]), None, verdict.fall, verdict.fall_error)
        assert "still falling" in words(verdict, None)


def test_a_gradient_that_vanishes() -> None:
    verdict = judge(records(2 * TRANSIENT + 1e-4 * noise(6), 0.3 * TRANSIENT + 1e-6 * noise(7)))
    assert verdict.stopped is not None
    assert verdict.gradient is not None
    assert verdict.gradient.vanished is True
    assert verdict.gradient.bounds[0] == 0
    assert "The gradient vanished" in words(verdict, None)


@pytest.mark.parametrize(
    ("bounds", "vanished", "said"),
    [((0.0, 0.09), True, "vanished"), ((0.11, 0.2), False, "did not vanish"), ((0.08, 0.12), None, "is not told")],
)
def test_both_bounds_of_a_gradient_have_to_agree(bounds: tuple[float, float], vanished: bool | None, said: str) -> None:
    verdict = Verdict(20, 100, 40, 0.0, 0.1, Gradient(1.0, sum(bounds) / 2, bounds))
    assert verdict.gradient is not None
    assert verdict.gradient.vanished is vanished
    assert said in words(verdict, None)


def test_weights_that_go_on_growing_have_no_stationary_law() -> None:
    loss = 1 + 2 * TRANSIENT + 0.03 * noise(2)
    verdict = judge(records(loss, 0.01 + 0.001 * noise(3), 100 + 0.05 * np.arange(COUNT) + noise(10)))
    assert verdict.law is not None
    assert verdict.law.apart == ("|weights|^2",)
    assert "still changes between the halves: it does for |weights|^2" in words(verdict, None)


def test_an_observable_that_is_too_slow_is_said_to_be() -> None:
    loss = 1 + 2 * TRANSIENT + 0.03 * noise(2)
    walk = np.cumsum(noise(11, 0.0))
    verdict = judge(records(loss, 0.01 + 0.001 * noise(3), walk))
    assert verdict.law is not None
    assert verdict.law.untold == ("|weights|^2",)
    assert "Too slow to tell in a run of this length: |weights|^2." in words(verdict, None)


def test_too_few_measurements_are_said_to_be_and_those_that_are_no_number_do_not_count() -> None:
    assert judge([]) == Verdict(0, 0)
    few = judge([*STATIONARY[:15], {**STATIONARY[15], "loss": None}])
    assert few == Verdict(15, int(STEPS[14]))
    assert words(few, None).startswith("Too little to tell: 15 measurements")


def test_what_came_after_is_of_counters_and_accuracies() -> None:
    metrics = [
        {"step": step, "cycles": 10 * step, "test_accuracy": accuracy}
        for step, accuracy in ((1000, 0.8), (2000, 0.9), (30_000, 0.95))
    ]
    after = afterwards(2400, STATIONARY, metrics, 0.5)
    assert after.steps == (27_600, 30_000)
    assert after.cycles == (276_000, 300_000)
    assert after.accuracy == (0.9, 0.95)
    assert after.joules == 0.5 * 27_600
    said = words(judge(STATIONARY), after)
    assert "The 27,600 of 30,000 steps after that took 276,000 cycles (92% of all) and 1.38e+04 J" in said
    assert "90.0% then, 95.0% at the end" in said
    assert afterwards(400, STATIONARY, metrics, None).accuracy is None
