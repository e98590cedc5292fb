"""A folder for one process at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from jaxgrad.base.errors import InputError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_NAME = ".lock"


@contextmanager
def alone(field: str, folder: Path) -> Iterator[None]:
    """Keeps others that ask likewise out of ``folder``, which is made if need be, for as long as the block runs.

    The lock is the system's, and not the file that it is on: it is gone with the process that held it, however that
    ended. Where the system has none (Windows), nobody is kept out.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name, alone("--out", Path(name)):  # doctest: +ELLIPSIS
    ...     with alone("--out", Path(name)):
    ...         pass
    Traceback (most recent call last):
    jaxgrad.base.errors.InputError: --out: got '...', where process ... is at work; wait for its end, or stop it

    Args:
        field: the option that named the folder, for messages.
        folder: to be alone in.

    Raises:
        InputError: another process is in it, or another block of this one.
    """
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _NAME
    with _locked(field, path):
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
            if is_new:
                with suppress(OSError):  # not empty
                    folder.rmdir()


@contextmanager
def _locked(field: str, path: Path) -> Iterator[None]:
    while True:
        with path.open("a+", encoding="utf-8") as file:
            if fcntl is not None:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise _taken(field, path.parent, file) from None
            if not _is_at(file, path):
                continue  # whoever held it has removed it in between
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            yield
            return


def _is_at(file: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _taken(field: str, folder: Path, file: IO[str]) -> InputError:
    file.seek(0)
    process = f"process {holder}" if (holder := file.read().strip()).isdigit() else "another process"
    problem = f"got {str(folder)!r}, where {process} is at work"
    return InputError(field, folder, "wait for its end, or stop it", problem=problem)
