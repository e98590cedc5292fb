"""A configuration made into something that trains: the one recipe for the command line and for experiments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
from flax import nnx

from jaxgrad.array.counts import CYCLES
from jaxgrad.array.emulation import Emulation
from jaxgrad.array.pace import register_seconds
from jaxgrad.autodiff import LayerCounters
from jaxgrad.autodiff.estimators import Estimator
from jaxgrad.base.errors import InputError
from jaxgrad.costs import BASELINES, StepCost, step_cost
from jaxgrad.flax import Rule, put_on_array, step_gemms_and_masks, step_work
from jaxgrad.networks.names import short
from jaxgrad.networks.network import resolve
from jaxgrad.pipelines import versions
from jaxgrad.programs import LayerGemm, ReluMask
from jaxgrad.training import data, initial, loop, losses, machines, processes, quantized, runs
from jaxgrad.training.checkpoints import Checkpoints
from jaxgrad.training.config import Config
from jaxgrad.training.delays import Delays, planned
from jaxgrad.training.devices import Layout
from jaxgrad.training.divergence import Diverged
from jaxgrad.training.loop import Plan
from jaxgrad.training.step import Trainer, trainer
from jaxgrad.transform.rules import Rules
from jaxgrad_models.errors import BuildError


@dataclass(frozen=True)
class Job:
    """Everything that a run needs, made before anything is written; ``on_machine`` is one step, where there is one."""

    config: Config
    emulation: Emulation
    dataset: data.Dataset
    plan: Plan
    trainer: Trainer
    layers: tuple[LayerGemm, ...]
    delays: Delays | None = None
    masks: tuple[ReluMask, ...] = ()
    on_machine: StepCost | None = None
    layout: Layout | None = None

    @property
    def title(self) -> str:
        array, model = self.emulation.array, short(self.config.model.name)
        return f"{model} on {data.short(self.config.data.name)}, {array.rows}x{array.cols} array"

    @property
    def pipeline(self) -> dict[str, Any] | None:
        """The pipeline's settings, each layer's delay, and the words of weights that it keeps; None without one."""
        if self.delays is None:
            return None
        initial = self.trainer.initial
        if initial.versions is None:
            words = sum(leaf.size for leaf in jax.tree.leaves(initial.params))
        else:
            words = versions.words(initial.versions, self.delays.weights)
        settings = self.config.pipeline.model_dump(exclude_none=True)
        return {**settings, "delays": dict(self.delays.layers), "weight_words": words}

    def estimator(self, path: str) -> Estimator:
        """Of a layer's product and gradients, by its path."""
        return Rules.of(_rules(self.config)).estimator(path)

    def seeded(self, seed: int) -> Job:
        """The same run from another seed, by the same compiled step."""
        config = self.config.model_copy(update={"train": self.config.train.model_copy(update={"seed": seed})})
        initial = self.trainer.start(_model(config, self.dataset))
        plan, trainer = replace(self.plan, seed=seed), replace(self.trainer, initial=initial)
        return replace(self, config=config, plan=plan, trainer=trainer)

    def register_seconds(self, done: int) -> float:
        """About how long the steps after the first ``done`` take at register fidelity, with the evaluations.

        Args:
            done: steps done before.
        """
        schedule = self.emulation.schedule
        cost = step_cost(self.layers, self.emulation, [schedule], estimator=self.estimator)
        forward, backward = cost.total_forward()[CYCLES], cost.total(schedule.name)[CYCLES]
        per_epoch = self.plan.steps_per_epoch(self.dataset)
        steps = self.plan.epochs * per_epoch - done
        tested = (self.plan.epochs - done // per_epoch) * len(self.dataset.test_labels)
        forwards, array = steps * forward + forward * tested // self.plan.batch_size, self.emulation.array
        return register_seconds(forwards, array) + register_seconds(steps * backward, array, schedule)


def prepare(config: Config, layout: Layout | None = None) -> Job:
    """Data loaded, model built and traced, optimizer made.

    Args:
        config: of the run.
        layout: over several devices; None for one, whatever the configuration says of devices.

    Raises:
        ValueError: the data can't be read, or they do not go together.
    """
    emulation = config.emulation_settings()
    dataset = config.data.load()
    augment = tuple(config.data.augment or ())
    section = config.train
    plan = Plan(
        config.data.batch_size, section.epochs, section.seed, section.checkpoint_every, augment, section.stopping()
    )
    per_epoch = plan.steps_per_epoch(dataset)
    config.diagnostics.check_run(plan.batch_size, per_epoch, several=processes.several())
    images, labels = next(data.batches(dataset, plan.batch_size, plan.seed, 0))
    model = _model(config, dataset)
    rate = config.optimizer.rate(steps=plan.epochs * per_epoch, per_epoch=per_epoch)
    plan = replace(plan, rate=rate)
    optimizer = quantized.optimizer(config.optimizer, _rules(config), config.quantization.blend or 0.0, rate)
    layers, masks = step_gemms_and_masks(model, images)
    delays = _delays(config, emulation, model, images)
    loss = losses.smoothed(config.train.label_smoothing or 0.0)
    build = partial(trainer, model, optimizer, images, labels, delays, loss, config.train.precision())
    training = build() if layout is None else layout.spread(build(layout.keep))
    job = Job(config, emulation, dataset, plan, training, tuple(layers), delays, tuple(masks), layout=layout)
    return replace(job, on_machine=_on_machine(job, model, images, optimizer))


def _rules(config: Config) -> list[Rule]:
    return quantized.rules(config.quantization, config.emulation_settings(), config.gradient_estimator())


def plain_model(config: Config, dataset: data.Dataset) -> nnx.Module:
    """The model before it is put on the array, its weights from the run's seed."""
    network, rngs = resolve(config.model.name, "model.name"), nnx.Rngs(config.train.seed)
    try:
        return network.build(
            input_shape=dataset.input_shape, classes=dataset.classes, rngs=rngs, **config.model.options()
        )
    except BuildError as error:
        if error.field != "input_shape":
            raise
        sizes = "x".join(map(str, dataset.input_shape))
        problem = f"got {network.name!r} for {dataset.examples} of {sizes}"
        raise InputError("model.name", config.model.name, error.remedy, problem=problem) from None


def _model(config: Config, dataset: data.Dataset) -> nnx.Module:
    """The model on the array, its weights from the run's seed, or from the run that it begins with."""
    model = plain_model(config, dataset)
    if precision := config.train.precision():
        precision.set_in(model)
    model = put_on_array(model, _rules(config), rngs=nnx.Rngs(estimator=config.train.seed))
    if config.train.init is not None:
        initial.take(model, Path(config.train.init))
    return model


def compared(config: Config) -> tuple[str, ...]:
    """The run's schedule, and those that its costs are compared with."""
    schedule = config.emulation.schedule
    return schedule, *(name for name in BASELINES if name != schedule)


def _on_machine(job: Job, model: nnx.Module, images: Any, optimizer: Any) -> StepCost | None:
    section = job.config.machine
    if section is None:
        return None
    vector = step_work(model, images, optimizer=optimizer).vector if section.vector_lanes else ()
    settings = {"vector_work": vector, "masks": job.masks, "estimator": job.estimator}
    return machines.one_step(section, job.layers, job.emulation, compared(job.config), **settings)


def _delays(config: Config, emulation: Emulation, model: nnx.Module, images: Any) -> Delays | None:
    section = config.pipeline
    if section.name is None:
        return None
    graph = step_work(model, images).graph
    settings = section.model_dump(exclude={"name"}, exclude_none=True)
    return planned(graph, emulation, config.data.batch_size, section.name, **settings)


def train_whole(config: Config, folder: Path) -> tuple[tuple[LayerGemm, ...], Mapping[str, LayerCounters]]:
    """Trains from the first step to the last: the layers, and what each counted.

    Args:
        config: what to train.
        folder: where the run goes, empty.

    Raises:
        InputError: the loss diverges.
    """
    job = prepare(config)
    run = runs.create(folder / "run", config.to_toml())
    with Checkpoints(run.checkpoints, config.settings()) as checkpoints:
        state = job.trainer.initial
        try:
            for now in loop.fit(job.trainer, state, job.dataset, job.plan, run, checkpoints):
                state = now.state
        except Diverged as stop:
            raise InputError("training", None, "", problem=str(stop)) from None
    return job.layers, state.counters
