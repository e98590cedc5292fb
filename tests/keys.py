"""Counts as tests write them down, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jaxgrad.array.counts import DRAM, KEYS, SRAM, STALLS, VECTOR_OPERATIONS, WORDS, Key
from jaxgrad.costs.hierarchy import DRAM_KEYS

KEY = {
    key.name: key
    for key in (*KEYS, *DRAM_KEYS, STALLS, VECTOR_OPERATIONS, Key(SRAM, "vector", WORDS), Key(DRAM, "vector", WORDS))
}


def keyed(counts: Mapping[str, Any]) -> dict[Key, Any]:
    """The inverse of ``counts.by_name``."""
    return {KEY[name]: value for name, value in counts.items()}
