"""The configuration of a training run: TOML in, overrides on top, one frozen record out."""

from __future__ import annotations

import typing
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tomli_w
from pydantic import model_validator

from jaxgrad.array.emulation import Emulation
from jaxgrad.array.schedules import IN_ARRAY
from jaxgrad.autodiff.estimators import Estimator
from jaxgrad.base.errors import InputError, choose, either
from jaxgrad.base.schema import (
    Section,
    read_toml,
    validated,
)
from jaxgrad.hardware import Accelerator, Precision
from jaxgrad.hardware.files import MachineSection
from jaxgrad.pipelines.versions import STASHED
from jaxgrad.training import machines, optimizers
from jaxgrad.training.diagnostics_section import DiagnosticsSection
from jaxgrad.training.methods import EstimatorSection, PipelineSection, QuantizationSection
from jaxgrad.training.sections import (
    ArraySection,
    DataSection,
    DevicesSection,
    EmulationSection,
    ModelSection,
    OptimizerSection,
    TrainSection,
)


class Config(Section):
    """All that decides a training run: two runs with equal configs on one machine end bit-equal.

    Of one that was extended, ``training.extension`` records the rest.

    Args:
        machine: what the run is costed on; it has the array too, then ``[array]`` is left out.
    """

    array: ArraySection = ArraySection()
    emulation: EmulationSection = EmulationSection()
    model: ModelSection = ModelSection()
    data: DataSection = DataSection()
    optimizer: OptimizerSection = OptimizerSection.model_validate({})
    train: TrainSection = TrainSection()
    pipeline: PipelineSection = PipelineSection()
    estimator: EstimatorSection = EstimatorSection()
    quantization: QuantizationSection = QuantizationSection()
    diagnostics: DiagnosticsSection = DiagnosticsSection()
    machine: MachineSection | None = None
    devices: DevicesSection = DevicesSection()

    @model_validator(mode="before")
    @classmethod
    def _from_machine(cls, values: Any) -> Any:
        return machines.filled_in(values)

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
            for value, reason in (
                (optimizer.clip_norm, "updates a weight before all gradients are there"),
                (self.train.mixed_precision, "holds halves of the weights, not those in float32 that are updated"),
            ):
                if value is not None:
                    remedy = f"the array {reason}: choose 'separate' or 'none'"
                    raise InputError("emulation.weight_update", "in_array", remedy)
            if optimizer.name != "sgd" or optimizer.weight_decay:
                raise InputError(
                    "emulation.weight_update",
                    "in_array",
                    f"it needs plain optimizer.name = 'sgd' without weight decay (here {optimizer.name!r}), or choose "
                    "'separate' or 'none'",
                )
        self.model.check()
        self.data.check(self.model.name)
        self.pipeline.check(self.emulation)
        self.estimator.check(self.pipeline)
        self.quantization.check(self.emulation, self.pipeline)
        self._check_precision()
        machines.check(self.machine, self.emulation)
        self.diagnostics.check()
        return self

    def _check_precision(self) -> None:
        if self.train.mixed_precision is None:
            return
        for clashes, reason in (
            (self.quantization.quantizes, "layers of few bits have codes and scales of their own"),
            (
                self.pipeline.weights not in (None, *STASHED),
                f"under pipeline.weights = {self.pipeline.weights!r} the backward pass is XLA's own, in float32",
            ),
        ):
            if clashes:
                raise InputError("train.mixed_precision", self.train.mixed_precision, f"{reason}: leave it out")

    def emulation_settings(self) -> Emulation:
        array = Accelerator(self.array.rows, self.array.cols, self.array.double_buffered)
        settings = self.emulation.model_dump()
        name = settings.pop("precision")
        if name == machines.PRECISION and self.machine is not None:
            return Emulation(array, **settings, precision=self.machine.precision)
        return Emulation(array, **settings, precision=None if name == "own" else Precision.of(name))

    def gradient_estimator(self) -> Estimator:
        return self.estimator.built()

    def settings(self) -> dict[str, Any]:
        """What decides the run, as JSON has it: all but where the data are, and where it computes."""
        settings = self.model_dump(mode="json", exclude={"data": {"folder"}, "machine": True, "devices": True})
        return settings if self.machine is None else settings | {"machine": machines.flat(self.machine)}

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
        if any(override.key.startswith("machine.") for override in overrides):
            tree.pop("array", None)
    if file and "machine" in tree:
        tree["machine"] = machines.read(tree, file)
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
    sections = [name for name in Config.model_fields if name != "array" or one.machine is None]  # the machine has it
    return [
        (f"{section}.{key}", _keys(one, section).get(key), _keys(other, section).get(key))
        for section in sections
        for key in {**_keys(one, section), **_keys(other, section)}
        if _keys(one, section).get(key) != _keys(other, section).get(key)
    ]


def _keys(config: Config, section: str) -> dict[str, Any]:
    """The values of a section; of one that is left out none."""
    values = getattr(config, section)
    if isinstance(values, MachineSection):
        return machines.flat(values)
    return {} if values is None else values.model_dump()


def _tree(config: Config) -> dict[str, Any]:
    tree = {section: keys for section, keys in config.model_dump(exclude_none=True).items() if keys}
    return tree if config.machine is None else machines.written(tree, config.machine)


def _kind(key: str, text: str, source: str) -> type:
    """What a key of the configuration holds."""
    section, _, name = key.partition(".")
    if not name:
        raise InputError(source, text, "name a key by its section, such as array.rows=8")
    sections = Config.model_fields
    if section not in sections:
        raise InputError(source, text, f"there is no such section; {choose(list(sections), section)}")
    (model, *_) = typing.get_args(sections[section].annotation) or (sections[section].annotation,)
    fields = typing.cast(type[Section], model).model_fields
    if name not in fields:
        raise InputError(source, text, f"there is no such key; {choose(list(fields), name)}")
    annotation = fields[name].annotation
    kinds = [kind for kind in typing.get_args(annotation) or (annotation,) if kind is not type(None)]
    while typing.get_origin(kinds[0]) is Annotated:
        kinds = [typing.get_args(kinds[0])[0]]
    return typing.cast(type, kinds[0])
