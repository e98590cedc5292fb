"""jaxgrad.base.csv_text: what is written is what a reader of CSV has."""

from __future__ import annotations

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from jaxgrad.base.csv_text import csv_text

VALUES = st.none() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(exclude_characters="\0\r"))


@given(st.lists(st.lists(VALUES, min_size=2, max_size=4), max_size=5))
def test_a_reader_has_every_value_with_all_its_digits(lines: list[list[object]]) -> None:
    text = csv_text(lines)
    read = list(csv.reader(io.StringIO(text, newline="")))
    assert read == [["" if value is None else str(value) for value in line] for line in lines]
    assert "\r" not in text
