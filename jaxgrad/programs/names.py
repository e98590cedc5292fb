"""Names for what has none of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable


def told_apart(names: Iterable[str]) -> list[str]:
    """The names, those that are not the only one of their kind numbered."""
    names = list(names)
    total, seen = Counter(names), Counter()
    apart = []
    for name in names:
        seen[name] += 1
        apart.append(f"{name}#{seen[name]}" if total[name] > 1 else name)
    return apart
