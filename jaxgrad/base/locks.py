"""A folder for one process at a time."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from jaxgrad.base.errors import InputError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_NAME = ".lock"
_LOOK_S = 0.05  # far more than the look of ``is_taken`` takes


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


def is_taken(folder: Path) -> bool:
    """Whether somebody is ``alone`` in a folder; False where the system has no locks.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name, alone("--out", Path(name)):
    ...     is_taken(Path(name))
    True
    """
    if fcntl is None:
        return False
    try:
        with (folder / _NAME).open(encoding="utf-8") as file:
            # Shared: others that look do not see it. It goes as the file is closed.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # there is none, or it is another user's
        return False
    return False


@contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Whether the file ``path`` is this block's for as long as it runs: it is made, locked, and removed at the end.

    Nobody is waited for. The lock is gone with the process that held it, as that of ``alone`` is.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name, claimed(Path(name, "a")) as mine, claimed(Path(name, "a")) as other:
    ...     mine, other
    (True, False)
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as lock:
        try:
            lock.enter_context(_locked("", path))
        except InputError:
            yield False
            return
        try:
            yield True
        finally:
            path.unlink(missing_ok=True)


@contextmanager
def _locked(field: str, path: Path) -> Iterator[None]:
    while True:
        with path.open("a+", encoding="utf-8") as file:
            if fcntl is not None:
                try:
                    _lock(file)
                except BlockingIOError:
                    raise _taken(field, path.parent, file) from None
            if not _is_at(file, path):
                continue  # whoever held it has removed it in between
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            yield
            return


def _lock(file: IO[str]) -> None:
    """Locks a file; one that is only being looked at is asked for again.

    Raises:
        BlockingIOError: somebody has it.
    """
    assert fcntl is not None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        time.sleep(_LOOK_S)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


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
