"""Which command a TOML file is of: one of another command is named as such, and not by the first key that it lacks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jaxgrad.base.errors import InputError
from jaxgrad.base.schema import read_toml


class Kind(NamedTuple):
    """Files of one kind.

    Args:
        name: what they are.
        commands: that take them, as the user types these.
        holds: whether the content of a file is one's.
    """

    name: str
    commands: tuple[str, ...]
    holds: Callable[[Mapping[str, Any]], bool]


_TRAINING_TABLES = {
    "array",
    "emulation",
    "model",
    "data",
    "optimizer",
    "train",
    "pipeline",
    "estimator",
    "quantization",
    "machine",
    "diagnostics",
    "devices",
}

CONTROL = Kind("an experiment with a control problem", ("jaxgrad run",), lambda tree: "control" in tree)
DYNAMICS = Kind("an experiment on the dynamics of training", ("jaxgrad run",), lambda tree: "dynamics" in tree)
DESIGN_SPACE = Kind("a design space", ("jaxgrad sweep", "jaxgrad search"), lambda tree: "space" in tree)
EXPERIMENT = Kind("an experiment", ("jaxgrad run",), lambda tree: "variant" in tree or "extends" in tree)
LEARNING = Kind("an experiment that trains", ("jaxgrad run",), lambda tree: "training" in tree)
PIPELINES = Kind("an experiment with pipelines", ("jaxgrad run",), lambda tree: "pipelines" in tree)
MEMORY = Kind("an experiment on memory", ("jaxgrad run",), lambda tree: "memory" in tree)
TRAINING = Kind(
    "a training run's configuration",
    ("jaxgrad train --config",),
    lambda tree: bool(tree) and tree.keys() <= _TRAINING_TABLES,
)
_KINDS = (CONTROL, DESIGN_SPACE, DYNAMICS, LEARNING, PIPELINES, MEMORY, EXPERIMENT, TRAINING)


def check(file: Path, option: str, *wanted: Kind) -> Kind:
    """The kind of a command's file; a file of another command is refused.

    What is of no kind counts as of the first one that is wanted, and the command says what it lacks.

    Args:
        file: a TOML file.
        option: what the user gave it as.
        wanted: the command's own kinds.

    Raises:
        InputError: it is of another kind, or can't be read.
    """
    tree = read_toml(file, option)
    kind = next((kind for kind in _KINDS if kind.holds(tree)), wanted[0])
    if kind not in wanted:
        remedy = " or ".join(f"{command} {file}" for command in kind.commands)
        raise InputError(option, file, remedy, problem=f"got {str(file)!r}, which is {kind.name}")
    return kind
