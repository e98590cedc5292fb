"""The run directory: its place, its configuration and its log, each written so that a kill leaves no half of it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from jaxgrad.base.errors import InputError
from jaxgrad.base.files import check_folder, clear_partial, write_text

CONFIG = "config.toml"
METRICS = "metrics.jsonl"
COUNTERS = "counters.json"
CHECKPOINTS = "checkpoints"


@dataclass(frozen=True)
class Run:
    """A run directory that exists and holds its configuration."""

    folder: Path

    @property
    def checkpoints(self) -> Path:
        return self.folder / CHECKPOINTS

    def config(self) -> str:
        return (self.folder / CONFIG).read_text(encoding="utf-8")

    def metrics(self) -> list[dict[str, Any]]:
        """The log, one record an epoch."""
        log = self.folder / METRICS
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def metrics_length(self) -> int:
        """The log's length in bytes."""
        log = self.folder / METRICS
        return log.stat().st_size if log.exists() else 0

    def append_metrics(self, record: Mapping[str, Any]) -> int:
        """Adds one line to the log and returns the log's length in bytes, on the disk when this returns."""
        with (self.folder / METRICS).open("a", encoding="utf-8") as log:
            log.write(json.dumps(record) + "\n")
            log.flush()
            os.fsync(log.fileno())
            return log.tell()

    def truncate_metrics(self, length: int) -> None:
        """Cuts the log back to its first ``length`` bytes, where a checkpoint left it.

        Raises:
            ValueError: the log is shorter than that.
        """
        log = self.folder / METRICS
        size = self.metrics_length()
        if size < length:
            raise InputError(
                str(log), size, f"the checkpoint was taken at {length}: restore the file", problem=f"got {size} bytes"
            )
        if size > length:
            os.truncate(log, length)

    def write_json(self, name: str, content: Any) -> Path:
        """Writes a JSON file whole or not at all."""
        return write_text(self.folder / name, json.dumps(content, indent=1) + "\n")


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
    """The run in ``folder``, less what a process that was killed left half-written.

    Raises:
        ValueError: there is none.
    """
    if not (folder / CONFIG).is_file():
        raise InputError("--resume", folder, f"there is no run in it: give the folder of one ({CONFIG} would be in it)")
    clear_partial(folder)
    return Run(folder)


def _not_made(folder: Path, error: OSError) -> InputError:
    return InputError("--out", folder, f"give a folder that can be made ({error.strerror})")
