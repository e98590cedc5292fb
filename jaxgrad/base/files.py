"""Files that are written whole or not at all, however the process ends, and folders for them."""

from __future__ import annotations

import os
import re
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from jaxgrad.base.errors import InputError


def check_folder(field: str, path: str | Path) -> Path:
    """``path`` as that of a folder to write into, there or to be made; asked before any work is done.

    Args:
        field: the option that named it, for messages.
        path: relative to the working directory, or absolute.

    Raises:
        ValueError: it is no folder, or can't be made or written to.
    """
    if not str(path):
        raise InputError(field, "", "give the path of a folder")
    folder = Path(path)
    if folder.is_symlink() and not folder.exists():
        raise InputError(field, folder, "give another path", problem=f"got {str(folder)!r}, a link to nothing")
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not existing.is_dir():
        if existing != folder:
            raise InputError(field, folder, f"{existing} is not a folder: give another path")
        raise InputError(field, folder, "give another path", problem=f"got {str(folder)!r}, which is not a folder")
    try:
        with tempfile.TemporaryFile(dir=existing):  # permissions alone do not tell
            pass
    except OSError:
        raise InputError(field, folder, f"{existing} can't be written to: give another folder") from None
    return folder


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A hidden file to write, with the suffix of ``path``, which takes its place at the end; if left early, it goes.

    The folder of ``path`` is made if need be.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own: several threads, processes and machines may write the same file at the same time.
    partial = path.with_name(f".{path.stem}.{secrets.token_hex(8)}.tmp{path.suffix}")
    try:
        yield partial
        os.replace(partial, path)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:  # a full disk names no file
            error.filename = str(path)
        raise


def clear_partial(folder: Path) -> None:
    """Removes what a process that was killed left half-written by ``whole`` in a folder that no other one writes to."""
    for path in folder.rglob(".*.tmp*"):
        if re.fullmatch(r"\..+\.[0-9a-f]+\.tmp(\.\w+)?", path.name):
            path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> Path:
    """Writes a file in place of what may be there, and makes its folder if need be."""
    with whole(path) as partial:
        partial.write_text(text, encoding="utf-8")
    return path


def write_texts(folder: Path, texts: Mapping[str, str]) -> list[Path]:
    """Writes files by name, each whole or not at all; the folder is made, and cleared of what is half-written."""
    folder.mkdir(parents=True, exist_ok=True)
    clear_partial(folder)
    return [write_text(folder / name, text) for name, text in texts.items()]
