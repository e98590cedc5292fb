"""One measurement of a run: what a state is like, and the step that training takes from it."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from scipy.sparse.linalg import ArpackError

from jaxgrad.training.data import Dataset, batches, order
from jaxgrad.training.diagnostics.balance import Change, balance
from jaxgrad.training.diagnostics.curvature import hessian_product, rayleigh_quotient, sharpness
from jaxgrad.training.diagnostics.descents import mean_descent
from jaxgrad.training.diagnostics.gradients import Loss, mean_loss, mean_square, noise, squared_norm
from jaxgrad.training.diagnostics.observables import distance, norms, projections
from jaxgrad.training.diagnostics_section import check_batches
from jaxgrad.training.loop import Plan
from jaxgrad.training.step import State, Trainer

SAMPLE = 8
"""Batches whose gradients are taken, where nothing is said."""
CURVATURE_SHARE = 4
"""Of these batches one in so many has its curvature taken, but no fewer than two; of all batches, all."""
SHARPNESS_EVERY = 10
"""Measurements from one that takes the sharpness to the next."""
_TOLERANCE, _VECTORS = 0.05, 8  # of Lanczos' method


class Memory(NamedTuple):
    """What the next measurement compares with: leaves of the weights and of their gradient."""

    weights: list[np.ndarray]
    gradient: list[np.ndarray]


class Meter:
    """What measures the states of one run.

    The loss is that of training, its gradient exact, by XLA: nothing of it runs on the array. Weight decay is no part
    of it. Batch normalisation is in training mode: it takes the statistics of each batch, which are of the run's size.
    Under an estimator or few bits the network is measured as the floats of its weights have it, and under a pipeline at
    the newest weights; the step that is taken is training's own, in all of these.

    A measurement's sample is drawn anew, without replacement, by the seed and the step.

    Args:
        trainer: of the run.
        dataset: what it trains on.
        plan: of the run.
        images: of a sample; None for ``SAMPLE`` batches. Whole batches are taken, at most as many as an epoch has.
        exact: whether training's gradient is that of the measured loss at the state's weights: without an estimator,
            few bits and delays. The descent of its updates is then a mean over the sample.

    Attributes:
        sample: batches of a measurement.
        curvature_sample: of these, those whose curvature is taken.
        steps: of the whole run.

    Raises:
        InputError: an epoch has one batch alone.
    """

    def __init__(
        self, trainer: Trainer, dataset: Dataset, plan: Plan, images: int | None = None, *, exact: bool = True
    ) -> None:
        steps = plan.steps_per_epoch(dataset)
        check_batches(plan.batch_size, steps)
        self._trainer, self._dataset, self._plan, self._exact = trainer, dataset, plan, exact
        wanted = SAMPLE if images is None else -(-images // plan.batch_size)
        self.sample = max(2, min(wanted, steps))
        self.curvature_sample = steps if self.sample == steps else max(2, self.sample // CURVATURE_SHARE)
        self.steps = plan.epochs * steps
        self._compiled, self._product = jax.jit(self._values), jax.jit(self._hessian_product)

    def measure(self, state: State, memory: Memory | None, *, sharp: bool) -> tuple[dict[str, Any], Memory]:
        """The record of a state, and what the next one compares with.

        The step from it is taken here, on the batch that training sees next; the state stays as it is.

        Args:
            state: after some step, or before the first one.
            memory: of the measurement before, if there was one.
            sharp: whether the sharpness is taken.
        """
        step = int(state.step)
        after = self._after(state, step)
        sample = self._drawn(step)
        params, tree = state.params, jax.tree.structure(state.params)
        last = None if memory is None else [jax.tree.unflatten(tree, leaves) for leaves in memory]
        values, gradient = self._compiled(
            params, state.rest, state.opt_state, params if after is None else after, self._trainer.initial.params,
            [params, params] if last is None else last, sample,
        )  # fmt: skip
        numbers = {name: _numbers(value) for name, value in values.items()}
        if after is None:
            numbers |= dict.fromkeys(_OF_A_STEP)
        if last is None:
            numbers |= dict.fromkeys(_OF_TWO)
        top = self._sharpness(state, sample) if sharp and numbers["loss"] is not None else None
        record = {"step": step, "cycles": state.cycles(), **numbers, "sharpness": top}
        return record, Memory(*([np.asarray(leaf) for leaf in jax.tree.leaves(part)] for part in (params, gradient)))

    def _after(self, state: State, step: int) -> Any:
        """The parameters after the next step; None where there is none."""
        steps = self._plan.steps_per_epoch(self._dataset)
        if step >= self.steps:
            return None
        seen = batches(self._dataset, self._plan.batch_size, self._plan.seed, step // steps)
        images, labels = next(islice(seen, step % steps, None))
        # A step uses the versions of its state up.
        kept = replace(state, versions=jax.tree.map(jnp.copy, state.versions))
        return self._trainer.step(kept, images, labels).params

    def _drawn(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Images and labels of the sample, by batch. Epochs that no run has number the samples."""
        size = self.sample * self._plan.batch_size
        rows = order(len(self._dataset.train_labels), self._plan.seed, (1 << 32) + step)[:size]
        images, labels = self._dataset.train_images[rows], self._dataset.train_labels[rows]
        return tuple(part.reshape(self.sample, self._plan.batch_size, *part.shape[1:]) for part in (images, labels))  # pyright: ignore[reportReturnType]

    def _sharpness(self, state: State, sample: Any) -> float | None:
        few = jax.tree.map(lambda leaf: leaf[: self.curvature_sample], sample)

        def product(direction: Any) -> Any:
            return self._product(state.params, state.rest, few, direction)

        try:
            return sharpness(product, state.params, tolerance=_TOLERANCE, vectors=_VECTORS)
        except ArpackError:  # the method ends without a value, as where the Hessian is 0
            return None

    def _loss(self, rest: Any) -> Loss:
        return lambda params, batch: self._trainer.loss(params, (rest, *batch))

    def _hessian_product(self, params: Any, rest: Any, sample: Any, direction: Any) -> Any:
        return hessian_product(self._loss(rest), params, sample, direction)[1]

    def _values(
        self, params: Any, rest: Any, opt_state: Any, after: Any, start: Any, last: list[Any], sample: Any
    ) -> tuple[dict[str, Array], Any]:
        loss, population = self._loss(rest), len(self._dataset.train_labels) / self._plan.batch_size
        update = optax.tree.sub(after, params)

        def training_update(gradient: Any) -> Any:
            return self._trainer.optimizer.update(gradient, opt_state, params)[0]

        found, descent = mean_descent(loss, params, sample, training_update, population)
        gradient = found.gradient
        few = jax.tree.map(lambda leaf: leaf[: self.curvature_sample], sample)
        directions = jax.tree.map(lambda *leaves: jnp.stack(leaves), gradient, update)
        slopes, products = jax.vmap(lambda u: hessian_product(loss, params, few, u))(directions)
        curvatures = jax.vmap(rayleigh_quotient)(directions, products)
        along = [jax.tree.map(lambda leaf: leaf[1], tree) for tree in (slopes, products)]
        change = Change(*(jnp.asarray(optax.tree.vdot(update, part)) for part in along))
        change = change._replace(second=change.second / 2)
        if not self._exact:
            descent = optax.tree.vdot(gradient, update)
        size, gradient_size = norms(params), norms(gradient)
        values = {
            "loss": found.loss,
            "gradient_squared": squared_norm(found, population),
            "gradient_l2": gradient_size.l2,
            "gradient_l1": gradient_size.l1,
            "gradient_linf": gradient_size.linf,
            "noise": noise(found, population),
            "mean_square": mean_square(found, population),
            "gradient_change": distance(gradient, last[1]),
            "gradient_curvature": curvatures[0],
            "update_curvature": curvatures[1],
            "update_size": norms(update).l2,
            "descent": descent,
            "rise": change.second,
            "balance": balance(Change(jnp.asarray(descent), change.second)),
            "expected_change": change.expected,
            "measured_change": mean_loss(loss, after, few) - mean_loss(loss, params, few),
            "distance_from_start": distance(params, start),
            "distance_from_last": distance(params, last[0]),
            "weights_squared": size.l2**2,
            "projections": projections(params, jnp.maximum(norms(start).l2, 1e-30)),
        }
        return values, gradient


_OF_A_STEP = ("update_curvature", "update_size", "descent", "rise", "balance", "expected_change", "measured_change")
_OF_TWO = ("gradient_change", "distance_from_last")


def _numbers(value: Array) -> Any:
    """Floats, or None for what JSON does not have: NaN and infinity."""
    numbers = np.asarray(value, float)
    if numbers.ndim:
        return [_numbers(number) for number in numbers]
    return float(numbers) if np.isfinite(numbers) else None
