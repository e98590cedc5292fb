"""The sections that every training run has: array, emulation, model, data, optimizer, and how long it trains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import optax
from pydantic import Field, model_validator

import jaxgrad_models
from jaxgrad.array.emulation import FIDELITIES, WEIGHT_UPDATES
from jaxgrad.array.forwards import FORWARDS
from jaxgrad.array.schedules import ARRAY_OBJECTIVES
from jaxgrad.base.errors import InputError, either
from jaxgrad.base.schema import (
    AtLeastZero,
    Blend,
    CountOrAll,
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
from jaxgrad.networks.keys import NetworkName
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
    """The array.

    Args:
        rows, cols: PEs along a side.
        double_buffered: whether PEs have shadow registers, so that the next tile loads while this one computes.
    """

    rows: Size = defaults.ROWS
    cols: Size = defaults.COLS
    double_buffered: Switch = defaults.DOUBLE_BUFFERED


class EmulationSection(Section):
    """How the array computes.

    Args:
        schedule: of the gradients.
        fidelity: how far the emulation goes: each register of each PE, a matmul a tile, or XLA's own matmul with
            counts in closed form; counters are the same.
        forward: the dataflow of the forward pass.
        weight_update: where weights are updated, and whether that is counted.
        objective: what a schedule that chooses for each layer makes least.
        precision: what operands are rounded to as they enter the array, sums staying in fp32; ``own`` leaves them,
            ``machine`` takes the formats of ``[machine]``.
    """

    schedule: Annotated[str, among(TRAINING_SCHEDULES)] = defaults.SCHEDULE
    fidelity: Annotated[str, among(FIDELITIES)] = defaults.FIDELITY
    forward: Annotated[str, among(FORWARDS)] = defaults.FORWARD
    weight_update: Annotated[str, among(WEIGHT_UPDATES)] = defaults.WEIGHT_UPDATE
    objective: Annotated[str, among(ARRAY_OBJECTIVES)] = defaults.OBJECTIVE
    precision: Annotated[str, among(PRECISIONS)] = defaults.PRECISION


class ModelSection(Section):
    """A model, and the options of its constructor; what is left out is the constructor's own.

    Args:
        name: of the model, or the user's own: FILE.py:NAME, MODULE:NAME or FILE.onnx.
        hidden: widths of hidden layers.
        batch_norm: whether each hidden layer is normalised over the batch.
        kernel_init: how weights are drawn.
        activation: between layers.
        width: features of a block, or of a token.
        depth: number of blocks.
        heads: of attention, a block.
        tied: whether a language model's last layer has the weights of its first.
    """

    name: NetworkName = defaults.MODEL
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


_Data = Literal[*data.NAMES]  # pyright: ignore[reportInvalidTypeForm]  # values
_Augmentation = Literal[*augmentation.NAMES]  # pyright: ignore[reportInvalidTypeForm]  # values
_Augment = Annotated[list[_Augmentation], Field(min_length=1)] | str


class DataSection(Section):
    """What is trained on.

    Args:
        name: of the data set, or FILE.npz, a folder of images by class, FILE.py:NAME, or FILE.txt.
        folder: where the files of a named data set are.
        batch_size: images (or windows of a text) a step.
        standardised: whether each pixel is less its mean over the training images, divided by its deviation there.
        augment: how training images are altered.
        window: characters in a window of a text.
        label_noise: the share of training labels that are random.
    """

    name: Annotated[str, checked(data.check, _Data | str)] = defaults.DATA
    folder: Folder | None = None
    batch_size: Size = defaults.BATCH_SIZE
    standardised: Switch | None = None
    augment: Annotated[list[str], checked(augmentation.check, _Augment)] | None = None
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


_Span = Annotated[int, Field(ge=0)] | str


class OptimizerSection(Section):
    """How weights are updated.

    What an optimizer leaves to its default is filled in by name, so that the record of a run says all.

    Args:
        name: of the optimizer (optax).
        learning_rate: after any warm-up; by default the optimizer's own.
        momentum: share of the last step that is kept, where the optimizer has one.
        weight_decay: of a step, relative to the weight and times the learning rate.
        decay: the learning rate over the run.
        warmup: how long the learning rate rises from 0: steps, epochs (``5 epochs``) or a share of the run (``10%``).
        end_rate: the learning rate at the end.
        decay_factor: by what the learning rate is multiplied each time it falls, or over the whole run.
        decay_at: when the learning rate falls, in steps, epochs or shares of the run, with commas between.
        weight_decay_mask: the parameters that decay: all, kernels, or patterns of paths with commas between.
        clip_norm: the greatest norm of all gradients together; larger ones are scaled to it.
    """

    name: Annotated[str, among(optimizers.NAMES)] = defaults.OPTIMIZER
    learning_rate: Rate = Field(default_factory=lambda: optimizers.DEFAULTS[defaults.OPTIMIZER]["learning_rate"])
    momentum: Fraction | None = None
    weight_decay: AtLeastZero | None = None
    decay: Annotated[str, among(learning_rates.DECAYS)] = defaults.DECAY
    warmup: Annotated[str, checked(spans.span_text, _Span)] | None = None
    end_rate: AtLeastZero | None = None
    decay_factor: Share | None = None
    decay_at: Annotated[str, checked(spans.spans_text, _Span)] | None = None
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
    """Where a run computes. It decides rounding at most, so that a run goes on with other devices.

    Args:
        count: of devices, or all.
        shard_parameters: whether each device keeps a part of the parameters.
    """

    count: CountOrAll | None = None
    shard_parameters: Switch | None = None

    def number(self) -> int | None:
        """Of devices; None for all."""
        return self.count if isinstance(self.count, int) else None


class TrainSection(Section):
    """How long a run trains, and from where.

    Args:
        epochs: passes over the training data.
        seed: of weights and of the order of the data.
        checkpoint_every: steps between checkpoints.
        init: the folder of a run whose parameters training begins with.
        label_smoothing: the share of each label that is spread over all classes; test losses are of plain ones.
        patience: epochs without a better test after which training stops.
        patience_for: what of a test is to get better.
        mixed_precision: the format that the model computes in, while parameters are updated in float32.
        keep_checkpoints: how many of the last ones, or all.
    """

    epochs: Size = defaults.EPOCHS
    seed: Seed = defaults.SEED
    checkpoint_every: Size = defaults.CHECKPOINT_EVERY
    init: Folder | None = None
    label_smoothing: Fraction | None = None
    patience: Size | None = None
    patience_for: Annotated[str, among(MEASURES)] | None = None
    mixed_precision: Annotated[str, among(tuple(FORMATS))] | None = None
    keep_checkpoints: CountOrAll | None = None

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
