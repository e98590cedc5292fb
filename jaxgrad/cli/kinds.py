"""Which command a TOML file is of: one of another command is named as such, and not by the first key that it lacks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jaxgrad.base.errors import InputError
from jaxgrad.base.schema import read_toml


class Kind(NamedTuple):
    """Files of one kind.

    Args:
        name: what they are.
        commands: that take them, as the user types these.
        keys: at the top of a file, of which one tells that it is of this kind.
        no_others: whether it has no other keys than these.
    """

    name: str
    commands: tuple[str, ...]
    keys: tuple[str, ...]
    no_others: bool = False

    def holds(self, tree: Mapping[str, Any]) -> bool:
        """Whether the content of a file is one's."""
        if self.no_others:
            return bool(tree) and tree.keys() <= set(self.keys)
        return not tree.keys().isdisjoint(self.keys)


_TRAINING_TABLES = (
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
)

CONTROL = Kind("an experiment with a control problem", ("jaxgrad run",), ("control",))
DYNAMICS = Kind("an experiment on the dynamics of training", ("jaxgrad run",), ("dynamics",))
DESIGN_SPACE = Kind("a design space", ("jaxgrad sweep", "jaxgrad search"), ("space",))
EXPERIMENT = Kind("an experiment", ("jaxgrad run",), ("variant", "extends"))
LEARNING = Kind("an experiment that trains", ("jaxgrad run",), ("training",))
PIPELINES = Kind("an experiment with pipelines", ("jaxgrad run",), ("pipelines",))
MEMORY = Kind("an experiment on memory", ("jaxgrad run",), ("memory",))
TRAINING = Kind(
    "a training run's configuration",
    ("jaxgrad train --config",),
    _TRAINING_TABLES,
    no_others=True,
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
