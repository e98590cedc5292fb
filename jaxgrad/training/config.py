"""The configuration of a training run: TOML in, overrides on top, one frozen record out."""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tomli_w
from pydantic import ValidationError, model_validator

import jaxgrad_models
from jaxgrad.array.emulation import FIDELITIES, FORWARDS, OBJECTIVES, WEIGHT_UPDATES, Emulation
from jaxgrad.base.literals import parse_text
from jaxgrad.base.schema import (
    Decay,
    Folder,
    Fraction,
    Rate,
    Section,
    Seed,
    Size,
    Switch,
    among,
    likeliest,
    one_of,
    read_toml,
    shown,
)
from jaxgrad.costs import TRAINING_SCHEDULES
from jaxgrad.hardware import Accelerator, Precision
from jaxgrad.training import data, optimizers

# What operands are rounded to as they enter the array: their own dtype, or one of these, sums always in fp32.
PRECISIONS: tuple[str, ...] = ("own", "fp32", "bf16", "fp16")


class ArraySection(Section):
    rows: Size = 16
    cols: Size = 16
    double_buffered: Switch = False


class EmulationSection(Section):
    schedule: Annotated[str, among(TRAINING_SCHEDULES)] = "interleaved"
    fidelity: Annotated[str, among(FIDELITIES)] = "native"
    forward: Annotated[str, among(FORWARDS)] = "ws"
    weight_update: Annotated[str, among(WEIGHT_UPDATES)] = "none"
    objective: Annotated[str, among(OBJECTIVES)] = "cycles"
    precision: Annotated[str, among(PRECISIONS)] = "own"


class ModelSection(Section):
    name: Annotated[str, among(tuple(jaxgrad_models.MODELS))] = "lenet"


class DataSection(Section):
    name: Annotated[str, among(data.NAMES)] = "digits"
    folder: Folder | None = None
    batch_size: Size = 32


class OptimizerSection(Section):
    """What an optimizer leaves to its default is filled in by name, so that the record of a run says all."""

    name: Annotated[str, among(optimizers.NAMES)] = "adam"
    learning_rate: Rate
    momentum: Fraction | None = None
    weight_decay: Decay | None = None
    decay: Annotated[str, among(optimizers.DECAYS)] = "cosine"

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        name = values.get("name", "adam")
        return {**optimizers.DEFAULTS[name], **values} if name in optimizers.NAMES else {"learning_rate": 1.0, **values}


class TrainSection(Section):
    epochs: Size = 20
    seed: Seed = 0
    checkpoint_every: Size = 200


class Config(Section):
    """All that decides a training run: two runs with equal configs on one machine end bit-equal."""

    array: ArraySection = ArraySection()
    emulation: EmulationSection = EmulationSection()
    model: ModelSection = ModelSection()
    data: DataSection = DataSection()
    optimizer: OptimizerSection = OptimizerSection.model_validate({})
    train: TrainSection = TrainSection()

    @model_validator(mode="after")
    def _can_run(self) -> Config:
        given, needed = self.optimizer, optimizers.DEFAULTS[self.optimizer.name]
        for key in ("momentum", "weight_decay"):
            if getattr(given, key) is not None and key not in needed:
                takers = [name for name in optimizers.NAMES if key in optimizers.DEFAULTS[name]]
                raise ValueError(
                    f"optimizer.{key}: got {getattr(given, key)!r}; {given.name} has none: leave it out or "
                    f"choose optimizer.name among {', '.join(takers)}"
                )
        if self.emulation.weight_update == "in_array":
            if self.emulation.schedule != "interleaved":
                raise ValueError(
                    f"emulation.weight_update: got 'in_array'; it needs emulation.schedule = 'interleaved' (here "
                    f"{self.emulation.schedule!r}), or choose 'separate' or 'none'"
                )
            if given.name != "sgd" or given.weight_decay:
                raise ValueError(
                    f"emulation.weight_update: got 'in_array'; it needs plain optimizer.name = 'sgd' without weight "
                    f"decay (here {given.name!r}), or choose 'separate' or 'none'"
                )
        return self

    def emulation_settings(self) -> Emulation:
        array = Accelerator(self.array.rows, self.array.cols, self.array.double_buffered)
        settings = self.emulation.model_dump()
        name = settings.pop("precision")
        return Emulation(array, **settings, precision=None if name == "own" else Precision.of(name))

    def to_toml(self) -> str:
        return tomli_w.dumps(_tree(self))


