"""Learning rates: each schedule by its formula, a warm-up before any of them, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import optax
import pytest

from jaxgrad.base.errors import InputError
from jaxgrad.flax import Rule
from jaxgrad.training.learning_rates import DECAYS, learning_rate
from jaxgrad.training.losses import smoothed
from jaxgrad.training.quantized import optimizer
from jaxgrad.training.runs import METRICS
from jaxgrad.training.sections import OptimizerSection
from jaxgrad.training.spans import Span, spans
from jaxgrad.training.step import trainer
from tests.training.test_loop import EMULATION, assert_same, dataset, make, train
from tests.training.test_loop import STEPS as STEPS_OF_RUN

PEAK, STEPS, PER_EPOCH = 0.4, 60, 10
OPTIONS: dict[str, dict[str, Any]] = {
    "cosine": {"end_rate": 0.1},
    "linear": {"end_rate": 0.1},
    "exponential": {"factor": 0.5, "end_rate": 0.1},
    "step": {"factor": 0.5, "falls": spans("", "20, 3 epochs, 75%")},
    "constant": {},
}
# By the step, of those left when the rate begins to decay.
FORMULAS: dict[str, Callable[[int, int], float]] = {
    "cosine": lambda step, left: 0.1 + 0.3 * (1 + np.cos(np.pi * step / left)) / 2,
    "linear": lambda step, left: PEAK - 0.3 * step / left,
    "exponential": lambda step, left: max(0.1, PEAK * 0.5 ** (step / PER_EPOCH)),
    "step": lambda step, left: PEAK * 0.5 ** sum(step + STEPS - left >= fall for fall in (20, 30, 45)),
    "constant": lambda step, left: PEAK,
}


def values(rate: optax.ScalarOrSchedule) -> list[float]:
    return [float(np.asarray(rate(step) if callable(rate) else rate)) for step in range(STEPS)]


def rates(decay: str, **options: Any) -> list[float]:
    return values(learning_rate(PEAK, decay, steps=STEPS, per_epoch=PER_EPOCH, **options))


@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize("warmup", [None, "7", "0.5 epochs", "25%", "0"])
def test_a_rate_is_that_of_the_formula(decay: str, warmup: str | None) -> None:
    warm = {None: 0, "7": 7, "0.5 epochs": 5, "25%": 15, "0": 0}[warmup]
    span = None if warmup is None else Span.of("", warmup)
    rising = [PEAK * step / warm for step in range(warm)]
    falling = [FORMULAS[decay](step, STEPS - warm) for step in range(STEPS - warm)]
    np.testing.assert_allclose(rates(decay, warmup=span, **OPTIONS[decay]), rising + falling, rtol=1e-5, atol=1e-7)


def test_a_cosine_after_a_warm_up_is_the_one_of_optax() -> None:
    theirs = optax.warmup_cosine_decay_schedule(0.0, PEAK, 12, STEPS, end_value=0.05)
    own = rates("cosine", warmup=Span.of("", "12"), end_rate=0.05)
    np.testing.assert_allclose(own, values(theirs), rtol=1e-6)


def test_a_rate_that_stays_is_a_number() -> None:
    """Of optimizers with one the state has no count: a run begun with it goes on."""
    assert learning_rate(PEAK, "constant", steps=STEPS, per_epoch=PER_EPOCH) == PEAK


@pytest.mark.parametrize(
    ("decay", "options", "said"),
    [
        ("cosine", {"warmup": Span.of("", "6 epochs")}, "warmup: got '6 epochs'; the run has 60 steps: give fewer"),
        ("cosine", {"warmup": Span.of("", "100%")}, "warmup: got '100%'"),
        (
            "step",
            {"falls": spans("", "3, 60")},
            "decay_at: got '60', which is step 60; give times after the first step",
        ),
        ("step", {"falls": spans("", "0%")}, "decay_at: got '0%', which is step 0;"),
        (
            "step",
            {"falls": spans("", "5, 20"), "warmup": Span.of("", "1 epoch")},
            "decay_at: got '5', which is step 5; give times after the warm-up and before the end, of 10 and 60 steps",
        ),
        ("step", {"falls": spans("", "3 epochs, 20")}, "give later and later times .these are steps 30 and 20"),
        ("step", {"falls": spans("", "30, 50%")}, "give later and later times"),
    ],
)
def test_times_that_will_not_do_are_refused(decay: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        rates(decay, **options)


def test_a_run_that_stops_and_goes_on_has_the_same_rates_decay_and_loss(tmp_path: Path) -> None:
    keys = {
        "name": "momentum", "learning_rate": 0.1, "weight_decay": 0.01, "weight_decay_mask": "kernels",
        "clip_norm": 0.5, "decay": "step", "decay_at": "9", "warmup": "4",
    }  # fmt: skip
    section = OptimizerSection.model_validate(keys)
    chosen = optimizer(section, [Rule("*", EMULATION)], 0.0, section.rate(steps=STEPS_OF_RUN, per_epoch=5))
    model, _ = make("mlp")
    batch = dataset().train_images[:8], dataset().train_labels[:8]
    made = trainer(model, chosen, *batch, loss=smoothed(0.1))
    whole = train(tmp_path / "whole", made)
    for stop in (3, 6, None):  # in the warm-up, and before the rate falls
        parts = train(tmp_path / "parts", made, stop)
    assert_same(parts, whole)
    assert (tmp_path / "parts" / METRICS).read_bytes() == (tmp_path / "whole" / METRICS).read_bytes()


@pytest.mark.parametrize("decay", DECAYS)
def test_a_section_makes_the_rate_that_its_keys_say(decay: str) -> None:
    keys = {"learning_rate": PEAK, "decay": decay, "warmup": "1 epoch"}
    told = {"cosine": {"end_rate": 0.1}, "step": {"decay_factor": 0.5, "decay_at": "20,3epochs,75%"}}
    own: dict[str, Any] = {
        "exponential": {"factor": 0.95},
        "linear": {},
        "constant": {},
        "cosine": OPTIONS["cosine"],
        "step": OPTIONS["step"],
    }
    section = OptimizerSection.model_validate({**keys, **told.get(decay, {})})
    rate = section.rate(steps=STEPS, per_epoch=PER_EPOCH)
    assert values(rate) == rates(decay, warmup=Span.of("", "1 epoch"), **own[decay])
