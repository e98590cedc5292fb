"""The points of an experiment that trains: a run for each variant, setting, tuned value and seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxgrad.base.errors import InputError
from jaxgrad.studies.learning.configurations import Cell, configurations
from jaxgrad.studies.learning.identity import Inputs, placeless
from jaxgrad.studies.learning.outcomes import Outcome, train
from jaxgrad.studies.learning.schema import LearningExperiment
from jaxgrad.studies.store import Store
from jaxgrad.training.config import Config
from jaxgrad.training.job import Job, prepare

KIND = "learning"
"""Of the results in the store."""


@dataclass(frozen=True)
class Point:
    """A training run.

    Args:
        cell: the variant, the setting and the tuned value.
        config: of the run, its seed included.
        spec: all that decides the result, as plain data: the ``config`` without the places of its data and its network,
            a digest of the ``data`` themselves, ``at_steps``, and of the user's own network one of its files.
    """

    cell: Cell
    config: Config
    spec: Mapping[str, Any]

    @property
    def seed(self) -> int:
        return self.config.train.seed

    @property
    def label(self) -> str:
        """What it is called while it is trained."""
        return f"{self.cell.label}, seed {self.seed}"


def expand(experiment: LearningExperiment, file: Path, folder: Path | None = None) -> list[Point]:
    """All points of an experiment, checked: the data are there, and have the steps that are measured.

    Args:
        experiment: from ``file``.
        file: where it is from; the folder of data in it is relative to its own.
        folder: of the data, in place of the file's.

    Raises:
        InputError: a configuration will not do, or its data.
    """
    points = []
    inputs = Inputs(file, folder)
    for cell, config in configurations(experiment, file, folder).items():
        _check_steps(experiment, config, len(inputs.dataset(config).train_labels), file, cell)
        decided = inputs.decided(config, cell)
        for seed in experiment.seeds:
            seeded = config.model_copy(update={"train": config.train.model_copy(update={"seed": seed})})
            spec = {"config": placeless(seeded), **decided, "at_steps": sorted(experiment.at_steps)}
            points.append(Point(cell, seeded, spec))
    return points


def run(points: Sequence[Point], store: Store) -> Iterator[Outcome]:
    """Each point's outcome; a point that is done is on the disk before the next one begins.

    Points that differ by their seed alone, one after the other, share the compiled step.

    Raises:
        InputError: a point can't be trained; the message says which.
    """
    job: Job | None = None
    for point in points:
        kept = store.get(KIND, point.spec)
        if kept is None:
            try:
                if job is None or _unseeded(job.config) != _unseeded(point.config):
                    job = prepare(point.config)
                outcome = train(job.seeded(point.seed), point.spec["at_steps"])
            except InputError as error:
                raise error.within(point.label) from None
            kept = outcome.as_dict()
            store.put(KIND, point.spec, kept)
        yield Outcome.from_dict(kept)


def _unseeded(config: Config) -> Config:
    return config.model_copy(update={"train": config.train.model_copy(update={"seed": 0})})


def _check_steps(experiment: LearningExperiment, config: Config, images: int, file: Path, cell: Cell) -> None:
    """Refuses batches larger than the data, and steps after the last one."""
    if config.data.batch_size > images:
        remedy = f"{config.data.name} has {images} training images, give at most that"
        error = InputError("training.data.batch_size", config.data.batch_size, remedy)
        raise error.read_from(str(file)).within(cell.label)
    steps = config.train.epochs * (images // config.data.batch_size)
    if max(experiment.at_steps, default=0) > steps:
        remedy = f"give at most {steps}, as many as the run has"
        raise InputError("at_steps", max(experiment.at_steps), remedy).read_from(str(file)).within(cell.label)