@dataclass(frozen=True)
class Override:
    """One value given on the command line: ``key`` such as ``array.rows``, its text, and what the user typed it as."""

    key: str
    text: str
    source: str


def resolve(file: Path | None = None, overrides: Sequence[Override] = (), *, base: Config | None = None) -> Config:
    """The configuration of ``file`` (or ``base``, or the defaults) with ``overrides`` on top, the last one winning.

    Raises:
        ValueError: a file that can't be read, a key that doesn't exist or a value that won't do, in one line.
    """
    tree = read_toml(file, "--config") if file else _tree(base) if base else {}
    sources = {
        f"{section}.{key}": f"{section}.{key} in {file}"
        for section, keys in tree.items()
        if isinstance(keys, dict)
        for key in keys
    }
    for override in overrides:
        section, key, value = _parse(override)
        if not isinstance(tree.setdefault(section, {}), dict):
            break  # a file with, say, `array = 3`: validation says so
        tree[section][key] = value
        sources[override.key] = override.source
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        raise ValueError(_one_line(error, sources)) from None


def differences(one: Config, other: Config) -> list[tuple[str, Any, Any]]:
    """(key, value in one, value in the other) of each key that differs; None for a value that is left out."""
    return [
        (f"{section}.{key}", value, getattr(getattr(other, section), key))
        for section in Config.model_fields
        for key, value in getattr(one, section).model_dump().items()
        if value != getattr(getattr(other, section), key)
    ]


def _tree(config: Config) -> dict[str, Any]:
    return config.model_dump(exclude_none=True)


def _parse(override: Override) -> tuple[str, str, Any]:
    section, _, key = override.key.partition(".")
    sections = Config.model_fields
    got = f"{override.source}: got {shown(override.text)}"
    if not key:
        raise ValueError(f"{got}; name a key by its section, such as array.rows=8")
    if section not in sections:
        raise ValueError(f"{got}; there is no such section; {one_of(sections)}{likeliest(section, list(sections))}")
    fields = typing.cast(type[Section], sections[section].annotation).model_fields
    if key not in fields:
        raise ValueError(f"{got}; there is no such key; {one_of(fields)}{likeliest(key, list(fields))}")
    annotation = fields[key].annotation
    kinds = [kind for kind in typing.get_args(annotation) or (annotation,) if kind is not type(None)]
    while typing.get_origin(kinds[0]) is Annotated:
        kinds = [typing.get_args(kinds[0])[0]]
    return section, key, parse_text(override.text, typing.cast(type, kinds[0]))


def _one_line(error: ValidationError, sources: Mapping[str, str]) -> str:
    detail = error.errors(include_url=False)[0]
    location = ".".join(str(part) for part in detail["loc"])
    message = detail["msg"].removeprefix("Value error, ")
    if not location:  # from Config itself: the message is whole
        field, colon, rest = message.partition(": ")
        return sources.get(field, field) + colon + rest
    section, _, key = location.partition(".")
    if detail["type"] == "extra_forbidden":
        parent = typing.cast(type[Section], Config.model_fields[section].annotation) if key else Config
        names = list(parent.model_fields)
        message = f"there is no such key; {one_of(names)}{likeliest(key or section, names)}"
    elif not key:
        message = f"give a table, [{section}]"
    return f"{sources.get(location, location)}: got {shown(detail['input'])}; {message}"
