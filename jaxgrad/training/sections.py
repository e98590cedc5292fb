"""The sections that every training run has: array, emulation, model, data, optimizer, and how long it trains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import optax
from pydantic import model_validator

import jaxgrad_models
from jaxgrad.array.emulation import FIDELITIES, WEIGHT_UPDATES
from jaxgrad.array.forwards import FORWARDS
from jaxgrad.array.schedules import ARRAY_OBJECTIVES
from jaxgrad.base.errors import InputError, count_or_all, either
from jaxgrad.base.schema import (
    AtLeastZero,
    Blend,
    Folder,
    Fraction,
    Rate,
    Section,
    Seed,
    Share,
    Size,
    Sizes,
    Switch,
    among,
    checked,
)
from jaxgrad.costs import TRAINING_SCHEDULES
from jaxgrad.networks import names
from jaxgrad.networks.network import resolve
from jaxgrad.training import data, defaults, learning_rates, optimizers, spans
from jaxgrad.training.data import augmentation
from jaxgrad.training.mixed_precision import FORMATS, MixedPrecision
from jaxgrad.training.patience import LOSS, MEASURES, Patience
from jaxgrad_models import activations, initializers

# What operands are rounded to as they enter the array: their own dtype, one of these, or what the machine has for each
# (machines.PRECISION), sums always in fp32.
PRECISIONS: tuple[str, ...] = ("own", "fp32", "bf16", "fp16", "machine")


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

    name: Annotated[str, checked(names.check)] = defaults.MODEL
    hidden: Sizes | None = None
    batch_norm: Switch | None = None
    kernel_init: Annotated[str, among(initializers.NAMES)] | None = None
    activation: Annotated[str, among(activations.NAMES)] | None = None
    width: Size | None = None
    depth: Size | None = None
    heads: Size | None = None
    tied: Switch | None = None

    def options(self) -> dict[str, Any]:
        """What the constructor takes by keyword."""
        return self.model_dump(exclude={"name"}, exclude_none=True)

    def check(self) -> None:
        """Raises InputError where the model does not have such an option."""
        possible = resolve(self.name, "model.name").options if self.options() else ()
        for key, value in self.options().items():
            if key not in possible:
                takers = [repr(name) for name in jaxgrad_models.MODELS if key in resolve(name).options]
                remedy = f"{self.name} has none: leave it out or choose model.name = {either(takers)}"
                raise InputError(f"model.{key}", value, remedy)


class DataSection(Section):
    name: Annotated[str, checked(data.check)] = defaults.DATA
    folder: Folder | None = None
    batch_size: Size = defaults.BATCH_SIZE
    standardised: Switch | None = None
    augment: Annotated[list[str], checked(augmentation.check)] | None = None
    window: Size | None = None
    label_noise: Blend | None = None

    def check(self, model: str) -> None:
        """Raises InputError where its keys do not go together, or with one of the models there are."""
        reads_text, is_text = model in jaxgrad_models.TEXT, data.is_text(self.name)
        known_model, known_data = model in names.NAMES, is_text or self.name in data.NAMES
        if known_model and known_data and reads_text != is_text:
            readers = [name for name in jaxgrad_models.MODELS if (name in jaxgrad_models.TEXT) is is_text]
            wanted = "text: give 'text' or FILE.txt" if reads_text else "images: give some"
            remedy = f"{model} reads {wanted}, or choose model.name = {either(map(repr, readers))}"
            raise InputError("data.name", self.name, remedy)
        if is_text and self.standardised:
            raise InputError("data.standardised", True, "characters are not pixels: leave it out")
        if is_text and self.augment:
            raise InputError("data.augment", self.augment, "it is of images: leave it out")
        if not is_text and self.window is not None:
            raise InputError("data.window", self.window, f"{self.name} is no text: leave it out")

    def load(self) -> data.Dataset:
        """The data set.

        Raises:
            InputError: see ``data.load``.
        """
        return data.load(
            self.name,
            self.folder,
            standardised=bool(self.standardised),
            window=self.window,
            label_noise=self.label_noise,
        )


class OptimizerSection(Section):
    """What an optimizer leaves to its default is filled in by name, so that the record of a run says all."""

    name: Annotated[str, among(optimizers.NAMES)] = defaults.OPTIMIZER
    learning_rate: Rate
    momentum: Fraction | None = None
    weight_decay: AtLeastZero | None = None
    decay: Annotated[str, among(learning_rates.DECAYS)] = defaults.DECAY
    warmup: Annotated[str, checked(spans.span_text)] | None = None
    end_rate: AtLeastZero | None = None
    decay_factor: Share | None = None
    decay_at: Annotated[str, checked(spans.spans_text)] | None = None
    weight_decay_mask: str | None = None
    clip_norm: Rate | None = None

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        name = values.get("name", defaults.OPTIMIZER)
        filled = optimizers.DEFAULTS[name] if name in optimizers.NAMES else {"learning_rate": 1.0}
        decay = values.get("decay", defaults.DECAY)
        return {**filled, **(learning_rates.DEFAULTS.get(decay, {}) if isinstance(decay, str) else {}), **values}

    @model_validator(mode="after")
    def _go_together(self) -> OptimizerSection:
        learning_rates.check(self.learning_rate, self.decay, self.end_rate, self.decay_factor, self.decay_at)
        if self.weight_decay_mask is not None and "weight_decay" not in optimizers.DEFAULTS[self.name]:
            remedy = f"{self.name} has no weight decay: leave it out or choose another optimizer.name"
            raise InputError("weight_decay_mask", self.weight_decay_mask, remedy)
        return self

    def rate(self, *, steps: int, per_epoch: int) -> optax.ScalarOrSchedule:
        """The learning rate of a run of so many steps, as ``learning_rates.learning_rate`` says."""
        return learning_rates.learning_rate(
            self.learning_rate,
            self.decay,
            steps=steps,
            per_epoch=per_epoch,
            warmup=None if self.warmup is None else spans.Span.of("warmup", self.warmup),
            end_rate=self.end_rate,
            factor=self.decay_factor or 1.0,
            falls=[] if self.decay_at is None else spans.spans("decay_at", self.decay_at),
        )


class DevicesSection(Section):
    """Where a run computes. It decides rounding at most, so that a run goes on with other devices."""

    count: Annotated[int | str, checked(count_or_all)] | None = None
    shard_parameters: Switch | None = None

    def number(self) -> int | None:
        """Of devices; None for all."""
        return self.count if isinstance(self.count, int) else None


class TrainSection(Section):
    epochs: Size = defaults.EPOCHS
    seed: Seed = defaults.SEED
    checkpoint_every: Size = defaults.CHECKPOINT_EVERY
    init: Folder | None = None
    label_smoothing: Fraction | None = None
    patience: Size | None = None
    patience_for: Annotated[str, among(MEASURES)] | None = None
    mixed_precision: Annotated[str, among(tuple(FORMATS))] | None = None
    keep_checkpoints: Annotated[int | str, checked(count_or_all)] | None = None

    @model_validator(mode="after")
    def _go_together(self) -> TrainSection:
        if self.patience_for is not None and self.patience is None:
            raise InputError("patience_for", self.patience_for, "set train.patience too, or leave it out")
        return self

    def precision(self) -> MixedPrecision | None:
        """What is computed in halves; None where nothing is."""
        return None if self.mixed_precision is None else FORMATS[self.mixed_precision]

    def stopping(self) -> Patience | None:
        """When training stops early; None where it does not."""
        return None if self.patience is None else Patience(self.patience, self.patience_for or LOSS)
