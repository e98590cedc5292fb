"""Parts of a table that is too wide: which of its columns stand together."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def parts(widths: Sequence[float], names: Collection[int], room: float, gap: float) -> list[list[int]]:
    """The columns of each part, by index: all in one where there is room, else the names' in each and the others once.

    Args:
        widths: of the columns, the least that will do.
        names: indices of the columns that say what a row is of.
        room: for a part.
        gap: between two columns.

    >>> parts([8, 5, 5, 5], names=[0], room=20, gap=1)
    [[0, 1, 2], [0, 3]]
    """

    def fits(columns: Sequence[int]) -> bool:
        return sum(widths[index] for index in columns) + gap * (len(columns) - 1) <= room

    everything = list(range(len(widths)))
    others = [index for index in everything if index not in names]
    repeated = [index for index in everything if index in names]
    if not repeated or not others or fits(everything):
        return [everything]
    found = [[*repeated, others[0]]]
    for index in others[1:]:
        if fits([*found[-1], index]):
            found[-1].append(index)
        else:
            found.append([*repeated, index])
    return found
