"""Places for files: a folder, or any other that fsspec reaches by a URL. A file is there whole or not at all."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from jaxgrad.base.errors import InputError
from jaxgrad.base.files import check_folder, whole
from jaxgrad.base.locks import claimed


class Place(Protocol):
    """Files by name, such as ``points/ab/abcd.json``. Errors are ``OSError``. It can be pickled for others."""

    @property
    def address(self) -> str:
        """What it is called in every process that has it."""
        ...

    def at(self, name: str) -> Path | str:
        """Where a file is, for messages."""
        ...

    def read(self, name: str) -> bytes:
        """A file's content, or FileNotFoundError."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Puts a file in place of what may be there, at once and whole."""
        ...

    def names(self, folder: str) -> set[str]:
        """All files below a folder, as names in this place; none where it is not there."""
        ...

    def claim(self, name: str) -> AbstractContextManager[bool]:
        """Whether the making of a file is left to this block, for as long as it runs: to no other block, process or
        machine. A claim is gone soon after the process that made it."""
        ...


class Folder:
    """A folder of this machine, or one that several machines share."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def address(self) -> str:
        return str(self.path.absolute())

    def at(self, name: str) -> Path:
        return self.path / name

    def read(self, name: str) -> bytes:
        return self.at(name).read_bytes()

    def write(self, name: str, content: bytes) -> None:
        with whole(self.at(name)) as partial:
            partial.write_bytes(content)

    def names(self, folder: str) -> set[str]:
        root = self.path.as_posix()
        files = ((Path(parent).as_posix(), each) for parent, _, some in os.walk(self.path / folder) for each in some)
        return {f"{parent}/{each}".removeprefix(f"{root}/") for parent, each in files}

    def claim(self, name: str) -> AbstractContextManager[bool]:
        return claimed(self.at(f"{name}.lock"))

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path.absolute()}


def place(field: str, text: str | Path) -> Place:
    """The place that a path or a URL names, asked whether it can be written to before any work is done.

    Args:
        field: the option that named it, for messages.
        text: a path, or a URL: ``s3://bucket/folder``, ``memory://name``, ``file:///folder``.

    Raises:
        InputError: it can't be written to, or what fsspec needs for it is not installed.
    """
    scheme, marked, rest = str(text).partition("://")
    if not marked:
        return Folder(check_folder(field, text))
    if scheme == "file":
        return Folder(check_folder(field, rest))
    try:
        from jaxgrad.base import remote
    except ModuleNotFoundError:
        raise InputError(field, str(text), "pip install 'jaxgrad[cluster]' first, or give a folder") from None
    return remote.Remote.opened(field, str(text))
