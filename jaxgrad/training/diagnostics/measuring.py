"""One measurement of a run: what a state is like, and the step that training takes from it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jax.flatten_util import ravel_pytree
from scipy.sparse.linalg import ArpackError

from jaxgrad.training.data import Dataset, order
from jaxgrad.training.diagnostics.balance import Change, balance
from jaxgrad.training.diagnostics.curvature import hessian_product, rayleigh_quotient, sharpness
from jaxgrad.training.diagnostics.descents import Descent
from jaxgrad.training.diagnostics.gradients import Loss, Moments, mean_loss, mean_square, noise, squared_norm
from jaxgrad.training.diagnostics.observables import distance, norms, projections
from jaxgrad.training.diagnostics_section import check_batches
from jaxgrad.training.loop import Plan
from jaxgrad.training.step import State, Trainer

SAMPLE = 4
"""Batches whose gradients are taken, where nothing is said."""
CURVATURE_SHARE = 4
"""Of these batches one in so many has its curvature taken, but no fewer than one; of all batches, all."""
STEP_EVERY = 2
"""Measurements from one that takes the next step, to measure it, to the next such."""
SHARPNESS_EVERY = 20
"""Measurements from one that takes the sharpness, and the curvature along the gradient, to the next such."""
_TOLERANCE, _VECTORS = 0.1, 8  # of Lanczos' method


class Memory(NamedTuple):
    """What the next measurement compares with: the weights and their gradient, a vector each."""

    weights: np.ndarray
    gradient: np.ndarray


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
        self.curvature_sample = steps if self.sample == steps else max(1, self.sample // CURVATURE_SHARE)
        self.steps = plan.epochs * steps
        # Each is compiled once: the gradient for one batch, since a loop on the device is slower on a CPU, the product
        # with the Hessian for directions and for Lanczos' method.
        self._add, self._product = jax.jit(self._with_batch), jax.jit(self._hessian_product)
        self._mean = jax.jit(self._mean_loss)
        # One vector instead of a leaf a parameter: on a CPU each operation costs more than what it does to a small one.
        self._start, self._tree = ravel_pytree(trainer.initial.params)

    def measure(
        self, state: State, memory: Memory | None, *, steps: bool = True, sharp: bool = True
    ) -> tuple[dict[str, Any], Memory]:
        """The record of a state, and what the next one compares with.

        The step from it is taken here, on the batch that training sees next; the state stays as it is.

        Args:
            state: after some step, or before the first one.
            memory: of the measurement before, if there was one.
            steps: whether the next step is measured, if there is one.
            sharp: whether the sharpness is taken, and the curvature along the gradient.
        """
        step, params = int(state.step), state.params
        sample = self._drawn(step)
        few = jax.tree.map(lambda leaf: jnp.asarray(leaf[: self.curvature_sample]), sample)
        weights = _vector(params)
        descent = _none(weights)
        loss_of_few = descent.moments.loss
        for number in range(self.sample):
            batch = jax.tree.map(lambda leaf, place=number: jnp.asarray(leaf[place]), sample)
            descent = self._add(descent, params, state.rest, state.opt_state, batch)
            if number + 1 == self.curvature_sample:
                loss_of_few = descent.moments.loss
        found = descent.moments
        last = Memory(weights, found.gradient) if memory is None else memory
        population = len(self._dataset.train_labels) / self._plan.batch_size
        values = _scalars(found, weights, self._start, last, population)
        steps = steps and step < self.steps
        values |= self._of_a_step(state, few, loss_of_few, descent, population) if steps else dict.fromkeys(_OF_A_STEP)
        values |= {"sharpness": None, "gradient_curvature": None}
        if sharp and np.isfinite(float(found.loss)):
            _, product = self._product(params, state.rest, few, found.gradient)
            curvature = _curvature(found.gradient, product)
            values |= {"sharpness": self._sharpness(state, few), "gradient_curvature": curvature}
        if memory is None:
            values |= dict.fromkeys(_OF_TWO)
        numbers = {name: None if value is None else _numbers(value) for name, value in sorted(values.items())}
        kept = Memory(np.asarray(weights), np.asarray(found.gradient))
        return {"step": step, "cycles": _cycles(state), **numbers}, kept

    def _of_a_step(self, state: State, few: Any, loss: Array, descent: Descent, population: float) -> dict[str, Array]:
        """Of the step that training takes next; ``loss`` is that of ``few`` before it."""
        params = state.params
        after = self._after(state)
        update = _difference(after, params)
        slope, product = self._product(params, state.rest, few, update)
        losses = (loss, self._mean(after, state.rest, few))
        return _step_scalars(update, slope, product, losses, descent, population, exact=self._exact)

    def _after(self, state: State) -> Any:
        """The parameters after the next step."""
        images, labels = next(iter(self._plan.batches(self._dataset, int(state.step))))
        # A step uses the versions of its state up.
        kept = replace(state, versions=jax.tree.map(jnp.copy, state.versions))
        return self._trainer.step(kept, images, labels).params

    def _drawn(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Images and labels of the sample, by batch. Epochs that no run has number the samples."""
        size = self.sample * self._plan.batch_size
        rows = order(len(self._dataset.train_labels), self._plan.seed, (1 << 32) + step)[:size]
        images, labels = self._dataset.train_images[rows], self._dataset.train_labels[rows]
        return tuple(part.reshape(self.sample, self._plan.batch_size, *part.shape[1:]) for part in (images, labels))  # pyright: ignore[reportReturnType]

    def _sharpness(self, state: State, few: Any) -> float | None:
        def product(direction: Any) -> Any:
            return self._product(state.params, state.rest, few, direction)[1]

        try:
            return sharpness(product, self._start, tolerance=_TOLERANCE, vectors=_VECTORS)
        except ArpackError:  # the method ends without a value, as where the Hessian is 0
            return None

    def _loss(self, rest: Any) -> Loss:
        return lambda params, batch: self._trainer.loss(params, (rest, *batch))

    def _hessian_product(self, params: Any, rest: Any, few: Any, direction: Array) -> tuple[Array, Array]:
        gradient, product = hessian_product(self._loss(rest), params, few, self._tree(direction))
        return _flat(gradient), _flat(product)

    def _mean_loss(self, params: Any, rest: Any, few: Any) -> Array:
        return mean_loss(self._loss(rest), params, few)

    def _with_batch(self, so_far: Descent, params: Any, rest: Any, opt_state: Any, batch: Any) -> Descent:
        value, gradient = jax.value_and_grad(self._loss(rest))(params, batch)
        update, _ = self._trainer.optimizer.update(gradient, opt_state, params)
        return so_far.with_batch(value, _flat(gradient), _flat(update))


