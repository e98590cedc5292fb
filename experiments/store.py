"""Results by their content's address: what has been computed by this code from these data is not computed again."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jaxgrad
import models
from jaxgrad.files import write_text

_SOURCES = ("costs", "designs", "evaluate", "flax", "autodiff", "hardware", "passes", "training", "workload")


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
    home = Path(jaxgrad.__file__).parent
    files = [*home.glob("*.py"), *Path(models.__file__).parent.rglob("*.py"), Path(__file__).with_name("compute.py")]
    for package in _SOURCES:
        files += [*(home / package).rglob("*.py"), *(home / package).rglob("*.toml")]
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
