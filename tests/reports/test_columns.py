"""Parts of a table: each column that is no name's stands in one of them, beside all names."""

from __future__ import annotations

import pytest

from jaxgrad.reports.columns import parts


@pytest.mark.parametrize("room", [1, 21, 22, 30, 43, 44, 1000])
def test_each_part_has_the_names_and_room_for_its_columns(room: float) -> None:
    widths = [8, 6, *[5, 7, 3] * 2]
    found = parts(widths, (0, 1), room, gap=2)
    assert [index for part in found for index in part if index > 1] == list(range(2, 8))
    assert all(part[:2] == [0, 1] for part in found)
    for part in found:  # one number's column stands beside the names whatever room there is
        assert sum(widths[index] for index in part) + 2 * (len(part) - 1) <= room or len(part) == 3
    assert (len(found) == 1) == (room >= 58)


def test_names_or_numbers_alone_are_not_split() -> None:
    assert parts([9, 9], (0, 1), 5, 1) == [[0, 1]]
    assert parts([9, 9], (), 5, 1) == [[0, 1]]