def _flat(tree: Any) -> Array:
    return ravel_pytree(tree)[0]


@jax.jit
def _scalars(found: Moments, weights: Array, start: Array, last: Memory, population: float) -> dict[str, Array]:
    """Of a state's weights and their gradient."""
    gradient, size = norms(found.gradient), optax.tree.norm(start)
    return {
        "loss": found.loss,
        "gradient_squared": squared_norm(found, population),
        "gradient_l2": gradient.l2,
        "gradient_l1": gradient.l1,
        "gradient_linf": gradient.linf,
        "gradient_change": distance(found.gradient, last.gradient),
        "noise": noise(found, population),
        "mean_square": mean_square(found, population),
        "distance_from_start": distance(weights, start),
        "distance_from_last": distance(weights, last.weights),
        "weights_squared": optax.tree.norm(weights, squared=True),
        "projections": projections(weights, jnp.maximum(size, jnp.finfo(jnp.float32).tiny)),
    }


@partial(jax.jit, static_argnames="exact")
def _step_scalars(
    update: Array,
    slope: Array,
    product: Array,
    losses: tuple[Array, Array],
    of: Descent,
    population: float,
    *,
    exact: bool,
) -> dict[str, Array]:
    """Of one step; unless ``exact``, its descent is along the sample's gradient."""
    change = Change(_dot(slope, update), _dot(update, product) / 2)
    descent = of.mean(population) if exact else _dot(of.moments.gradient, update)
    return {
        "update_curvature": rayleigh_quotient(update, product),
        "update_size": optax.tree.norm(update),
        "descent": descent,
        "rise": change.second,
        "balance": balance(Change(descent, change.second)),
        "expected_change": change.expected,
        "measured_change": losses[1] - losses[0],
    }


@jax.jit
def _difference(after: Any, before: Any) -> Array:
    return _flat(optax.tree.sub(after, before))


_none, _vector, _curvature = jax.jit(Descent.none), jax.jit(_flat), jax.jit(rayleigh_quotient)


def _cycles(state: State) -> int:
    """As ``State.cycles``, without sums of counters, which are operations of the device each."""
    return sum(layer.forward.cycles + layer.backward.cycles for layer in state.counters.values())


def _dot(one: Any, other: Any) -> Array:
    return jnp.asarray(optax.tree.vdot(one, other))


_OF_A_STEP = ("update_curvature", "update_size", "descent", "rise", "balance", "expected_change", "measured_change")
_OF_TWO = ("gradient_change", "distance_from_last")


def _numbers(value: Array) -> Any:
    """Floats, or None for what JSON does not have: NaN and infinity."""
    numbers = np.asarray(value, float)
    if numbers.ndim:
        return [_numbers(number) for number in numbers]
    return float(numbers) if np.isfinite(numbers) else None
