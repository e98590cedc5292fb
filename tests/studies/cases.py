"""Small experiments, as the trees of their TOML files."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w

TREE: dict[str, Any] = {
    "title": "a small one",
    "baseline": "WS",
    "workload": {"layers": [[40, 24]], "batch": 6},
    "machine": {
        "rows": 8,
        "cols": 4,
        "technology": "horowitz-45nm",
        "memory": {"sram_kib": 16, "dram_gb_per_s": 2.0},
    },
    "variant": [
        {"name": "WS", "schedule": "ws_only"},
        {"name": "WS, equal area", "schedule": "ws_only", "iso_area_with": "interleaved"},
        {"name": "interleaved", "schedule": "interleaved"},
    ],
    "sweep": [{"name": "batch", "keys": ["workload.batch"], "values": [2, 16]}],
    "published": [
        {"variant": "interleaved", "quantity": "cycles", "ratio": 0.5, "source": "a paper", "at": {"batch": "2"}},
        {"variant": "interleaved", "quantity": "energy", "at_most": 10.0, "source": "another"},
    ],
}


def tree(**changes: Any) -> dict[str, Any]:
    """``TREE`` with some of its keys replaced; None takes one out."""
    changed = copy.deepcopy(TREE)
    for key, value in changes.items():
        place, _, last = key.replace("__", ".").rpartition(".")
        table: Any = changed
        for part in place.split(".") if place else []:
            table = table[int(part)] if part.isdigit() else table[part]
        if value is None:
            del table[last]
        else:
            table[last] = value
    return changed


def write(folder: Path, content: Mapping[str, Any], name: str = "small.toml") -> Path:
    path = folder / name
    path.write_text(tomli_w.dumps(dict(content)), encoding="utf-8")
    return path
