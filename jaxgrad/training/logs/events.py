"""The log as TensorBoard reads it: event files, by tensorboardX, which needs no TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxgrad.training.extension import by_key
from jaxgrad.training.logs.base import Record, needed, numbers

NAME, PACKAGE = "tensorboard", "tensorboardX"
_FILES = "events.out.tfevents.*"
_METRICS = ("loss/test", "accuracy/test")  # beside the hyperparameters
_SPLITS = ("train", "test")
_FLUSH_S = 1  # tensorboardX writes in a thread of its own


class Events:
    """One event file, in a folder of its own; its steps are training steps.

    Args:
        folder: of the run.
        settings: the run's, shown as hyperparameters.

    Raises:
        InputError: tensorboardX is not installed.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Mapping[str, Any]]) -> None:
        self._package: Any = needed(PACKAGE, NAME)
        self._folder = folder / NAME
        self._settings = settings
        self._writer: Any = None

    def begin(self, records: Sequence[Record]) -> None:
        for earlier in self._folder.glob(_FILES):
            earlier.unlink()
        # A TensorBoard that is open and has read the earlier file drops what it has from step 0 on.
        self._writer = self._package.SummaryWriter(str(self._folder), purge_step=0, flush_secs=_FLUSH_S)
        parameters = {
            key: value if isinstance(value, int | float) else str(value)
            for key, value in by_key(self._settings).items()
            if value is not None
        }
        summary = needed(f"{PACKAGE}.summary", NAME)
        for part in summary.hparams(parameters, dict.fromkeys(_METRICS, 0.0)):
            self._writer.file_writer.add_summary(part)
        for record in records:
            self.add(record)

    def add(self, record: Record) -> None:
        for name, value in numbers(record).items():
            if name != "step":
                self._writer.add_scalar(_tag(name), value, global_step=record["step"])

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


def _tag(name: str) -> str:
    """The tag of a value: TensorBoard puts into one row what is the same before the stroke.

    >>> _tag("test_loss"), _tag("cycles")
    ('loss/test', 'cycles')
    """
    split, _, quantity = name.partition("_")
    return f"{quantity}/{split}" if split in _SPLITS else name
