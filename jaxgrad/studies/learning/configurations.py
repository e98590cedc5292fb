"""The training run's configuration of each variant, setting and tuned value of an experiment, checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jaxgrad.base.errors import InputError
from jaxgrad.base.schema import validated
from jaxgrad.networks import sources
from jaxgrad.studies.learning.schema import LearningExperiment, Value
from jaxgrad.training import data
from jaxgrad.training.config import Config

_SEED = "train.seed"


class Cell(NamedTuple):
    """What is trained once for each seed.

    Args:
        variant, setting: their names in the file.
        value: of the key that is tuned; None where none is.
    """

    variant: str
    setting: str
    value: Value | None = None

    @property
    def label(self) -> str:
        """What it is called while it is trained."""
        return ", ".join(
            [self.variant, *filter(None, [self.setting]), *([] if self.value is None else [f"{self.value}"])]
        )


def configurations(experiment: LearningExperiment, file: Path, folder: Path | None = None) -> dict[Cell, Config]:
    """The configuration of each cell, whatever its seed, in the order of the file.

    Args:
        experiment: from ``file``.
        file: where it is from; the folder of data in it, and files of the user's own networks and data, are relative to
            its own.
        folder: of the data, in place of the file's.

    Raises:
        InputError: a configuration will not do; the message says which, and by which key of the file.
    """
    made = {}
    for number, variant in enumerate(experiment.variant):
        for place, setting in enumerate(experiment.setting):
            if setting.name not in experiment.settings_of(variant):
                continue
            changes = {
                "training": experiment.training,
                f"setting.{place}.training": setting.training,
                f"variant.{number}.training": variant.training,
            }
            for value in experiment.tune.get(experiment.tuned or "", [None]):
                cell = Cell(variant.name, setting.name, value)
                tuned = {} if value is None else {"tune": _nested(experiment.tuned or "", value)}
                made[cell] = _located(_configuration({**changes, **tuned}, file, cell), file, folder)
    if folder is not None and all(config.data.folder is None for config in made.values()):
        raise InputError("--folder", folder, "no variant trains on data from a folder: leave it out")
    return made


def _configuration(changes: Mapping[str, Mapping[str, Any]], file: Path, cell: Cell) -> Config:
    """All changes, one on top of the other.

    Args:
        changes: trees of sections, by the table of the file that each is from.
        file: where they are from.
        cell: which one it is, for messages.
    """
    origin = str(file)
    tree: dict[str, Any] = {}
    tables: dict[str, str] = {}  # the last table that has a section, or sets a key
    for table, sections in changes.items():
        for section, keys in sections.items():
            tables[section] = table
            if not isinstance(keys, dict) or not isinstance(tree.get(section, {}), dict):
                tree[section] = keys
                continue
            tree[section] = {**tree.get(section, {}), **keys}
            for key in keys:
                name = f"{section}.{key}"
                if table == "tune" and name in tables and tables[name].startswith("variant."):
                    remedy = f"[tune] gives {name} its values: leave one of the two out"
                    raise InputError(f"{tables[name]}.{name}", changes[tables[name]][section][key], remedy).read_from(
                        origin
                    )
                tables[name] = table
    if _SEED in tables:
        seed = tree["train"]["seed"]
        raise InputError(f"{tables[_SEED]}.{_SEED}", seed, "leave it out: seeds says which").read_from(origin)
    said = tree.get("data")
    # Before it is checked, and not by `_located`: a folder of images has to be there.
    if isinstance(said, dict) and isinstance(said.get("name"), str):
        tree["data"] = {**said, "name": data.located(said["name"], file.parent)}
    try:
        config = validated(Config, tree)
        if config.train.patience is not None:
            remedy = "leave it out: runs that are compared train for as many epochs"
            raise InputError("train.patience", config.train.patience, remedy)
        return config
    except InputError as error:
        table = tables.get(error.field) or tables.get(error.field.split(".")[0]) or "training"
        raise error.under(table).read_from(origin).within(cell.label) from None


def _located(config: Config, file: Path, folder: Path | None) -> Config:
    """The same with the place of the user's own network, and of its data, where it needs one."""
    name = sources.located(config.model.name, file.parent)
    config = config.model_copy(update={"model": config.model.model_copy(update={"name": name})})
    place = config.data.folder if folder is None else str(folder)
    if place is None or (folder is not None and config.data.name not in data.IN_FOLDERS):
        return config
    place = str(file.parent / place) if folder is None else place
    return config.model_copy(update={"data": config.data.model_copy(update={"folder": place})})


def _nested(key: str, value: Any) -> dict[str, Any]:
    section, _, name = key.partition(".")
    return {section: {name: value}} if name else {section: value}
