"""One training run of an experiment, from its first step to its last, and what came out."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from jaxgrad.training.data import batches
from jaxgrad.training.divergence import STOP, Diverged, Watch
from jaxgrad.training.job import Job
from jaxgrad.training.loop import sums_over
from jaxgrad.training.step import State, next_epoch


class Measurement(NamedTuple):
    """Of the newest weights after a step, over all training images and all test images.

    Args:
        step: how many are done.
        train_loss, test_loss: means; None where they are no numbers.
        train_accuracy, test_accuracy: of 1.
    """

    step: int
    train_loss: float | None
    train_accuracy: float
    test_loss: float | None
    test_accuracy: float


class Outcome(NamedTuple):
    """What came out of a run.

    Args:
        steps: that it has, all of them done unless it diverged.
        measured: after the steps that were asked for, and after the last one.
        epochs: (step, loss) at the end of each epoch: the mean over its batches, each before its update.
        diverged: the step whose loss was NaN or infinite, after which nothing was done; None for a run that ended.
        counters: what the array did in all steps, by name; empty for a run that diverged.
        weight_words: of the versions of weights that a pipeline keeps; None without one.
    """

    steps: int
    measured: tuple[Measurement, ...]
    epochs: tuple[tuple[int, float], ...]
    diverged: int | None
    counters: Mapping[str, int]
    weight_words: int | None

    def at(self, step: int | None) -> Measurement | None:
        """After a step, or after the last one (None); None where the run had diverged before."""
        wanted = self.steps if step is None else step
        return next((each for each in self.measured if each.step == wanted), None)

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {**self._asdict(), "measured": [list(each) for each in self.measured]}

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Outcome:
        """From ``as_dict``."""
        measured = tuple(Measurement(*each) for each in kept["measured"])
        return cls(**{**kept, "measured": measured, "epochs": tuple((step, loss) for step, loss in kept["epochs"])})


def train(job: Job, at_steps: Collection[int]) -> Outcome:
    """Trains whole.

    Args:
        job: its initial state is used up.
        at_steps: after which steps to measure; those of the run's are.
    """
    plan, dataset = job.plan, job.dataset
    per_epoch = plan.steps_per_epoch(dataset)
    steps = plan.epochs * per_epoch
    watch = Watch(STOP, plan.epochs, per_epoch)
    state, step = job.trainer.initial, 0
    measured: list[Measurement] = []
    epochs: list[tuple[int, float]] = []
    diverged = None
    try:
        for epoch in range(plan.epochs):
            for images, labels in batches(dataset, plan.batch_size, plan.seed, epoch, augment=plan.augment):
                state = job.trainer.step(state, images, labels)
                step += 1
                is_measured = step == steps or step in at_steps
                watch.trained(state, step, at_once=is_measured or step % per_epoch == 0)
                if is_measured:
                    measured.append(measurement(job, state, step))
            epochs.append((step, state.sums.means()[0]))
            state = next_epoch(state)
    except Diverged as stop:
        diverged = stop.step
    pipeline = job.pipeline
    return Outcome(
        steps=steps,
        measured=tuple(measured),
        epochs=tuple(epochs),
        diverged=diverged,
        counters={} if diverged else _counted(state),
        weight_words=None if pipeline is None else pipeline["weight_words"],
    )


def measurement(job: Job, state: State, step: int) -> Measurement:
    """Of a state's newest weights."""
    dataset = job.dataset
    train_loss, train_accuracy = sums_over(job.trainer, state, dataset.train_images, dataset.train_labels).means()
    test_loss, test_accuracy = sums_over(job.trainer, state, dataset.test_images, dataset.test_labels).means()
    return Measurement(step, _number(train_loss), train_accuracy, _number(test_loss), test_accuracy)


def _counted(state: State) -> dict[str, int]:
    """All layers' counters together, forward and backward."""
    first, *others = (layer.total for layer in state.counters.values())
    return sum(others, first).as_dict()


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
