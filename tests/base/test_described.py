"""jaxgrad.base.schema.described: one class for what is given in Python and what stands in a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Annotated, Any

import pytest
from pydantic import Field

from jaxgrad.base.errors import InputError
from jaxgrad.base.schema import Section, Size, Switch, described, validated


@described(within="box")
class Box:
    side: Annotated[Size, Field(title="side_m")]
    open: Switch = False


@described()
class Shelf:
    box: Box
    many: Size = 1


class File(Section):
    shelf: Shelf


BOX: Any = Box
SHELF: Any = Shelf


def from_file(**box: Any) -> File:
    return validated(File, {"shelf": {"box": box}}, "F")


def test_it_is_a_frozen_dataclass() -> None:
    assert Box(3) == Box(side=3, open=False) == replace(Box(4), side=3)
    assert asdict(Shelf(Box(3))) == {"box": {"side": 3, "open": False}, "many": 1}
    assert len({Box(3), Box(3, False), Box(3, True)}) == 2
    box = Box(3)
    with pytest.raises(AttributeError):
        setattr(box, "open", True)  # noqa: B010
    assert Shelf(box).box is box


def test_a_file_s_table_is_the_same() -> None:
    assert from_file(side=3, open=True).shelf == Shelf(Box(3, True))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: Box(0), "box.side: got 0; give a whole number of at least 1"),
        (lambda: BOX(1, 1), "box.open: got 1; give True or False"),
        (lambda: BOX(), "box.side: got none; give one"),
        (lambda: BOX(1, wide=2), "box.wide: got 2; there is no such key; choose one of side_m, open"),
        (lambda: SHELF(3), "box: got 3; give one of class Box"),
        (lambda: from_file(side=0), "shelf.box.side in F: got 0; give a whole number of at least 1"),
        (lambda: from_file(side=1, open=1), "shelf.box.open in F: got 1; give true or false"),
        (lambda: from_file(open=True), "shelf.box.side in F: got none; give one"),
        (lambda: from_file(side=1, wide=2), "shelf.box.wide in F: got 2; there is no such key; choose one of side_m"),
        (lambda: validated(File, {"shelf": 1}, "F"), "shelf in F: got 1; give a table, [shelf]"),
    ],
)
def test_refusals_name_the_field_as_it_was_given(call: Callable[[], Any], said: str) -> None:
    with pytest.raises(InputError) as raised:
        call()
    assert str(raised.value).startswith(said)
    assert len(str(raised.value).splitlines()) == 1


def test_more_arguments_than_fields_are_a_type_error() -> None:
    with pytest.raises(TypeError, match="Box takes side, open; got 3 arguments"):
        BOX(1, True, 2)
