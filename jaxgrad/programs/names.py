"""Unique names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable


def told_apart(names: Iterable[str]) -> list[str]:
    """The names, repeated ones numbered: ``a``, ``b``, ``a`` become ``a#1``, ``b``, ``a#2``."""
    names = list(names)
    total, seen = Counter(names), Counter()
    apart = []
    for name in names:
        seen[name] += 1
        apart.append(f"{name}#{seen[name]}" if total[name] > 1 else name)
    return apart
