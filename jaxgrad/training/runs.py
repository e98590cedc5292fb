"""The run directory: its place, its configuration and its log, each written so that a kill leaves no half of it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from jaxgrad.base.errors import InputError
from jaxgrad.base.files import check_folder, clear_partial, write_text
from jaxgrad.base.locks import alone
from jaxgrad.base.tabular import Records

CONFIG = "config.toml"
METRICS = "metrics.jsonl"
COUNTERS = "counters.json"
CHECKPOINTS = "checkpoints"
STOPPED = "stopped.json"
"""Why training stopped before its last epoch; gone as soon as it goes on."""


@dataclass(frozen=True)
class Run:
    """A run directory that exists and holds its configuration."""

    folder: Path

    @property
    def checkpoints(self) -> Path:
        return self.folder / CHECKPOINTS

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keeps other processes out of the run, and clears away what one that was killed left half-written.

        Raises:
            InputError: another process is at it.
        """
        with alone("--resume", self.folder):
            clear_partial(self.folder)
            yield

    def config(self) -> str:
        return (self.folder / CONFIG).read_text(encoding="utf-8")

    def write_config(self, config: str) -> None:
        """Writes the configuration of a run that is extended, in place of what it was, whole or not at all."""
        write_text(self.folder / CONFIG, config)

    def metrics(self) -> Records:
        """The log, one record an epoch."""
        log = self.folder / METRICS
        return Records(json.loads(line) for line in log.read_text().splitlines()) if log.exists() else Records()

    def append_metrics(self, record: Mapping[str, Any]) -> None:
        """Adds one line to the log, on the disk when this returns."""
        with (self.folder / METRICS).open("a", encoding="utf-8") as log:
            log.write(json.dumps(record) + "\n")
            log.flush()
            os.fsync(log.fileno())

    def metrics_mark(self) -> dict[str, Any]:
        """Where the log is now, for a checkpoint: its length in ``bytes`` and their ``sha256``."""
        return _mark(self._metrics_bytes())

    def rewind_metrics(self, mark: Mapping[str, Any]) -> None:
        """Cuts the log back to where it was at a checkpoint.

        Args:
            mark: by ``metrics_mark``, at the checkpoint.

        Raises:
            InputError: the log is shorter than it was, or is not what it was.
        """
        log, content, length = self.folder / METRICS, self._metrics_bytes(), mark["bytes"]
        if len(content) < length:
            remedy = f"the checkpoint was taken at {length}: restore the file"
            raise InputError(str(log), len(content), remedy, problem=f"got {len(content)} bytes")
        if _mark(content[:length]) != mark:
            remedy = "restore the file, or start a new run"
            raise InputError(str(log), None, remedy, problem="got other lines than the run wrote until its checkpoint")
        if len(content) > length:
            os.truncate(log, length)

    def _metrics_bytes(self) -> bytes:
        log = self.folder / METRICS
        return log.read_bytes() if log.exists() else b""

    def write_json(self, name: str, content: Any) -> Path:
        """Writes a JSON file whole or not at all."""
        return write_text(self.folder / name, json.dumps(content, indent=1) + "\n")


def _mark(content: bytes) -> dict[str, Any]:
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


START = _mark(b"")
"""The mark of a log in which nothing is yet."""


def check_vacant(path: str | Path) -> Path:
    """``path`` as that of a folder a new run can have; asked before any work is done.

    Raises:
        ValueError: it is not empty, or not a folder, or can't be made.
    """
    folder = check_folder("--out", path)
    if folder.is_dir() and any(folder.iterdir()):
        resume = f", or --resume {folder} to go on with the run in it" if (folder / CONFIG).is_file() else ""
        raise InputError(
            "--out", folder, f"give another folder{resume}", problem=f"got {str(folder)!r}, which is not empty"
        )
    return folder


def vacant(parent: Path, name: str) -> Path:
    """``parent/name-1``, or the first number that is free."""
    return next(path for number in count(1) if not (path := parent / f"{name}-{number}").exists())


def create_numbered(parent: Path, name: str, config: str) -> Run:
    """Makes a run in ``vacant(parent, name)``; of processes that ask at the same time each gets its own.

    Raises:
        ValueError: it can't be made.
    """
    while True:
        folder = vacant(parent, name)
        try:
            return create(folder, config)
        except InputError:
            if not folder.exists():
                raise


def create(folder: Path, config: str) -> Run:
    """Makes the run directory with its configuration in it, in one step: it never exists without.

    Raises:
        ValueError: the folder is taken or can't be made.
    """
    check_vacant(folder)
    try:
        folder.absolute().parent.mkdir(parents=True, exist_ok=True)
        partial = folder.absolute().with_name(f".{folder.absolute().name}-{os.getpid()}")
        partial.mkdir(exist_ok=True)
        try:
            (partial / CONFIG).write_text(config, encoding="utf-8")
            if folder.exists():
                folder.rmdir()
            partial.rename(folder)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
    except OSError as error:
        raise _not_made(folder, error) from None
    return Run(folder)


def create_folder(folder: Path) -> None:
    """Makes an empty folder for results that are no run.

    Raises:
        ValueError: it is taken or can't be made.
    """
    check_vacant(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_made(folder, error) from None


def reopen(folder: Path) -> Run:
    """The run in ``folder``.

    Raises:
        ValueError: there is none, or none that can go on: its checkpoints or a file of it can't be written.
    """
    if not (folder / CONFIG).is_file():
        raise InputError("--resume", folder, f"there is no run in it: give the folder of one ({CONFIG} would be in it)")
    for name, kind, is_kind in (
        (CHECKPOINTS, "folder", Path.is_dir),
        (METRICS, "file", Path.is_file),
        (COUNTERS, "file", Path.is_file),
    ):
        path = folder / name
        if path.exists() and not is_kind(path):
            raise InputError(str(path), path, "move it away", problem=f"got what is not a {kind}")
    return Run(folder)


def _not_made(folder: Path, error: OSError) -> InputError:
    return InputError("--out", folder, f"give a folder that can be made ({error.strerror})")
