"""The log as Weights & Biases keeps it, online or (``WANDB_MODE=offline``) in files of the run."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from jaxgrad.base.errors import InputError
from jaxgrad.training.logs.base import OPTION, Record, needed, numbers
from jaxgrad.training.runs import Run

NAME = PACKAGE = "wandb"
_PROJECT = "jaxgrad"
_ID = "wandb.json"


class WeightsAndBiases:
    """One run there for each run here, by an identity that is kept with it.

    Online it goes on where it was: its steps only grow, and what an epoch that is trained again gives is what it has.
    Offline each process has files of its own, with all epochs, under the same identity: whichever is synchronised last
    has the whole run.

    Args:
        run: the run.
        settings: its configuration.

    Raises:
        InputError: wandb is not installed.
    """

    def __init__(self, run: Run, settings: Mapping[str, Mapping[str, Any]]) -> None:
        self._package: Any = needed(PACKAGE, NAME)
        self._run, self._settings = run, settings
        self._there: Any = None

    def begin(self, records: Sequence[Record]) -> None:
        try:
            self._there = self._package.init(
                project=_PROJECT,
                name=self._run.folder.absolute().name,
                id=self._identity(),
                resume="allow",
                dir=str(self._run.folder),
                config=dict(self._settings),
                settings=self._package.Settings(console="off"),  # standard output is the progress bar's
            )
        except self._package.errors.Error as error:
            remedy = "log in (wandb login), or set WANDB_MODE=offline"
            raise InputError(OPTION, NAME, remedy, problem=f"got {NAME!r}, which says: {error}") from None
        for record in records:
            self.add(record)

    def add(self, record: Record) -> None:
        values = numbers(record)
        step = record["step"]
        if step >= self._there.step:  # the next one that it takes
            values.pop("step")
            self._there.log(values, step=step, commit=True)

    def close(self) -> None:
        if self._there is not None:
            self._there.finish()

    def _identity(self) -> str:
        file = self._run.folder / _ID
        if not file.exists():
            self._run.write_json(_ID, {"id": secrets.token_hex(8)})
        return json.loads(file.read_text(encoding="utf-8"))["id"]
