"""What a training run of an experiment is, beside its settings: its data and its network's files, each read once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jaxgrad.base.errors import InputError
from jaxgrad.networks import entries
from jaxgrad.networks.names import NAMES
from jaxgrad.networks.network import resolve
from jaxgrad.studies.learning.configurations import Cell
from jaxgrad.training.config import Config
from jaxgrad.training.data import Dataset
from jaxgrad.training.sections import DataSection


def placeless(config: Config) -> dict[str, Any]:
    """A run's settings in which a file of the user's own network, or of data, is called by its name."""
    settings = config.settings()
    named = {key: {**settings[key], "name": Path(settings[key]["name"]).name} for key in ("model", "data")}
    return {**settings, **named}


class Inputs:
    """The data and the networks of an experiment's runs.

    Args:
        file: the experiment's.
        folder: of the data, in place of the file's; for messages.
    """

    def __init__(self, file: Path, folder: Path | None) -> None:
        self._file, self._folder = file, folder
        self._loaded: dict[DataSection, tuple[Dataset, str]] = {}

    def dataset(self, config: Config) -> Dataset:
        """What a run trains on.

        Raises:
            InputError: it is not there, or can't be read.
        """
        return self._read(config)[0]

    def decided(self, config: Config, cell: Cell) -> dict[str, str]:
        """As plain data, a digest of the ``data``, and of the user's own network a hash of its files; that is checked
        against the data.

        Raises:
            InputError: the network does not take them.
        """
        dataset, digest = self._read(config)
        return {"data": digest, **self._network(config, dataset, cell)}

    def _read(self, config: Config) -> tuple[Dataset, str]:
        place = config.data.model_copy(update={"batch_size": 1})  # of the keys alone that decide what the data are
        if place not in self._loaded:
            dataset = self._load(config)
            self._loaded[place] = dataset, dataset.digest
        return self._loaded[place]

    def _load(self, config: Config) -> Dataset:
        try:
            return config.data.load()
        except InputError as error:
            if error.field != "data folder":  # a file in it, which is named by its path
                raise
            if self._folder is None and config.data.folder is not None:
                raise error.renamed("training.data.folder").read_from(str(self._file)) from None
            raise error.renamed("--folder") from None

    def _network(self, config: Config, dataset: Dataset, cell: Cell) -> dict[str, str]:
        if config.model.name in NAMES:
            return {}
        try:
            network = resolve(config.model.name, "training.model.name")
            network.abstract(input_shape=dataset.input_shape, classes=dataset.classes, **config.model.options())
        except InputError as error:
            raise error.read_from(str(self._file)).within(cell.label) from None
        return entries.source(config.model.name, Path())
