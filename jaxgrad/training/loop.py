"""The training loop: from whatever step its state is at to the end, logging and checkpointing on the way."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jaxtyping import Int32, Shaped

from jaxgrad.training import defaults, runs
from jaxgrad.training.checkpoints import Checkpoints
from jaxgrad.training.data import Dataset, batches
from jaxgrad.training.divergence import Watch
from jaxgrad.training.patience import Patience
from jaxgrad.training.prefetching import on_device, prefetched
from jaxgrad.training.runs import Run
from jaxgrad.training.shared import SharedCheckpoints
from jaxgrad.training.step import State, Sums, Trainer, next_epoch

_EVALUATED_AT_ONCE = 512


@dataclass(frozen=True)
class Plan:
    """How long to train and in what portions, of images augmented how.

    ``rate`` is that of the optimizer, for the log alone; None for one without.
    """

    batch_size: int
    epochs: int
    seed: int
    checkpoint_every: int
    augment: tuple[str, ...] = ()
    patience: Patience | None = None
    rate: optax.ScalarOrSchedule | None = field(default=None, compare=False)

    def steps_per_epoch(self, dataset: Dataset) -> int:
        """Whole batches an epoch; the images that fill none sit this epoch out."""
        return len(dataset.train_labels) // self.batch_size

    def batches(self, dataset: Dataset, step: int) -> Iterator[tuple[np.ndarray | Array, np.ndarray]]:
        """What each step from ``step`` on is of, to the end of the last epoch."""
        epoch, done = divmod(step, self.steps_per_epoch(dataset))
        for number in range(epoch, self.epochs):
            whole = batches(dataset, self.batch_size, self.seed, number, augment=self.augment)
            yield from islice(whole, done if number == epoch else 0, None)


@dataclass(frozen=True)
class Progress:
    """Where training is after a step.

    Args:
        state: after it.
        step: how many are done.
        record: the epoch's line of the log if the step ended one.
    """

    state: State
    step: int
    record: dict[str, Any] | None = None


def resume(trainer: Trainer, run: Run, checkpoints: Checkpoints | SharedCheckpoints) -> State:
    """The state of the newest checkpoint, or the initial one; the log is cut back to match.

    Raises:
        InputError: no checkpoint can be read, or other settings made it; or the log is not what it was at the
            checkpoint.
    """
    initial = trainer.initial
    state, mark = checkpoints.restore(initial) or (initial, runs.START)
    if state is initial:  # training uses its versions up
        state = replace(initial, versions=jax.tree.map(jnp.copy, initial.versions))
    run.rewind_metrics(mark)
    return state


def fit(
    trainer: Trainer,
    state: State,
    dataset: Dataset,
    plan: Plan,
    run: Run,
    checkpoints: Checkpoints | SharedCheckpoints,
    *,
    on_nan: str = defaults.ON_NAN,
    place: Callable[[Any], Any] = on_device,
) -> Iterator[Progress]:
    """Trains from ``state`` to the plan's last epoch, or until its patience is over, one item a step.

    The next batches are made meanwhile.

    A line of the log is on the disk before the checkpoint that counts on it, so that a kill in between only repeats
    work.

    Args:
        on_nan: what happens at a loss that is NaN or infinite, one of ``divergence.ON_NAN``. No checkpoint is made
            between it and the stop.
        place: puts a batch, (images, labels), where the step has it.

    Raises:
        Diverged: there was such a loss, and ``on_nan`` is ``stop``.
    """
    steps = plan.steps_per_epoch(dataset)
    step = int(state.step)
    watch = Watch(on_nan, plan.epochs, steps)
    if _is_over(plan, run):
        return
    with prefetched(plan.batches(dataset, step), place) as ready:
        for images, labels in ready:
            state = trainer.step(state, images, labels)
            step += 1
            ends_epoch = step % steps == 0
            saves = step % plan.checkpoint_every == 0 or step == steps * plan.epochs
            watch.trained(state, step, at_once=ends_epoch or saves)
            record = None
            if ends_epoch:
                test = evaluated(trainer, state, dataset)
                record = _record(state, test, step // steps, plan.rate)
                run.append_metrics(record)
                watch.tested(state, test, step)
                state = next_epoch(state)
            stops = ends_epoch and _is_over(plan, run)
            if saves or stops:
                checkpoints.save(step, state, run.metrics_mark())
            yield Progress(state, step, record)
            if stops:
                return


def _is_over(plan: Plan, run: Run) -> bool:
    return plan.patience is not None and plan.patience.is_over(run.metrics())


def _record(state: State, test: Sums, epochs: int, rate: optax.ScalarOrSchedule | None) -> dict[str, Any]:
    train_loss, train_accuracy = state.sums.means()
    test_loss, test_accuracy = test.means()
    record = {
        "epoch": epochs,
        "step": int(state.step),
        "train_loss": _json_number(train_loss),
        "train_accuracy": train_accuracy,
        "test_loss": _json_number(test_loss),
        "test_accuracy": test_accuracy,
        "cycles": state.cycles(),
    }
    if rate is not None:  # of the epoch's last step
        record["learning_rate"] = float(np.asarray(rate(state.step - 1) if callable(rate) else rate))
    if state.average is not None:
        record["rebuilding_error"] = _json_number(float(state.average.error))
    if state.scale is not None:
        record["loss_scale"] = float(state.scale.factor)
    return record


def evaluated(trainer: Trainer, state: State, dataset: Dataset) -> Sums:
    """The sums over all test images."""
    return sums_over(trainer, state, dataset.test_images, dataset.test_labels)


def sums_over(
    trainer: Trainer, state: State, images: Shaped[np.ndarray, "n *input"], labels: Int32[np.ndarray, "n *inner"]
) -> Sums:
    """The sums over some images, by the chunk; the last chunk is filled up, so that one shape is compiled."""
    size = min(len(labels), _EVALUATED_AT_ONCE)
    total = Sums.zero()
    for start in range(0, len(labels), size):
        rows = np.arange(start, start + size)
        counted = rows < len(labels)
        rows = np.minimum(rows, len(labels) - 1)
        total += trainer.evaluate(state, images[rows], labels[rows], counted)
    return total


def _json_number(value: float) -> float | None:
    """JSON has no NaN and no infinity: a loss that has diverged is null."""
    return value if math.isfinite(value) else None
