"""Early stopping: exactly after so many epochs without a better test, also for a run that was killed."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import optax
import pytest

from jaxgrad.training import loop, runs
from jaxgrad.training.checkpoints import Checkpoints
from jaxgrad.training.loop import Plan
from jaxgrad.training.patience import Patience
from jaxgrad.training.step import State, Sums, Trainer
from tests.training.test_loop import assert_same, dataset

STEPS = 5  # an epoch, of 41 images in batches of 8


def records(*losses: float | None, accuracies: tuple[float, ...] = ()) -> list[dict[str, Any]]:
    return [
        {"test_loss": loss, "test_accuracy": accuracy}
        for loss, accuracy in zip(losses, accuracies or [0.5] * len(losses), strict=True)
    ]


@pytest.mark.parametrize(
    ("losses", "best", "waited"),
    [
        ((3.0,), 1, 0),
        ((3.0, 2.0, 1.0), 3, 0),
        ((3.0, 3.0, 3.0), 1, 2),  # as good is not better
        ((3.0, 1.0, 2.0, 1.5), 2, 2),
        ((None, 4.0, None), 2, 1),  # no number is worse than any
        ((None, None), 1, 1),
    ],
)
def test_patience_counts_from_the_first_best_epoch(losses: tuple[float | None, ...], best: int, waited: int) -> None:
    for epochs in range(1, 5):
        assert Patience(epochs).best(records(*losses)) == best
        assert Patience(epochs).is_over(records(*losses)) == (waited >= epochs)


def test_accuracy_is_the_better_the_higher() -> None:
    log = records(3.0, 2.0, 1.0, accuracies=(0.25, 0.75, 0.5))
    assert Patience(1, "accuracy").best(log) == 2
    assert Patience(1, "accuracy").is_over(log)
    assert not Patience(1).is_over(log)
    assert Patience(1, "accuracy").verdict(log, 9) == (
        "Stopped early, of 9 epochs: no better test accuracy for an epoch; the best, 75.0%, was in epoch 2."
    )
    assert Patience(1, "accuracy").verdict(log, 3) == ""
    assert Patience(2, "accuracy").verdict(log, 9) == ""
    assert not Patience(1).is_over([])


def scripted(losses: list[float]) -> Trainer:
    """A trainer whose test loss after each epoch is told beforehand; its step only counts."""

    def step(state: State, images: Any, labels: Any) -> State:
        sums = Sums(jnp.float32(1), jnp.uint32(1), jnp.uint32(8))
        return replace(state, step=state.step + 1, sums=state.sums + sums)

    def evaluate(state: State, images: Any, labels: Any, counted: Any) -> Sums:
        return Sums(jnp.float32(losses[int(state.step) // STEPS - 1]), jnp.uint32(1), jnp.uint32(1))

    initial = State({}, {}, {}, {}, Sums.zero(), jnp.uint32(0))  # pyright: ignore[reportArgumentType]
    return Trainer(
        initial, step, evaluate, lambda model: initial, lambda params, batch: jnp.zeros(()), optax.identity()
    )


def train(folder: Path, trainer: Trainer, plan: Plan, stop_after: int | None = None) -> State:
    run = runs.reopen(folder) if folder.exists() else runs.create(folder, "")
    with Checkpoints(run.checkpoints) as checkpoints:
        state = loop.resume(trainer, run, checkpoints)
        training = loop.fit(trainer, state, dataset(), plan, run, checkpoints, on_nan="continue")
        for count, now in enumerate(training, start=1):
            state = now.state
            if count == stop_after:
                break
    return state


LOSSES = [5.0, 4.0, math.nan, 3.0, 3.0, 3.5, 1.0, 1.0]  # with 2 epochs of patience, six are trained


@pytest.mark.parametrize("stops", [(), (2,), (11, 4), (20, 8), (29,), (30,)])
@pytest.mark.filterwarnings("ignore:the test loss is nan")
def test_a_run_stops_at_the_same_epoch_however_often_it_was_killed(tmp_path: Path, stops: tuple[int, ...]) -> None:
    plan, trainer = Plan(8, 8, seed=1, checkpoint_every=7, patience=Patience(2)), scripted(LOSSES)
    for stop in stops:
        train(tmp_path / "run", trainer, plan, stop)
    state = train(tmp_path / "run", trainer, plan)
    assert int(state.step) == 6 * STEPS
    run = runs.reopen(tmp_path / "run")
    assert [record["epoch"] for record in run.metrics()] == [1, 2, 3, 4, 5, 6]
    log = (tmp_path / "run" / runs.METRICS).read_bytes()
    # Its last checkpoint is of that epoch, and it has nothing left to do.
    assert_same(train(tmp_path / "run", trainer, plan), state)
    assert (tmp_path / "run" / runs.METRICS).read_bytes() == log
    assert str(6 * STEPS) in {path.name for path in run.checkpoints.iterdir()}


def test_a_run_that_gets_better_trains_to_its_end(tmp_path: Path) -> None:
    plan = Plan(8, 4, seed=1, checkpoint_every=7, patience=Patience(1))
    assert int(train(tmp_path / "run", scripted([4.0, 3.0, 2.0, 1.0]), plan).step) == 4 * STEPS
