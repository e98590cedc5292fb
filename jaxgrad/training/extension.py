"""A run that is extended: trained to more epochs than it was asked for, and the record of where that was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from jaxgrad.base.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from jaxgrad.training.runs import Run

EPOCHS = "train.epochs"
"""The one key of a configuration that may change as a run goes on: to more."""

EXTENSIONS = "extensions.json"


class Extension(NamedTuple):
    """Where a run was extended.

    Args:
        step: steps done until then.
        epochs: that the run was asked for until then, to which its learning rate decayed.
    """

    step: int
    epochs: int


def by_key(settings: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A configuration's values by key with its section.

    >>> by_key({"train": {"epochs": 3, "seed": 0}})
    {'train.epochs': 3, 'train.seed': 0}
    """
    return {f"{section}.{key}": value for section, values in settings.items() for key, value in values.items()}


def extends(key: str, value: Any, earlier: Any) -> bool:
    """Whether a key of the configuration that changes from ``earlier`` to ``value`` extends a run.

    >>> extends("train.epochs", 30, 10), extends("train.epochs", 5, 10), extends("train.seed", 30, 10)
    (True, False, False)
    """
    return key == EPOCHS and isinstance(value, int) and isinstance(earlier, int) and value > earlier


def extensions(folder: Path) -> list[Extension]:
    """Of the run in a folder, in the order of steps; empty if it was trained as it was first asked for.

    Raises:
        InputError: the file is not what a run writes.
    """
    file = folder / EXTENSIONS
    if not file.exists():
        return []
    try:
        found = [Extension(**extension) for extension in json.loads(file.read_text(encoding="utf-8"))]
    except (ValueError, TypeError):  # of JSON and UTF-8, and of other keys
        found = None
    if found is None or not all(isinstance(number, int) for extension in found for number in extension):
        remedy = "restore the file, or move the run away"
        raise InputError(str(file), None, remedy, problem="is not what a run writes")
    return found


def record(run: Run, step: int, made_by: Mapping[str, Mapping[str, Any]], epochs: int) -> Extension | None:
    """Records that a run goes on to more epochs, if it does; to be called before it trains on.

    What later steps than ``step`` recorded is forgotten with them.

    Args:
        run: the run.
        step: of the checkpoint that it goes on from.
        made_by: the settings that the checkpoint was made by.
        epochs: that the run is asked for now.
    """
    kept = [extension for extension in extensions(run.folder) if extension.step < step]
    section, _, key = EPOCHS.partition(".")
    earlier = made_by[section][key]
    extension = Extension(step, earlier) if extends(EPOCHS, epochs, earlier) else None
    recorded = [*kept, *([extension] if extension else [])]
    if recorded != extensions(run.folder):
        run.write_json(EXTENSIONS, [extension._asdict() for extension in recorded])
    return extension
