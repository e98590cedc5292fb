"""Labels that must fit a width: shortened where they say the same, so that no two of them read alike."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

_GAP = "…"


def told_apart(names: Sequence[str], length: int) -> list[str]:
    """The names in at most ``length`` characters each: a gap in the middle, or around what differs, or a number first.

    Args:
        names: in any order; equal ones stay equal.
        length: of the longest result, 8 at least.

    >>> told_apart(["blocks/0/attention/query", "blocks/0/attention/value", "head"], 16)
    ['blocks/0…n/query', 'blocks/0…n/value', 'head']
    >>> told_apart(["encoder/layers/0/attention", "encoder/layers/11/attention"], 16)
    ['…ayers/0/attent…', '…ayers/11/atten…']
    """
    long = [name for name in dict.fromkeys(names) if len(name) > length]
    if not long:
        return list(names)
    before = _shared(long)
    after = _shared([name[before:][::-1] for name in long])
    numbers = {name: f"{number}: " for number, name in enumerate(long, 1)}
    ways = (
        {name: _without_middle(name, length) for name in long},
        {name: _around(name, before, len(name) - after, length) for name in long},
        {name: _without_middle(numbers[name] + name, length) for name in long},
    )
    short = {name for name in names if len(name) <= length}
    apart = next((way for way in ways if len({*way.values()} | short) == len(long) + len(short)), ways[-1])
    return [apart.get(name, name) for name in names]


def _shared(names: Sequence[str]) -> int:
    """The length of their common prefix."""
    return sum(1 for _ in takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False)))


def _without_middle(name: str, length: int) -> str:
    if len(name) <= length:
        return name
    tail = (length - len(_GAP)) // 2
    return name[: length - len(_GAP) - tail] + _GAP + name[len(name) - tail :]


def _around(name: str, start: int, stop: int, length: int) -> str:
    """``name[start:stop]`` with as much of what stands before and after as there is room for."""
    room = length - (stop - start) - 2 * len(_GAP)
    if room < 0:
        return _without_middle(name[start:stop], length)
    left = min(start, room - min(len(name) - stop, (room + 1) // 2))
    right = min(len(name) - stop, room - left)
    shown = name[start - left : stop + right]
    return f"{_GAP if start > left else ''}{shown}{_GAP if stop + right < len(name) else ''}"
