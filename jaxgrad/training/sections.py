"""The sections that every training run has: array, emulation, model, data, optimizer, and how long it trains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import model_validator

import jaxgrad_models
from jaxgrad.array.emulation import FIDELITIES, WEIGHT_UPDATES
from jaxgrad.array.forwards import FORWARDS
from jaxgrad.array.schedules import ARRAY_OBJECTIVES
from jaxgrad.base.errors import InputError, either
from jaxgrad.base.schema import (
    Decay,
    Folder,
    Fraction,
    Rate,
    Section,
    Seed,
    Size,
    Sizes,
    Switch,
    among,
    checked,
)
from jaxgrad.costs import TRAINING_SCHEDULES
from jaxgrad.training import data, defaults, optimizers
from jaxgrad.training.data import augmentation
from jaxgrad_models import initializers

# What operands are rounded to as they enter the array: their own dtype, or one of these, sums always in fp32.
PRECISIONS: tuple[str, ...] = ("own", "fp32", "bf16", "fp16")


class ArraySection(Section):
    rows: Size = defaults.ROWS
    cols: Size = defaults.COLS
    double_buffered: Switch = defaults.DOUBLE_BUFFERED


class EmulationSection(Section):
    schedule: Annotated[str, among(TRAINING_SCHEDULES)] = defaults.SCHEDULE
    fidelity: Annotated[str, among(FIDELITIES)] = defaults.FIDELITY
    forward: Annotated[str, among(FORWARDS)] = defaults.FORWARD
    weight_update: Annotated[str, among(WEIGHT_UPDATES)] = defaults.WEIGHT_UPDATE
    objective: Annotated[str, among(ARRAY_OBJECTIVES)] = defaults.OBJECTIVE
    precision: Annotated[str, among(PRECISIONS)] = defaults.PRECISION


class ModelSection(Section):
    """A model, and the options of its constructor; what is left out is the constructor's own."""

    name: Annotated[str, among(tuple(jaxgrad_models.MODELS))] = defaults.MODEL
    hidden: Sizes | None = None
    batch_norm: Switch | None = None
    kernel_init: Annotated[str, among(initializers.NAMES)] | None = None

    def options(self) -> dict[str, Any]:
        """What the constructor takes by keyword."""
        return self.model_dump(exclude={"name"}, exclude_none=True)

    def check(self) -> None:
        """Raises InputError where the model does not have such an option."""
        possible = jaxgrad_models.options_of(self.name) if self.options() else ()
        for key, value in self.options().items():
            if key not in possible:
                takers = [repr(name) for name in jaxgrad_models.MODELS if key in jaxgrad_models.options_of(name)]
                remedy = f"{self.name} has none: leave it out or choose model.name = {either(takers)}"
                raise InputError(f"model.{key}", value, remedy)


class DataSection(Section):
    name: Annotated[str, checked(data.check)] = defaults.DATA
    folder: Folder | None = None
    batch_size: Size = defaults.BATCH_SIZE
    standardised: Switch | None = None
    augment: Annotated[list[str], checked(augmentation.check)] | None = None


class OptimizerSection(Section):
    """What an optimizer leaves to its default is filled in by name, so that the record of a run says all."""

    name: Annotated[str, among(optimizers.NAMES)] = defaults.OPTIMIZER
    learning_rate: Rate
    momentum: Fraction | None = None
    weight_decay: Decay | None = None
    decay: Annotated[str, among(optimizers.DECAYS)] = defaults.DECAY

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        name = values.get("name", defaults.OPTIMIZER)
        return {**optimizers.DEFAULTS[name], **values} if name in optimizers.NAMES else {"learning_rate": 1.0, **values}


class TrainSection(Section):
    epochs: Size = defaults.EPOCHS
    seed: Seed = defaults.SEED
    checkpoint_every: Size = defaults.CHECKPOINT_EVERY
    init: Folder | None = None
