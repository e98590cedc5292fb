"""Results by their content's address: what has been computed by this code from these data is not computed again."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jaxgrad
import jaxgrad_models
from jaxgrad.base.files import write_text

_CODE = (".py", ".toml")
"""All code and data of the packages: no hand-kept list of what shapes a result, which could miss some of it."""


class Store:
    """A folder of JSON files, each named by the hash of what it was computed from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, kind: str, spec: Mapping[str, Any]) -> Path:
        """Where the result of ``spec`` is, or will be."""
        text = json.dumps([kind, spec, fingerprint()], sort_keys=True)
        key = hashlib.sha256(text.encode()).hexdigest()[:32]
        return self.folder / kind / key[:2] / f"{key}.json"

    def get(self, kind: str, spec: Mapping[str, Any]) -> Any | None:
        """The result, or None where there is none that can be read."""
        try:
            return json.loads(self.path(kind, spec).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def put(self, kind: str, spec: Mapping[str, Any], result: Any) -> None:
        write_text(self.path(kind, spec), json.dumps(result))

    def cached(self, kind: str, spec: Mapping[str, Any], compute: Callable[[], Any]) -> Any:
        """The result, computed and kept if there is none yet."""
        found = self.get(kind, spec)
        if found is None:
            found = compute()
            self.put(kind, spec, found)
        return found


@functools.cache
def fingerprint() -> str:
    """A hash of the code that results depend on: another version computes anew."""
    packages = (Path(jaxgrad.__file__).parent, Path(jaxgrad_models.__file__).parent)
    files = (file for package in packages for file in package.rglob("*") if file.suffix in _CODE)
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
