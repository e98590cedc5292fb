"""Seeds of one configuration trained at once, by XLA: one scan under ``vmap``, with measurements on the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array, lax
from jaxtyping import Int32

from jaxgrad.base.errors import InputError
from jaxgrad.studies.dynamics.schema import SHUFFLED, DynamicsSection
from jaxgrad.training import losses, quantized
from jaxgrad.training.config import Config
from jaxgrad.training.data import Dataset, order
from jaxgrad.training.diagnostics import distance, expected_change, moments, noise
from jaxgrad.training.job import plain_model

_AT_ONCE = 2048  # examples whose gradient is computed in one piece


class Rows(NamedTuple):
    """A batch by the rows of its examples in the training set.

    Args:
        rows: which.
        counted: 1 for those that count, 0 for what fills a batch up.
    """

    rows: Array
    counted: Array


class Measured(NamedTuple):
    """What is measured, of each seed at each time.

    Args:
        loss: over all training examples.
        gradient: Euclidean norm of its gradient.
        noise: mean squared distance of a batch's gradient from it.
        descent: ``grad f . u``, the mean over batches of the update u that each would make.
        rise: ``u^T H u / 2``, likewise.
        moved: distance of the weights from where they were at the measurement before.
    """

    loss: Any
    gradient: Any
    noise: Any
    descent: Any
    rise: Any
    moved: Any


class Ensemble(NamedTuple):
    """What came out.

    Args:
        measured: each [seeds, times], before the first step and after every ``measure_every``.
        params: after the last step, each leaf with an axis of the seeds in front.
    """

    measured: Measured
    params: Any


def train(config: Config, dataset: Dataset, seeds: Sequence[int], section: DynamicsSection) -> Ensemble:
    """Trains and measures.

    Args:
        config: of one run, whatever its seed and its epochs.
        dataset: its data.
        seeds: of the weights and of the batches.
        section: how long, and what is measured.

    Raises:
        InputError: the model keeps more than parameters, or a batch is larger than the training set.
    """
    count, size = len(dataset.train_labels), config.data.batch_size
    if 2 * size > count:
        remedy = f"{dataset.name} has {count} training {dataset.examples}, give at most half of that"
        raise InputError("data.batch_size", size, remedy)
    models = [plain_model(_seeded(config, seed), dataset) for seed in seeds]
    graph, _, rest = nnx.split(models[0], nnx.Param, ...)
    if jax.tree.leaves(rest):
        raise InputError("model", config.model.name, "give one that keeps nothing but parameters, no statistics")
    params = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(nnx.state(model, nnx.Param) for model in models))
    rate = config.optimizer.rate(steps=section.steps, per_epoch=count // size)
    rules = quantized.rules(config.quantization, config.emulation_settings(), config.gradient_estimator())
    optimizer = quantized.optimizer(config.optimizer, rules, 0.0, rate)
    examples, labels = jnp.asarray(dataset.train_images), jnp.asarray(dataset.train_labels)
    of_labels = losses.smoothed(config.train.label_smoothing or 0.0)

    def loss(params: Any, batch: Rows) -> Array:
        model: Any = nnx.merge(graph, params, rest, copy=True)
        values = of_labels(model(examples[batch.rows]), labels[batch.rows])
        return jnp.sum(values.reshape(len(batch.rows), -1).mean(1) * batch.counted) / jnp.sum(batch.counted)

    everything, shares = _in_pieces(count)
    draws = min(section.batches, count // size) if section.sampling == SHUFFLED else section.batches
    population = count / size if section.sampling == SHUFFLED else np.inf

    def update_of(params: Any, state: Any, rows: Array) -> tuple[Any, Any]:
        gradient = jax.grad(loss)(params, Rows(rows, jnp.ones(len(rows))))
        return optimizer.update(gradient, state, params)

    def measure(before: Any, params: Any, state: Any, key: Array) -> Measured:
        full = moments(loss, params, everything, shares)
        if section.sampling == SHUFFLED:
            drawn = jax.random.permutation(key, count)[: draws * size].reshape(draws, size)
        else:
            drawn = jax.random.randint(key, (draws, size), 0, count)
        few = moments(loss, params, Rows(drawn, jnp.ones(drawn.shape)))

        def change(rows: Array) -> Any:
            return expected_change(loss, params, everything, update_of(params, state, rows)[0], shares)

        changes = lax.map(change, drawn)
        return Measured(
            loss=full.loss,
            gradient=optax.tree.norm(full.gradient),
            noise=noise(few, population),
            descent=changes.first.mean(),
            rise=changes.second.mean(),
            moved=distance(params, before),
        )

    def run(params: Any, rows: Array, key: Array) -> tuple[Any, Measured]:
        def part(carry: Any, now: tuple[Array, Array]) -> tuple[Any, Measured]:
            before, params, state = carry
            rows, key = now
            measured = measure(before, params, state, key)

            def step(carry: tuple[Any, Any], rows: Array) -> tuple[tuple[Any, Any], None]:
                params, state = carry
                updates, state = update_of(params, state, rows)
                return (optax.apply_updates(params, updates), state), None

            return (params, *lax.scan(step, (params, state), rows)[0]), measured

        keys = jax.random.split(key, len(rows))
        (last, *_), measured = lax.scan(part, (params, params, optimizer.init(params)), (rows, keys))
        return last, measured

    rows = jnp.asarray(np.stack([_rows(count, size, seed, section) for seed in seeds]))
    keys = jnp.stack([jax.random.key(seed) for seed in seeds])
    last, measured = jax.jit(jax.vmap(run))(params, rows, keys)
    return Ensemble(Measured(*(np.asarray(values, np.float64) for values in measured)), last)


def _seeded(config: Config, seed: int) -> Config:
    return config.model_copy(update={"train": config.train.model_copy(update={"seed": seed})})


def _in_pieces(count: int) -> tuple[Rows, Array]:
    """All rows, in batches of one size; and of each the share that counts."""
    size = min(count, _AT_ONCE)
    rows = np.arange(-(-count // size) * size).reshape(-1, size)
    counted = (rows < count).astype(np.float32)
    return Rows(jnp.asarray(np.minimum(rows, count - 1)), jnp.asarray(counted)), jnp.asarray(counted.mean(axis=1))


def _rows(count: int, size: int, seed: int, section: DynamicsSection) -> Int32[np.ndarray, "parts every size"]:
    """The batches of a run, in parts between measurements.

    A measurement comes before each part, so there is one part too many: what it changes is thrown away.
    """
    steps = section.steps + section.measure_every
    if section.sampling == SHUFFLED:
        per_epoch = count // size
        epochs = (order(count, seed, epoch)[: per_epoch * size] for epoch in range(-(-steps // per_epoch)))
        rows = np.concatenate([epoch.reshape(per_epoch, size) for epoch in epochs])[:steps]
    else:
        rows = np.random.Generator(np.random.PCG64(seed)).integers(0, count, (steps, size))
    return rows.astype(np.int32).reshape(-1, section.measure_every, size)
