"""Run folders as they are found: what was asked for, how far it is, and whether it can go on. Reading needs no JAX."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxgrad.base.errors import InputError
from jaxgrad.base.locks import is_taken
from jaxgrad.training.patience import LOSS, MEASURES, Patience
from jaxgrad.training.runs import CONFIG, METRICS, STOPPED

TRAINING, DIVERGED, FINISHED, CAN_GO_ON = "training", "diverged", "finished", "can go on"
STATES: tuple[str, ...] = (TRAINING, DIVERGED, FINISHED, CAN_GO_ON)
_READ = (
    ("model", "name"),
    ("data", "name"),
    ("emulation", "schedule"),
    ("emulation", "fidelity"),
    ("train", "epochs"),
)
_TAIL = 1 << 16  # bytes of a log in which its last line is

Settings = Mapping[str, Mapping[str, Any]]
"""A configuration: values by key, by section."""


@dataclass(frozen=True)
class RunFolder:
    """A run as its folder tells it.

    Args:
        folder: of the run.
        model: its name.
        data: name of the data, or the path of one's own.
        schedule: of the backward pass.
        fidelity: at which it is emulated.
        epochs: that it is asked for.
        last: the last line of its log; None before the first epoch's end.
        state: one of ``STATES``; only one that is being trained is so although it may be finished or diverged too.
        changed: when an epoch last ended, or it began; seconds since 1970.
    """

    folder: Path
    model: str
    data: str
    schedule: str
    fidelity: str
    epochs: int
    last: Mapping[str, Any] | None
    state: str
    changed: float

    @property
    def done(self) -> int:
        """Epochs in the log."""
        return self.last["epoch"] if self.last else 0

    @property
    def test_accuracy(self) -> float | None:
        return self.last.get("test_accuracy") if self.last else None

    @property
    def cycles(self) -> int | None:
        """Of all epochs in the log, forward and backward."""
        return self.last.get("cycles") if self.last else None


def is_run(folder: Path) -> bool:
    return (folder / CONFIG).is_file()


def read(folder: Path) -> RunFolder:
    """The run in a folder.

    Raises:
        InputError: a file of it is not what a run writes.
    """
    settings, log = settings_of(folder), folder / METRICS
    try:
        model, data, schedule, fidelity, epochs = (settings[section][key] for section, key in _READ)
    except KeyError as error:
        raise _broken(folder / CONFIG, f"has no {error.args[0]}") from None
    except TypeError:
        raise _broken(folder / CONFIG, "has values where tables belong") from None
    if not isinstance(epochs, int):
        raise _broken(folder / CONFIG, f"has train.epochs = {epochs!r}")
    last = _last_record(log)
    changed = (log if last else folder / CONFIG).stat().st_mtime
    state = _state(folder, last, epochs, settings)
    return RunFolder(folder, str(model), str(data), str(schedule), str(fidelity), epochs, last, state, changed)


def settings_of(folder: Path) -> Settings:
    """The configuration of the run in a folder; a key that has no value is left out.

    Raises:
        InputError: it can't be read.
    """
    file = folder / CONFIG
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:  # of TOML, and of UTF-8
        raise _broken(file, f"can't be read: {error}") from None


def records_of(folder: Path) -> list[dict[str, Any]]:
    """The whole lines of a run's log, one an epoch.

    Raises:
        InputError: one is not what a run writes.
    """
    log = folder / METRICS
    lines = log.read_bytes().split(b"\n")[:-1] if log.exists() else []
    return [_record(log, line, f"line {number}") for number, line in enumerate(lines, 1)]


def listed(parent: Path) -> tuple[list[RunFolder], list[InputError]]:
    """The runs in a folder, or the one that the folder is, the one that changed last first; and what is broken.

    Args:
        parent: its own folders are looked at, and not theirs; what is no run is passed over.
    """
    found, broken = [], []
    for folder in [parent] if is_run(parent) else sorted(path for path in parent.iterdir() if is_run(path)):
        try:
            found.append(read(folder))
        except InputError as error:
            broken.append(error)
    return sorted(found, key=lambda run: run.changed, reverse=True), broken


def _state(folder: Path, last: Mapping[str, Any] | None, epochs: int, settings: Settings) -> str:
    if is_taken(folder):
        return TRAINING
    losses = [last.get(name, 0.0) for name in ("train_loss", "test_loss")] if last else []
    if None in losses or (folder / STOPPED).is_file():
        return DIVERGED
    if last is None:
        return CAN_GO_ON
    return FINISHED if last["epoch"] >= epochs or _is_out_of_patience(folder, settings) else CAN_GO_ON


def _is_out_of_patience(folder: Path, settings: Settings) -> bool:
    epochs, measure = settings["train"].get("patience"), settings["train"].get("patience_for", LOSS)
    if not isinstance(epochs, int) or measure not in MEASURES:
        return False
    try:
        return Patience(epochs, measure).is_over(records_of(folder))
    except KeyError as error:
        raise _broken(folder / METRICS, f"has a line without {error.args[0]}") from None


def _last_record(log: Path) -> dict[str, Any] | None:
    """The last whole line of a log; one that a killed process has begun is none."""
    try:
        with log.open("rb") as file:
            file.seek(-min(log.stat().st_size, _TAIL), 2)
            lines = file.read().split(b"\n")[:-1]
    except FileNotFoundError:
        return None
    return _record(log, lines[-1], "last line") if lines else None


def _record(log: Path, line: bytes, place: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError:
        raise _broken(log, f"has a {place} that is no JSON") from None
    if not isinstance(record, dict) or not isinstance(record.get("epoch"), int):
        raise _broken(log, f"has a {place} that is of no epoch")
    return record


def _broken(file: Path, problem: str) -> InputError:
    return InputError(str(file), None, "restore the file, or move the run away", problem=" ".join(problem.split()))
