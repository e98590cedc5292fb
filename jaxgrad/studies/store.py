"""A content-addressed cache of results: what this code has computed from these data is not computed again."""

from __future__ import annotations

import functools
import hashlib
import json
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

import jaxgrad
import jaxgrad_models
from jaxgrad.base.errors import InputError
from jaxgrad.base.places import Folder, Place

_FORMAT = 1
"""Of a file: a line of JSON that says what the rest is, and the rest, as a ``Codec`` writes it."""


class Specified(Protocol):
    """A point: ``spec`` is what decides its result, as plain data; ``label`` what it is called while it is computed."""

    @property
    def spec(self) -> Mapping[str, Any]: ...
    @property
    def label(self) -> str: ...


Point = TypeVar("Point", bound=Specified)


class Codec(NamedTuple):
    """How results are written.

    Args:
        suffix: of their files.
        dumps, loads: a result as bytes, and back.
    """

    suffix: str
    dumps: Callable[[Any], bytes]
    loads: Callable[[bytes], Any]


JSON = Codec("json", lambda result: json.dumps(result).encode(), json.loads)


class Store:
    """Files in a place, each named by the hash of what its result was computed from, and sealed by a checksum.

    A file that is not, byte for byte, what ``put`` wrote there counts as not there, with a warning that names it.
    Several processes may use a place at once: a file is whole or not there.

    Args:
        place: a folder, or another place (``base.places``).
    """

    def __init__(self, place: Place | Path) -> None:
        self.place: Place = Folder(place) if isinstance(place, Path) else place

    def path(self, kind: str, spec: Mapping[str, Any], codec: Codec = JSON) -> Path | str:
        """Where the result of ``spec`` is, or will be."""
        return self.place.at(name(kind, spec, codec))

    def has(self, kind: str, spec: Mapping[str, Any], codec: Codec = JSON) -> bool:
        """Whether the result is there and whole."""
        return self._read(name(kind, spec, codec)) is not None

    def get(self, kind: str, spec: Mapping[str, Any], codec: Codec = JSON) -> Any | None:
        """The result, or None where there is none that holds."""
        body = self._read(name(kind, spec, codec))
        return None if body is None else codec.loads(body)

    def put(self, kind: str, spec: Mapping[str, Any], result: Any, codec: Codec = JSON) -> None:
        """Keeps a result.

        Raises:
            InputError: it can't be written (a full disk, say).
        """
        file, body = name(kind, spec, codec), codec.dumps(result)
        path = self.place.at(file)
        try:
            self.place.write(file, _seal(file, body) + body)
        except OSError as error:
            raise InputError(
                "store",
                path,
                "what was done before is kept: free some space, or give another folder",
                problem=f"got {error.strerror or error} for {path}",
            ) from error

    def cached(self, kind: str, spec: Mapping[str, Any], compute: Callable[[], Any], codec: Codec = JSON) -> Any:
        """The result, computed and kept if there is none yet."""
        result = self.get(kind, spec, codec)
        if result is None:
            result = compute()
            self.put(kind, spec, result, codec)
        return result

    def results(self, kind: str, points: Iterable[Point], compute: Callable[[Point], Any]) -> Iterator[Any]:
        """Each point's result, as ``cached``: one that is done is on the disk before the next one begins.

        Args:
            kind: of the results.
            points: each with the ``spec`` of its result, and the ``label`` that an error has.
            compute: a point's result, as JSON has it.

        Raises:
            InputError: a point can't be computed; the message says which.
        """
        for point in points:
            try:
                result = self.cached(kind, point.spec, functools.partial(compute, point))
            except InputError as error:
                raise error.within(point.label) from None
            yield result

    def _read(self, file: str) -> bytes | None:
        """The bytes of a result; None where there is no file, or one that does not hold."""
        try:
            head, end, body = self.place.read(file).partition(b"\n")
        except FileNotFoundError:
            return None
        except OSError as error:
            return self._refuse(file, f"can't be read ({error.strerror or error})")
        if head + end != _seal(file, body):
            return self._refuse(file, "is damaged")
        return body

    def _refuse(self, file: str, why: str) -> None:
        warnings.warn(f"{self.place.at(file)} {why}: it counts as not computed yet", stacklevel=4)


def name(kind: str, spec: Mapping[str, Any], codec: Codec = JSON) -> str:
    """A result's file in a store: the same on every machine that has this code."""
    text = json.dumps([kind, spec, fingerprint()], sort_keys=True)
    key = hashlib.sha256(text.encode()).hexdigest()[:32]
    return f"{kind}/{key[:2]}/{key}.{codec.suffix}"


def _seal(file: str, body: bytes) -> bytes:
    """A file's first line: its format, the address it is kept at and the checksum of what follows."""
    digest = hashlib.sha256(body).hexdigest()
    address = file.rpartition("/")[2].partition(".")[0]
    return json.dumps({"format": _FORMAT, "address": address, "sha256": digest}).encode() + b"\n"


@functools.cache
def fingerprint() -> str:
    """A hash of all that results depend on besides their data: this code, and the releases it stands on."""
    return digest(packages(), releases())


def packages() -> list[Path]:
    """The folders of what was imported, and with it the results: the emulator, and the networks."""
    return [Path(package.__path__[0]) for package in (jaxgrad, jaxgrad_models)]


def releases() -> list[str]:
    """Names and versions of what jaxgrad says it needs: a trace is JAX's and Flax's work too."""
    try:
        requirements = metadata.requires("jaxgrad") or []
    except metadata.PackageNotFoundError:  # run from a checkout that is not installed
        return []
    names = [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in requirements if "extra ==" not in line]
    return [f"{name} {metadata.version(name)}" for name in sorted({*names, "jaxlib"})]


def digest(folders: Sequence[Path], texts: Iterable[str] = ()) -> str:
    """A hash of every file in some folders, its place included, and of ``said``; byte code alone is left out."""
    hasher = hashlib.sha256()
    for folder in folders:
        files = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        for path in sorted(files):
            for part in (path.relative_to(folder.parent).as_posix().encode(), path.read_bytes()):
                hasher.update(len(part).to_bytes(8))
                hasher.update(part)
    hasher.update("\n".join(texts).encode())
    return hasher.hexdigest()[:16]
