"""The TOML file of an experiment with the control problem, read and checked as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from jaxgrad.base.errors import InputError
from jaxgrad.base.schema import Rate, Section, Seed, Share, Size, read_toml, validated
from jaxgrad.studies.control.problem import Problem

_STABLE = 0.25


class ControlSection(Section):
    """The equation and its grid, see ``problem.Problem``.

    Args:
        points: along each side of the square, its boundary included.
        steps_per_unit: time steps in a unit of time.
        horizon: units of time.
        diffusion: D, in squares of the side of the square a unit of time.
        harmonics: of the source, which has ``2 harmonics + 1`` coefficients.
        first: the first coefficient at the start; the others are 0.
    """

    points: Size
    steps_per_unit: Size
    horizon: Rate
    diffusion: Rate
    harmonics: Size
    first: float

    @property
    def problem(self) -> Problem:
        return Problem(**self.model_dump())

    @model_validator(mode="after")
    def _can_run(self) -> ControlSection:
        if self.points < 3:
            raise InputError("points", self.points, "give at least 3, or there is none inside of the boundary")
        if self.problem.steps < 1:
            raise InputError("horizon", self.horizon, f"give at least one step, {1 / self.steps_per_unit:g}")
        if self.problem.stability > _STABLE:
            least = 4 * self.diffusion * (self.points - 1) ** 2
            remedy = f"give at least {least:g}, or Euler's method diverges"
            raise InputError("steps_per_unit", self.steps_per_unit, remedy)
        return self


class DescentSection(Section):
    """How theta is found: by Adam.

    Args:
        iterations: of Adam, each a gradient of the whole simulation.
        learning_rate: its step.
        keep: the shares of stored values that are kept; a run each.
        seed: of what is drawn.
    """

    iterations: Size
    learning_rate: Rate
    keep: Annotated[list[Share], Field(min_length=1)]
    seed: Seed = 0

    @model_validator(mode="after")
    def _are_distinct(self) -> DescentSection:
        repeated = next((keep for keep in self.keep if self.keep.count(keep) > 1), None)
        if repeated is not None:
            raise InputError("keep", repeated, "give each once", problem=f"got {repeated:g} twice")
        return self


class ControlExperiment(Section):
    """An experiment's file.

    Args:
        title: what it is, in a line; printed, as are the next two.
        question: what it asks.
        notes: what it assumes, a text each.
    """

    title: str
    question: str = ""
    notes: list[str] = Field(default_factory=list)
    control: ControlSection
    descent: DescentSection


def load(file: Path) -> ControlExperiment:
    """The experiment in a file.

    Raises:
        InputError: the file can't be read, or a key or value in it is not valid.
    """
    return validated(ControlExperiment, read_toml(file, "CONFIG"), str(file))
