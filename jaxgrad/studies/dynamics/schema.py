"""The TOML file of an experiment on the dynamics of training, read and checked as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from jaxgrad.base.errors import InputError, distinct, either
from jaxgrad.base.schema import Rate, Section, Seed, Size, among, otherwise, read_toml, validated
from jaxgrad.hardware.files import MachineSection
from jaxgrad.studies.learning.schema import LearningExperiment, Tree

REPLACEMENT, SHUFFLED = "replacement", "shuffled"
QUANTITIES: dict[str, str] = {"loss": "loss", "gradient": "|grad f|", "noise": "noise"}
"""What a claim may be about, and how tables write it."""

STATIONARY, BALANCED, RISES, FALLS = "stationary", "balanced", "rises", "falls"
_NEEDS: dict[str, tuple[str, ...]] = {
    STATIONARY: ("variant", "slope_falls", "gradient_varies"),
    BALANCED: ("variant", "at_least", "at_most"),
    RISES: ("variants", "quantity"),
    FALLS: ("variant", "quantity", "by"),
}
_FEWEST = 2  # batches, of which noise is the scatter; and windows, of which claims are comparisons


class DynamicsSection(Section):
    """What is measured.

    Args:
        steps: of each run.
        measure_every: steps between measurements; it divides ``steps``.
        batches: that a measurement draws, for the noise and for what a step changes.
        examples: how many of the training set are trained on, the first ones; all of them where it is left out.
        sampling: of a batch: ``replacement``, each example drawn independently of all others, as theory has it, or
            ``shuffled``, each once an epoch, as ``jaxgrad train`` does.
        windows: (first, last) steps of spans of the run, one after the other: claims are about means over them.
    """

    steps: Size
    measure_every: Size
    batches: Size = 8
    examples: Size | None = None
    sampling: Annotated[str, among((REPLACEMENT, SHUFFLED))] = REPLACEMENT
    windows: list[Annotated[list[int], Field(min_length=2, max_length=2), otherwise("give [first, last], of steps")]]

    @model_validator(mode="after")
    def _fits(self) -> DynamicsSection:
        if self.steps % self.measure_every:
            raise InputError("measure_every", self.measure_every, f"give a divisor of steps, {self.steps}")
        if self.batches < _FEWEST:
            raise InputError("batches", self.batches, f"give at least {_FEWEST}: noise is their scatter")
        if len(self.windows) < _FEWEST:
            problem = f"got {len(self.windows)}"
            raise InputError("windows", self.windows, f"give at least {_FEWEST}, to compare", problem=problem)
        before = 0
        for first, last in self.windows:
            if not before <= first or not first + 2 * self.measure_every <= last <= self.steps:
                remedy = f"give [first, last], one after the other, with two measurements each, up to {self.steps}"
                raise InputError("windows", [first, last], remedy)
            before = last
        return self


class VariantSection(Section):
    """What is trained.

    Args:
        name: of the variant.
        training: keys of a training run's configuration that it changes.
    """

    name: Annotated[str, Field(min_length=1)]
    training: Tree = Field(default_factory=dict)


class ClaimSection(Section):
    """What is claimed of means over seeds and windows.

    Args:
        name: the claim, as a sentence.
        kind: ``stationary``: from the first window to the last one the loss's slope falls by ``slope_falls``, and the
            greatest mean gradient norm of a window is at most ``gradient_varies`` times the least; ``balanced``: in
            every window but the first the balance is within ``at_least`` and ``at_most``; ``rises``: the plateau of a
            quantity, its mean over all windows but the first, is higher from each of the ``variants`` to the next;
            ``falls``: a quantity falls by a factor of at least ``by`` from the first window to the last one.
        variant: of which.
        variants: of which, where it is of several, in order.
        slope_falls: the factor by which the loss's slope falls at least.
        gradient_varies: the greatest ratio of the gradient's norms.
        at_least: the least balance.
        at_most: the greatest balance.
        by: the factor by which a quantity falls at least.
        quantity: one of ``QUANTITIES``.
        reference: what was found elsewhere, in words.
    """

    name: Annotated[str, Field(min_length=1)]
    kind: Annotated[str, among(tuple(_NEEDS))]
    variant: str | None = None
    variants: list[str] | None = None
    quantity: Annotated[str, among(tuple(QUANTITIES))] | None = None
    slope_falls: Rate | None = None
    gradient_varies: Rate | None = None
    at_least: Rate | None = None
    at_most: Rate | None = None
    by: Rate | None = None
    reference: str = ""

    @model_validator(mode="after")
    def _says_what_it_needs(self) -> ClaimSection:
        said = self.model_dump(exclude={"name", "kind", "reference"}, exclude_none=True)
        needed = _NEEDS[self.kind]
        for key in needed:
            if key not in said:
                raise InputError(key, None, f"a claim of kind {self.kind!r} needs one", problem="got none")
        for key, value in said.items():
            if key not in needed:
                remedy = f"a claim of kind {self.kind!r} has {either(needed, 'and')}: leave it out"
                raise InputError(key, value, remedy)
        if self.variants is not None and len(self.variants) < _FEWEST:
            raise InputError("variants", self.variants, f"give at least {_FEWEST}, to compare")
        return self

    @property
    def about(self) -> list[str]:
        """The variants that it is about."""
        return [self.variant] if self.variant is not None else list(self.variants or ())


class DynamicsExperiment(Section):
    """An experiment's file.

    Args:
        title: what it is, in a line; printed, as are the next two.
        question: what it asks.
        notes: what it assumes, a text each.
        training: a training run's configuration, where all variants start from.
        machine: what a step is costed on; the configuration's array alone without it.
        seeds: of weights and batches; all are trained at once.
    """

    title: str
    question: str = ""
    notes: list[str] = Field(default_factory=list)
    dynamics: DynamicsSection
    training: Tree = Field(default_factory=dict)
    machine: MachineSection | None = None
    variant: Annotated[list[VariantSection], Field(min_length=1)]
    seeds: Annotated[list[Seed], Field(min_length=1)] = Field(default_factory=lambda: [0])
    claim: list[ClaimSection] = Field(default_factory=list)

    @model_validator(mode="after")
    def _fits(self) -> DynamicsExperiment:
        names = [variant.name for variant in self.variant]
        distinct("variant.name", names)
        distinct("seeds", self.seeds)
        for number, claim in enumerate(self.claim):
            _check_known(f"claim.{number}", claim.about, names)
        return self

    @property
    def trained(self) -> LearningExperiment:
        """The variants as those of an experiment that trains, whose configurations theirs are."""
        variants = [variant.model_dump() for variant in self.variant]
        return LearningExperiment.model_validate(
            {"title": self.title, "baseline": variants[0]["name"], "training": self.training, "variant": variants}
        )


def load(file: Path) -> DynamicsExperiment:
    """The experiment in a file; what is in its configurations is checked by ``points.expand``.

    Raises:
        InputError: the file can't be read, or a key or value in it is not valid.
    """
    return validated(DynamicsExperiment, read_toml(file, "CONFIG"), str(file))


def _check_known(key: str, about: Sequence[str], names: Sequence[str]) -> None:
    for name in about:
        if name not in names:
            raise InputError(key, name, f"give {either(map(repr, names))}, the names of variants")
