"""The configuration of a training run: TOML in, overrides on top, one frozen record out."""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tomli_w
from pydantic import model_validator

import jaxgrad_models
from jaxgrad.array.emulation import FIDELITIES, WEIGHT_UPDATES, Emulation
from jaxgrad.array.forwards import FORWARDS
from jaxgrad.array.schedules import ARRAY_OBJECTIVES, IN_ARRAY
from jaxgrad.autodiff.estimators import EXACT, Estimator, rad
from jaxgrad.autodiff.estimators.rad import MODES
from jaxgrad.base.errors import InputError, choose, either
from jaxgrad.base.schema import (
    Bits,
    Blend,
    Decay,
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
    read_toml,
    validated,
)
from jaxgrad.costs import TRAINING_SCHEDULES
from jaxgrad.hardware import Accelerator, Precision
from jaxgrad.pipelines.network import TIMES
from jaxgrad.pipelines.pipeline import LEARNABLE
from jaxgrad.pipelines.versions import BETAS, STASHED, WEIGHTS
from jaxgrad.quantization import coarse
from jaxgrad.training import data, defaults, optimizers
from jaxgrad_models import initializers

# What operands are rounded to as they enter the array: their own dtype, or one of these, sums always in fp32.
PRECISIONS: tuple[str, ...] = ("own", "fp32", "bf16", "fp16")

ESTIMATORS: tuple[str, ...] = ("exact", "rad")


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
    standardised: Switch = False


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


class PipelineSection(Section):
    """A pipeline of arrays whose delays the run has; without a name there is none, and no other key."""

    name: Annotated[str, among(LEARNABLE)] | None = None
    processors: Size | None = None
    weights: Annotated[str, among(WEIGHTS)] | None = None
    beta: Annotated[str, among(tuple(BETAS))] | None = None
    time: Annotated[str, among(TIMES)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: Any) -> Any:
        if not isinstance(values, Mapping) or values.get("name") is None:
            return values
        filled = {"processors": defaults.PROCESSORS, "weights": defaults.WEIGHTS, "time": defaults.TIME, **values}
        return {"beta": defaults.BETA, **filled} if filled["weights"] == "ema" else filled

    def check(self, emulation: EmulationSection) -> None:
        """Raises InputError where its keys do not go together, or with what the array does."""
        if self.name is None:
            for key, value in self.model_dump(exclude_none=True).items():
                raise InputError(
                    f"pipeline.{key}", value, "there is no pipeline: set pipeline.name too, or leave it out"
                )
            return
        if self.beta is not None and self.weights != "ema":
            remedy = f"{self.weights!r} has none: leave it out or choose pipeline.weights = 'ema'"
            raise InputError("pipeline.beta", self.beta, remedy)
        if self.weights not in STASHED and (emulation.fidelity != "native" or emulation.precision != "own"):
            remedy = (
                "its backward pass is XLA's own: it needs emulation.fidelity = 'native' and precision = 'own' "
                f"(here {emulation.fidelity!r} and {emulation.precision!r}), or choose {either(map(repr, STASHED))}"
            )
            raise InputError("pipeline.weights", self.weights, remedy)
        if emulation.weight_update == "in_array":
            remedy = "under a pipeline the array holds older weights than those to update: choose 'separate' or 'none'"
            raise InputError("emulation.weight_update", "in_array", remedy)


