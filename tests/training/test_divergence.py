"""A loss that is no number: which step brought it, and what is kept; the loop alone judges it."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from jaxgrad.base.errors import InputError
from jaxgrad.training import divergence, loop, runs
from jaxgrad.training.checkpoints import Checkpoints
from jaxgrad.training.data import Dataset
from jaxgrad.training.divergence import Diverged, Watch
from jaxgrad.training.loop import Plan
from jaxgrad.training.step import State, Sums, Trainer

STEPS = 5  # an epoch, of images of a row each
NAN, INFINITE = float("nan"), float("inf")


def state(loss: float, step: int = 0) -> State:
    sums = Sums(jnp.float32(loss), jnp.uint32(1), jnp.uint32(2))
    return State(nnx.State({}), nnx.State({}), (), {}, sums, jnp.uint32(step))


def losing(losses: dict[int, float], test: dict[int, float] | None = None) -> Trainer:
    """A trainer whose loss is 1, but for some steps; and that on the test images, after some steps."""

    def step(before: State, images: Any, labels: Any) -> State:
        number = int(before.step) + 1
        loss = before.sums.loss + losses.get(number, 1.0)
        sums = Sums(loss, before.sums.correct, before.sums.images + len(labels))
        return replace(before, sums=sums, step=jnp.uint32(number))

    def evaluate(now: State, images: Any, labels: Any, counted: Any) -> Sums:
        return Sums(jnp.float32((test or {}).get(int(now.step), 1.0)), jnp.uint32(0), jnp.uint32(len(labels)))

    initial = replace(state(0.0), sums=Sums.zero())
    return Trainer(
        initial, step, evaluate, lambda model: initial, lambda params, batch: jnp.zeros(()), optax.identity()
    )


def dataset() -> Dataset:
    images, labels = np.zeros((STEPS, 1, 1, 1), np.float32), np.zeros(STEPS, np.int32)
    return Dataset(images, labels, images, labels, 10, "nothing")


def train(folder: Path, made: Trainer, on_nan: str, checkpoint_every: int = 2) -> list[int]:
    """The steps that were passed on."""
    run = runs.create(folder, "")
    plan = Plan(batch_size=1, epochs=3, seed=0, checkpoint_every=checkpoint_every)
    steps = []
    with Checkpoints(run.checkpoints) as checkpoints:
        for now in loop.fit(made, made.initial, dataset(), plan, run, checkpoints, on_nan=on_nan):
            steps.append(now.step)  # noqa: PERF401 - what came before an error stays
    return steps


def kept(folder: Path) -> list[int]:
    return sorted(int(path.name) for path in (folder / "checkpoints").iterdir())


@pytest.mark.parametrize(
    ("losses", "step", "epoch", "loss"),
    [
        ({1: NAN}, 1, 1, NAN),
        ({4: INFINITE}, 4, 1, INFINITE),
        ({4: -INFINITE, 5: INFINITE}, 4, 1, -INFINITE),
        ({5: NAN}, 5, 1, NAN),  # the last step of an epoch
        ({6: INFINITE, 8: NAN}, 6, 2, INFINITE),
        ({15: NAN}, 15, 3, NAN),  # the last of all
    ],
)
@pytest.mark.parametrize("look_every_s", [0.0, 1e9])
def test_the_step_that_brought_it_is_named_however_late_it_is_looked_at(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    look_every_s: float,
    losses: dict[int, float],
    step: int,
    epoch: int,
    loss: float,
) -> None:
    monkeypatch.setattr(divergence, "_LOOK_EVERY_S", look_every_s)
    with pytest.raises(Diverged) as stop:
        train(tmp_path / "run", losing(losses), "stop")
    assert str(stop.value) == f"the loss is {loss} in epoch {epoch} of 3, at step {step}"
    assert int(stop.value.state.step) >= step
    assert look_every_s or int(stop.value.state.step) == step
    assert all(saved < step for saved in kept(tmp_path / "run"))
    assert len(runs.reopen(tmp_path / "run").metrics()) == epoch - 1


def test_a_loss_on_the_test_images_stops_after_its_line_of_the_log(tmp_path: Path) -> None:
    with pytest.raises(Diverged, match="the test loss is nan in epoch 2 of 3, at step 10"):
        train(tmp_path / "run", losing({}, test={10: NAN}), "stop", checkpoint_every=10)
    assert [record["test_loss"] for record in runs.reopen(tmp_path / "run").metrics()] == [1 / STEPS, None]
    assert kept(tmp_path / "run") == []


def test_to_continue_is_to_be_warned_once(tmp_path: Path) -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        steps = train(tmp_path / "run", losing({3: NAN, 9: INFINITE}, test={5: NAN}), "continue")
    assert [str(warning.message) for warning in said] == [
        "the loss is nan in epoch 1 of 3, at step 3; training goes on"
    ]
    assert steps == list(range(1, 16))
    assert [record["train_loss"] for record in runs.reopen(tmp_path / "run").metrics()] == [None, None, 1.0]
    assert kept(tmp_path / "run") == [14, 15]


def test_between_looks_the_device_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unread:
        def __float__(self) -> float:
            pytest.fail("looked at")

    clock = iter([0.0, 0.1, 0.15, 0.3, 0.35])
    monkeypatch.setattr(divergence, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    watch = Watch("stop", 1, 100)
    watch.trained(state(1.0), 1, at_once=True)  # looked at 0.0: not again until 0.2
    for step in (2, 3):
        watch.trained(replace(state(1.0), sums=Sums(Unread(), *[jnp.uint32(1)] * 2)), step, at_once=False)  # pyright: ignore[reportArgumentType]
    with pytest.raises(pytest.fail.Exception):
        watch.trained(replace(state(1.0), sums=Sums(Unread(), *[jnp.uint32(1)] * 2)), 4, at_once=False)  # pyright: ignore[reportArgumentType]


def test_another_word_is_refused() -> None:
    with pytest.raises(InputError, match="on_nan: got 'halt'; choose one of stop, continue"):
        Watch("halt", 1, 1)
