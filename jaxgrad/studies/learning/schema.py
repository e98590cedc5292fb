"""The TOML file of an experiment that trains, read and checked as a whole.

It says how a training run begins (``[training]``, as ``jaxgrad train --config`` takes it), what each *variant* changes,
and in which *settings* (two learning rates, say) the variants are compared with each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from jaxgrad.base.errors import InputError, distinct, either
from jaxgrad.base.json_schema import Changes
from jaxgrad.base.schema import (
    AtLeastZero,
    Section,
    Seed,
    Size,
    Switch,
    among,
    otherwise,
    read_toml,
    validated,
)
from jaxgrad.studies.sections import Name
from jaxgrad.training.config import Config

Quantity = Literal["train_loss", "test_accuracy"]
QUANTITIES: dict[Quantity, str] = {"train_loss": "training loss", "test_accuracy": "test accuracy [%]"}
"""What a published figure may be of, and what reports call it."""

Value = bool | int | float | str
Grid = Annotated[list[Value], Field(min_length=2), otherwise("give two values or more, numbers or texts")]
Tree = Annotated[dict[str, Any], Changes(Config)]
"""Sections of a training run's configuration, by name."""


class SettingSection(Section):
    """A setting in which variants are compared.

    Args:
        name: what reports call it.
        training: what it changes of the file's ``[training]``.
    """

    name: Name
    training: Tree = Field(default_factory=dict)


_ONLY = SettingSection.model_construct(name="", training={})
"""The setting of a file that names none."""


class VariantSection(Section):
    """One way of training.

    Args:
        name: what reports call it.
        training: what it changes of the file's ``[training]``, and of the setting's.
        settings: the names of those in which it is trained; by default all.
    """

    name: Name
    training: Tree = Field(default_factory=dict)
    settings: list[str] | None = None


class PublishedSection(Section):
    """A figure to compare with: the mean over the seeds.

    Args:
        variant: whose it is.
        setting: in which; it can be left out where there is one setting alone.
        quantity: one of ``QUANTITIES``.
        step: after which; by default the last one.
        value: the figure, accuracies in %.
        diverges: whether it says instead that training diverges.
        source: paper and place.
        assumption: what differs between the source and this experiment and could account for a deviation.
    """

    variant: str
    setting: str = ""
    quantity: Annotated[Quantity, among(tuple(QUANTITIES))] = "test_accuracy"
    step: Size | None = None
    value: AtLeastZero | None = None
    diverges: Switch = False
    source: str
    assumption: str = ""

    @model_validator(mode="after")
    def _says_one_thing(self) -> PublishedSection:
        if (self.value is None) != self.diverges:
            problem = "got none" if self.value is None else f"got {self.value:g} with diverges = true"
            raise InputError("value", self.value, "give a value, or diverges = true", problem=problem)
        return self

    @property
    def origin(self) -> str:
        """Its source, and what could account for a deviation."""
        return self.source + (f". Could account for a deviation: {self.assumption}" if self.assumption else "")


class LearningExperiment(Section):
    """An experiment's file.

    Args:
        title: what it is, in a line; printed, as are the next two.
        question: what it asks.
        notes: what it assumes, a text each.
        baseline: the variant that the others are compared with, in each setting.
        training: where all variants start from.
        seeds: each point is trained once for each; of weights and of the order of images.
        at_steps: after which steps loss and accuracy are measured; always at the end.
        tune: a key of the configuration, such as ``optimizer.learning_rate``, and its grid: each variant takes the
            value with the least training loss at the end, the mean over the seeds.
    """

    title: str
    question: str = ""
    notes: list[str] = Field(default_factory=list)
    baseline: str
    training: Tree = Field(default_factory=dict)
    setting: Annotated[list[SettingSection], Field(min_length=1)] = Field(default_factory=lambda: [_ONLY])
    variant: Annotated[list[VariantSection], Field(min_length=1)]
    seeds: Annotated[list[Seed], Field(min_length=1)] = Field(default_factory=lambda: [0])
    at_steps: list[Size] = Field(default_factory=list)
    tune: dict[str, Grid] = Field(default_factory=dict)
    published: list[PublishedSection] = Field(default_factory=list)

    @model_validator(mode="after")
    def _fits(self) -> LearningExperiment:
        variants = {variant.name: self.settings_of(variant) for variant in self.variant}
        settings = [setting.name for setting in self.setting]
        distinct("variant.name", [variant.name for variant in self.variant])
        distinct("setting.name", settings)
        distinct("seeds", self.seeds)
        distinct("at_steps", self.at_steps)
        for key, values in self.tune.items():
            distinct(f"tune.{key}", values)
        if len(self.tune) > 1:
            raise InputError("tune", list(self.tune), "give one key and its grid", problem=f"got {len(self.tune)} keys")
        _check_known("baseline", self.baseline, list(variants), "variants")
        for variant, in_settings in variants.items():
            for setting in in_settings:
                _check_known("variant.settings", setting, settings, "settings")
            distinct("variant.settings", in_settings)
            missing = next((setting for setting in in_settings if setting not in variants[self.baseline]), None)
            if missing is not None:
                problem = f"got {self.baseline!r}, which is not in setting {missing!r}, where {variant!r} is"
                raise InputError("baseline", self.baseline, "have it in all settings", problem=problem)
        for figure in self.published:
            _check_known("published.variant", figure.variant, list(variants), "variants")
            setting = self.setting_of(figure)
            _check_known("published.setting", setting, variants[figure.variant], "the variant's settings")
            if figure.step is not None and figure.step not in self.at_steps:
                raise InputError("published.step", figure.step, "give one that is in at_steps, or none for the end")
        return self

    def settings_of(self, variant: VariantSection) -> list[str]:
        """The names of the settings that a variant is trained in."""
        return [setting.name for setting in self.setting] if variant.settings is None else variant.settings

    def setting_of(self, figure: PublishedSection) -> str:
        """The name of the setting that a published figure is of."""
        return self.setting[0].name if len(self.setting) == 1 and not figure.setting else figure.setting

    @property
    def tuned(self) -> str | None:
        """The key that is tuned."""
        return next(iter(self.tune), None)


def load(file: Path) -> LearningExperiment:
    """The experiment in a file; what is in its configurations is checked by ``configurations``.

    Raises:
        InputError: the file can't be read, or a key or value in it is not valid.
    """
    return validated(LearningExperiment, read_toml(file, "CONFIG"), str(file))


def _check_known(key: str, name: str, names: Sequence[str], kind: str) -> None:
    if name not in names:
        raise InputError(key, name, f"give one of {either(map(repr, names))}, the names of {kind}")