class EstimatorSection(Section):
    """How the gradients of weights are computed; exactly where it has no name, or ``exact``, and no other key then."""

    name: Annotated[str, among(ESTIMATORS)] | None = None
    keep: Share | None = None
    mode: Annotated[str, among(MODES)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        if values.get("name") == "rad":
            return {"keep": defaults.KEEP, "mode": defaults.MODE, **values}
        return {key: value for key, value in values.items() if (key, value) != ("name", "exact")}

    @classmethod
    def of(cls, name: str | None, keep: float | None, mode: str | None) -> EstimatorSection:
        """From an option or a key each, whose own names errors have.

        Raises:
            InputError: they do not go together.
        """
        chosen = {"name": name, "keep": keep, "mode": mode}
        section = cls.model_validate({key: value for key, value in chosen.items() if value is not None})
        try:
            section.check(PipelineSection())
        except InputError as error:
            raise error.renamed(error.field.removeprefix("estimator.")) from None
        return section

    @property
    def suffix(self) -> str:
        """For the end of a title; empty where gradients are exact."""
        return f", {self.name} {self.keep:g} {self.mode}" if self.name else ""

    def built(self) -> Estimator:
        return EXACT if self.keep is None or self.mode is None else rad(self.keep, self.mode)

    def check(self, pipeline: PipelineSection) -> None:
        """Raises InputError where its keys do not go together, or with a pipeline."""
        if self.name is None:
            for key, value in self.model_dump(exclude_none=True).items():
                remedy = "exact gradients have none: set estimator.name = 'rad' too, or leave it out"
                raise InputError(f"estimator.{key}", value, remedy)
        elif pipeline.weights is not None and pipeline.weights not in STASHED:
            remedy = (
                f"under pipeline.weights = {pipeline.weights!r} the backward pass is XLA's own: leave it out, or "
                f"choose {either(map(repr, STASHED))}"
            )
            raise InputError("estimator.name", self.name, remedy)


class QuantizationSection(Section):
    """Layers of a few bits; without bits there are none, and no other key.

    ``layers`` and ``weights_only`` are patterns, separated by commas: of the layers that are quantised, and of those
    among them whose input is not, as an image's need not be.
    """

    weights_bits: Bits | None = None
    activations_bits: Bits | None = None
    blend: Blend | None = None
    by_input: Annotated[str, among(coarse.BY_INPUT)] | None = None
    by_resolution: Annotated[str, among(coarse.BY_RESOLUTION)] | None = None
    layers: str | None = None
    weights_only: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        filled: dict[str, Any] = {}
        if values.get("weights_bits") is not None:
            filled |= {"blend": defaults.BLEND, "layers": defaults.LAYERS}
        if values.get("activations_bits") is not None:
            names = {"by_input": coarse.CLIPPED_RELU.name, "by_resolution": coarse.THREE_VALUED.name}
            filled |= {"layers": defaults.LAYERS, **names}
        return {**filled, **values}

    @property
    def quantizes(self) -> bool:
        return self.weights_bits is not None or self.activations_bits is not None

    @property
    def patterns(self) -> list[str]:
        """Of the layers that are quantised."""
        return _patterns(self.layers)

    @property
    def weights_only_patterns(self) -> list[str]:
        """Of those whose input is not."""
        return _patterns(self.weights_only)

    def check(self, emulation: EmulationSection, pipeline: PipelineSection) -> None:
        """Raises InputError where its keys do not go together, or with what the array does."""
        of_weights, of_activations = ("blend", "weights_only"), ("by_input", "by_resolution")
        for keys, bits in ((of_weights, "weights_bits"), (of_activations, "activations_bits")):
            for key in keys:
                if getattr(self, key) is not None and getattr(self, bits) is None:
                    remedy = f"set quantization.{bits} too, or leave it out"
                    raise InputError(f"quantization.{key}", getattr(self, key), remedy)
        if not self.quantizes:
            if self.layers is not None:
                remedy = "set quantization.weights_bits or activations_bits too, or leave it out"
                raise InputError("quantization.layers", self.layers, remedy)
            return
        if not self.patterns:
            raise InputError("quantization.layers", self.layers, "give patterns of layers, separated by commas")
        if emulation.weight_update == "in_array":
            remedy = "quantised weights are updated as floats, which are not in the array: choose 'separate' or 'none'"
            raise InputError("emulation.weight_update", "in_array", remedy)
        if pipeline.weights is not None and pipeline.weights not in STASHED:
            remedy = f"its backward pass is XLA's own, of no few bits: choose {either(map(repr, STASHED))}"
            raise InputError("pipeline.weights", pipeline.weights, remedy)


def _patterns(text: str | None) -> list[str]:
    return [pattern.strip() for pattern in (text or "").split(",") if pattern.strip()]


class Config(Section):
    """All that decides a training run: two runs with equal configs on one machine end bit-equal."""

    array: ArraySection = ArraySection()
    emulation: EmulationSection = EmulationSection()
    model: ModelSection = ModelSection()
    data: DataSection = DataSection()
    optimizer: OptimizerSection = OptimizerSection.model_validate({})
    train: TrainSection = TrainSection()
    pipeline: PipelineSection = PipelineSection()
    estimator: EstimatorSection = EstimatorSection()
    quantization: QuantizationSection = QuantizationSection()

    @model_validator(mode="after")
    def _can_run(self) -> Config:
        optimizer, parameters = self.optimizer, optimizers.DEFAULTS[self.optimizer.name]
        for key in ("momentum", "weight_decay"):
            if getattr(optimizer, key) is not None and key not in parameters:
                takers = [name for name in optimizers.NAMES if key in optimizers.DEFAULTS[name]]
                raise InputError(
                    f"optimizer.{key}",
                    getattr(optimizer, key),
                    f"{optimizer.name} has none: leave it out or choose optimizer.name among {', '.join(takers)}",
                )
        if self.emulation.weight_update == "in_array":
            if self.emulation.schedule not in IN_ARRAY:
                raise InputError(
                    "emulation.weight_update",
                    "in_array",
                    f"it needs emulation.schedule = {either(map(repr, IN_ARRAY))} (here {self.emulation.schedule!r}), "
                    "or choose 'separate' or 'none'",
                )
            if optimizer.name != "sgd" or optimizer.weight_decay:
                raise InputError(
                    "emulation.weight_update",
                    "in_array",
                    f"it needs plain optimizer.name = 'sgd' without weight decay (here {optimizer.name!r}), or choose "
                    "'separate' or 'none'",
                )
        self.model.check()
        self.pipeline.check(self.emulation)
        self.estimator.check(self.pipeline)
        self.quantization.check(self.emulation, self.pipeline)
        return self

    def emulation_settings(self) -> Emulation:
        array = Accelerator(self.array.rows, self.array.cols, self.array.double_buffered)
        settings = self.emulation.model_dump()
        name = settings.pop("precision")
        return Emulation(array, **settings, precision=None if name == "own" else Precision.of(name))

    def gradient_estimator(self) -> Estimator:
        return self.estimator.built()

    def settings(self) -> dict[str, Any]:
        """What decides the run, as JSON has it: all but where the data are."""
        return self.model_dump(mode="json", exclude={"data": {"folder"}})

    def to_toml(self) -> str:
        return tomli_w.dumps(_tree(self))


@dataclass(frozen=True)
class Override:
    """One value given beside the file: ``key`` such as ``array.rows``, and what the user typed it as."""

    key: str
    value: Any
    source: str

    @classmethod
    def of_text(cls, key: str, text: str, source: str) -> Override:
        """From text, which becomes what the key holds; where it can't it stays text, to be refused by name.

        Raises:
            InputError: there is no such key.
        """
        holds = _kind(key, text, source)
        if holds is bool:
            return cls(key, {"true": True, "false": False}.get(text.strip().lower(), text), source)
        if typing.get_origin(holds) is list:
            try:
                return cls(key, [int(size) for size in text.split(",")], source)
            except ValueError:
                pass
        if holds in (int, float):
            try:
                return cls(key, holds(text), source)
            except ValueError:
                pass
        return cls(key, text, source)


def resolve(file: Path | None = None, overrides: Sequence[Override] = (), *, base: Config | None = None) -> Config:
    """The configuration of ``file`` (or ``base``, or the defaults) with ``overrides`` on top, the last one winning.

    Raises:
        InputError: a file that can't be read, a key that doesn't exist or a value that won't do.
    """
    tree = read_toml(file, "--config") if file else {}
    in_file = {f"{section}.{key}" for section, keys in tree.items() if isinstance(keys, dict) for key in keys}
    if base and not file:
        tree = _tree(base)
    sources: dict[str, str] = {}
    for override in overrides:
        section, _, key = override.key.partition(".")
        if not isinstance(tree.setdefault(section, {}), dict):
            break  # a file with, say, `array = 3`: validation says so
        tree[section][key] = override.value
        sources[override.key] = override.source
    try:
        return validated(Config, tree)
    except InputError as error:
        if error.field in sources:
            raise error.renamed(sources[error.field]) from None
        raise error.read_from(str(file)) if error.field in in_file else error from None


def differences(one: Config, other: Config) -> list[tuple[str, Any, Any]]:
    """(key, value in one, value in the other) of each key that differs; None for a value that is left out."""
    return [
        (f"{section}.{key}", value, getattr(getattr(other, section), key))
        for section in Config.model_fields
        for key, value in getattr(one, section).model_dump().items()
        if value != getattr(getattr(other, section), key)
    ]


def _tree(config: Config) -> dict[str, Any]:
    return {section: keys for section, keys in config.model_dump(exclude_none=True).items() if keys}


def _kind(key: str, text: str, source: str) -> type:
    """What a key of the configuration holds."""
    section, _, name = key.partition(".")
    if not name:
        raise InputError(source, text, "name a key by its section, such as array.rows=8")
    sections = Config.model_fields
    if section not in sections:
        raise InputError(source, text, f"there is no such section; {choose(list(sections), section)}")
    fields = typing.cast(type[Section], sections[section].annotation).model_fields
    if name not in fields:
        raise InputError(source, text, f"there is no such key; {choose(list(fields), name)}")
    annotation = fields[name].annotation
    kinds = [kind for kind in typing.get_args(annotation) or (annotation,) if kind is not type(None)]
    while typing.get_origin(kinds[0]) is Annotated:
        kinds = [typing.get_args(kinds[0])[0]]
    return typing.cast(type, kinds[0])
