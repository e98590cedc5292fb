"""Unique names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable


def told_apart(names: Iterable[str], taken: Collection[str] = ()) -> list[str]:
    """The names, repeated ones numbered: ``a``, ``b``, ``a`` become ``a#1``, ``b``, ``a#2``; and those that are taken.

    >>> told_apart(["a", "b", "input", "a"], taken=("input",))
    ['a#1', 'b', 'input#1', 'a#2']
    """
    names = list(names)
    total, seen = Counter(names), Counter()
    apart = []
    for name in names:
        seen[name] += 1
        apart.append(f"{name}#{seen[name]}" if total[name] > 1 or name in taken else name)
    return apart
