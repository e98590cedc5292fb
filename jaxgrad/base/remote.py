"""Places that fsspec reaches by a URL: object stores above all, in which a file that is put is there at once, whole."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import fsspec

from jaxgrad.base.errors import InputError

LEASE_S = 60.0
"""A claim that was not renewed for so long is nobody's any more: its process is gone."""
_RENEWALS = 6  # in that time


class Remote:
    """Files below a URL.

    A claim is a small file that says by when it has to be renewed, by the clock of who made it: clocks of machines that
    work in one place should agree within some seconds. Where the filesystem makes a file only if there is none (S3,
    memory), one of several that come at once has it; where it can't, both may, and something is computed twice.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._files, self._root = fsspec.core.url_to_fs(self.url)

    @classmethod
    def opened(cls, field: str, url: str) -> Remote:
        """The place, written to and read from once.

        Raises:
            InputError: it can't be.
        """
        try:
            place = cls(url)
            probe = f".{secrets.token_hex(8)}.probe"
            place.write(probe, b"")
            place._files.rm_file(place._path(probe))
        except Exception as error:  # each filesystem has its own: of its network, its credentials, its packages
            problem = f"got {url!r}, which can't be written to ({' '.join(str(error).split()) or type(error).__name__})"
            raise InputError(field, url, "give a place that can, or a folder", problem=problem) from None
        return place

    @property
    def address(self) -> str:
        return self.url

    def at(self, name: str) -> str:
        return f"{self.url}/{name}"

    def read(self, name: str) -> bytes:
        return self._files.cat_file(self._path(name))

    def write(self, name: str, content: bytes) -> None:
        self._put(self._path(name), content)

    def names(self, folder: str) -> set[str]:
        # What others wrote in the meantime is not in a listing that was kept.
        self._files.invalidate_cache()
        with suppress(FileNotFoundError):
            return {path.removeprefix(f"{self._root}/") for path in self._files.find(self._path(folder))}
        return set()

    @contextmanager
    def claim(self, name: str) -> Iterator[bool]:
        path, token = self._path(f"{name}.lock"), secrets.token_hex(8)
        if not self._take(path, token):
            yield False
            return
        ended = threading.Event()
        renewing = threading.Thread(target=self._renew, args=(path, token, ended), daemon=True)
        renewing.start()
        try:
            yield True
        finally:
            ended.set()
            renewing.join()
            with suppress(OSError):
                self._files.rm_file(path)

    def _take(self, path: str, token: str) -> bool:
        for _ in range(2):
            with suppress(FileExistsError):
                self._put(path, _lease(token), mode="create")
                return self._holder(path)[0] == token
            _, until = self._holder(path)
            if time.time() <= until:
                return False
            with suppress(OSError):  # its process is gone
                self._files.rm_file(path)
        return False

    def _holder(self, path: str) -> tuple[str, float]:
        """Whose a claim is, and until when."""
        try:
            token, until = self._files.cat_file(path).decode().split()
            return token, float(until)
        except (FileNotFoundError, ValueError):
            return "", 0.0

    def _renew(self, path: str, token: str, ended: threading.Event) -> None:
        while not ended.wait(LEASE_S / _RENEWALS):
            with suppress(OSError):  # the next time, perhaps
                self._put(path, _lease(token))

    def _put(self, path: str, content: bytes, **options: Any) -> None:
        try:
            self._files.pipe_file(path, content, **options)
        except FileNotFoundError:
            if not path.startswith("/"):  # of an object store, whose first name is a bucket: not ours to make
                raise
            self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._files.pipe_file(path, content, **options)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def __getstate__(self) -> dict[str, Any]:
        return {"url": self.url}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["url"])


def _lease(token: str) -> bytes:
    return f"{token} {time.time() + LEASE_S}".encode()
