"""The points of an experiment on the dynamics of training: a variant with all its seeds each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jaxgrad.base.errors import InputError
from jaxgrad.studies.dynamics import ensemble
from jaxgrad.studies.dynamics.ensemble import Measured
from jaxgrad.studies.dynamics.schema import DynamicsExperiment
from jaxgrad.studies.learning.configurations import configurations
from jaxgrad.studies.learning.identity import Inputs, placeless
from jaxgrad.studies.store import Store
from jaxgrad.training.config import Config
from jaxgrad.training.data import Dataset

KIND = "dynamics"
"""Of the results in the store."""


@dataclass(frozen=True)
class Point:
    """A variant.

    Args:
        name: its name.
        config: of its runs, whatever their seeds.
        dataset: what it trains on.
        experiment: what is measured.
        spec: all that decides the result, as plain data.
    """

    name: str
    config: Config
    dataset: Dataset
    experiment: DynamicsExperiment
    spec: Mapping[str, Any]

    @property
    def label(self) -> str:
        return self.name


def expand(experiment: DynamicsExperiment, file: Path, folder: Path | None = None) -> list[Point]:
    """All points of an experiment, checked.

    Args:
        experiment: from ``file``.
        file: where it is from; the folder of data in it is relative to its own.
        folder: of the data, in place of the file's.

    Raises:
        InputError: a configuration will not do, or its data.
    """
    points = []
    inputs = Inputs(file, folder)
    for cell, config in configurations(experiment.trained, file, folder).items():
        try:
            _check(config)
        except InputError as error:
            raise error.under("training").read_from(str(file)).within(cell.variant) from None
        dataset, decided = inputs.dataset(config), inputs.decided(config, cell)
        rows = slice(experiment.dynamics.examples)
        dataset = dataset._replace(train_images=dataset.train_images[rows], train_labels=dataset.train_labels[rows])
        measured = experiment.dynamics.model_dump(exclude={"windows"})
        spec = {"config": placeless(config), **decided, "seeds": experiment.seeds, **measured}
        points.append(Point(cell.variant, config, dataset, experiment, spec))
    return points


def run(points: Sequence[Point], store: Store) -> Iterator[Measured]:
    """Each point's measurements; a point that is done is on the disk before the next one begins.

    Raises:
        InputError: a point can't be trained; the message says which.
    """
    for kept in store.results(KIND, points, compute):
        yield Measured(*(np.asarray(values) for values in kept))


def compute(point: Point) -> list[list[list[float]]]:
    """A point's measurements as plain data.

    Raises:
        InputError: it can't be trained, or what is measured does not stay finite.
    """
    experiment = point.experiment
    trained = ensemble.train(point.config, point.dataset, experiment.seeds, experiment.dynamics)
    if not all(np.isfinite(values).all() for values in trained.measured):
        rate = point.config.optimizer.learning_rate
        problem = f"got {rate:g}, and what is measured is no finite number any more"
        raise InputError("optimizer.learning_rate", rate, "give a lower one", problem=problem)
    return [values.tolist() for values in trained.measured]


def _check(config: Config) -> None:
    """Refuses what a run by XLA alone, with exact gradients, does not do, and what it would not heed."""
    defaults = Config()
    for section in ("pipeline", "estimator", "quantization", "diagnostics", "machine"):
        if getattr(config, section) != getattr(defaults, section):
            raise InputError(section, None, "seeds are trained at once, by XLA: leave it out", problem="got one")
    emulation = config.emulation
    if emulation.fidelity != "native" or emulation.precision != "own":
        problem = f"got fidelity {emulation.fidelity!r} and precision {emulation.precision!r}"
        remedy = "seeds are trained at once, by XLA: leave both out"
        raise InputError("emulation", emulation.fidelity, remedy, problem=problem)
    for key in ("init", "patience", "mixed_precision"):
        if (value := getattr(config.train, key)) is not None:
            raise InputError(f"train.{key}", value, "seeds begin at random, in float32: leave it out")
    if config.data.augment:
        raise InputError("data.augment", config.data.augment, "gradients are of images as they are: leave it out")
    if config.train.epochs != defaults.train.epochs:
        raise InputError("train.epochs", config.train.epochs, "dynamics.steps says how long: leave it out")
