"""jaxgrad.base.schema: what a file says, and what is wrong with it, as values."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field, model_validator

from jaxgrad.base.errors import InputError
from jaxgrad.base.schema import (
    AtLeastZero,
    Bits,
    Blend,
    Fraction,
    Rate,
    Section,
    Seed,
    Share,
    Size,
    Sizes,
    Switch,
    among,
    checked,
    otherwise,
    read_toml,
    validated,
)


def _even(field: str, value: Any) -> Any:
    if value % 2:
        raise InputError(field, value, "give an even number")
    return value


class Inner(Section):
    size: Size = 1
    even: Annotated[int, checked(_even)] = 0
    pair: Annotated[list[Size], Field(min_length=2, max_length=2), otherwise("give two")] = Field(default=[1, 1])
    parts: Size | dict[str, Size] = 1
    name: Annotated[str, among(("ws", "os"))] = "ws"
    on: Switch = True
    rate: Rate = 1.0

    @model_validator(mode="after")
    def _fits(self) -> Inner:
        if self.size > 9 and self.name == "os":
            raise InputError("size", self.size, "give at most 9", problem=f"got {self.size} with 'os'")
        return self


class Outer(Section):
    title: str
    inner: Inner = Inner()
    many: list[Inner] = Field(default=[])
    some: Annotated[list[Size], Field(min_length=1)] = Field(default=[1])

    @model_validator(mode="after")
    def _fits(self) -> Outer:
        if self.title == "taken":
            raise InputError("title", self.title, "give another")
        return self


# what the tree has -> field, value, remedy
REFUSED: list[tuple[dict[str, Any], tuple[str, Any, str]]] = [
    ({}, ("title", None, "give one")),
    ({"title": 3}, ("title", 3, "give a text, in quotes")),
    ({"title": "taken"}, ("title", "taken", "give another")),
    ({"titel": ""}, ("titel", "", "there is no such key; choose one of title, inner, many, some (did you")),
    ({"title": "", "titel": 3}, ("titel", 3, "there is no such key; choose one of title, inner, many, some (did you")),
    ({"title": "", "inner": 3}, ("inner", 3, "give a table, [inner]")),
    ({"title": "", "inner": {"size": 0}}, ("inner.size", 0, "give a whole number of at least 1")),
    ({"title": "", "inner": {"even": 3}}, ("inner.even", 3, "give an even number")),
    ({"title": "", "inner": {"pair": [1]}}, ("inner.pair", [1], "give two")),
    ({"title": "", "inner": {"parts": 0}}, ("inner.parts", 0, "give a whole number of at least 1")),
    ({"title": "", "inner": {"name": "wss"}}, ("inner.name", "wss", "choose one of ws, os (did you mean 'ws'?)")),
    ({"title": "", "inner": {"on": 1}}, ("inner.on", 1, "give true or false")),
    ({"title": "", "inner": {"rate": 0}}, ("inner.rate", 0, "give a number above 0")),
    ({"title": "", "inner": {"siz": 3}}, ("inner.siz", 3, "there is no such key; choose one of size, even, ")),
    ({"title": "", "inner": {"size": 10, "name": "os"}}, ("inner.size", 10, "give at most 9")),
    ({"title": "", "many": [{}, {"size": -1}]}, ("many.1.size", -1, "give a whole number of at least 1")),
    ({"title": "", "many": 3}, ("many", 3, "give tables, [[many]]")),
    ({"title": "", "many": [3]}, ("many.0", 3, "give a table, [[many]]")),
    ({"title": "", "some": 3}, ("some", 3, "give a list, in [ ]")),
    ({"title": "", "some": []}, ("some", [], "give at least one")),
    ({"title": "", "some": [1, "2"]}, ("some.1", "2", "give a whole number of at least 1")),
]


@pytest.mark.parametrize(("tree", "expected"), REFUSED, ids=[str(tree) for tree, _ in REFUSED])
def test_what_will_not_do_is_a_value(tree: dict[str, Any], expected: tuple[str, Any, str]) -> None:
    with pytest.raises(InputError) as raised:
        validated(Outer, tree, "F")
    error = raised.value
    assert (error.field, error.value, error.origin) == (*expected[:2], "F")
    assert error.remedy.startswith(expected[2])
    assert str(error).startswith(f"{error.field} in F: got ")


def test_a_key_named_as_a_type_is_a_key() -> None:
    """Pydantic names the members of unions in its places: these are told from keys by the tree, not by their names."""
    with pytest.raises(InputError) as raised:
        validated(Outer, {"title": "", "inner": {"parts": {"int": 0}}})
    assert raised.value.field in ("inner.parts", "inner.parts.int")
    with pytest.raises(InputError) as raised:
        validated(Outer, {"title": "", "inner": {"int": 0}})
    assert raised.value.field == "inner.int"


def test_what_will_do_is_taken() -> None:
    found = validated(Outer, {"title": "t", "inner": {"parts": {"x": 2}, "rate": 3}, "many": [{"size": 4}]})
    assert (found.inner.parts, found.inner.rate, found.many[0].size) == ({"x": 2}, 3.0, 4)


UNREADABLE: dict[str, tuple[bytes, str]] = {
    "no TOML": (b"title =", "mend its TOML: Invalid value"),
    "no UTF-8": (b"\xff", "give a TOML file in UTF-8"),
    "deep tables": (b"[" + b".".join([b"a"] * 3000) + b"]\nx = 1\n", "mend its TOML: tables or lists are nested"),
    "deep keys": (b".".join([b"a"] * 3000) + b" = 1\n", "mend its TOML: tables or lists are nested"),
    "deep lists": (b"x = " + b"[" * 3000 + b"]" * 3000, "mend its TOML: tables or lists are nested"),
    "rather deep lists": (b"x = " + b"[" * 65 + b"]" * 65, "mend its TOML: tables or lists are nested more than 64"),
    "a long number": (b"x = " + b"9" * 5000, "mend its TOML: a whole number has more than 64 bits"),
    "a long hexadecimal": (b"x = [[0x" + b"f" * 5000 + b"]]", "mend its TOML: a whole number has more than 64 bits"),
    "65 bits": (b"x = 9223372036854775808", "mend its TOML: a whole number has more than 64 bits"),
}


@pytest.mark.parametrize(("content", "remedy"), UNREADABLE.values(), ids=list(UNREADABLE))
def test_a_file_that_cannot_be_read_is_one_line(content: bytes, remedy: str, tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_bytes(content)
    with pytest.raises(InputError) as raised:
        read_toml(file, "CONFIG")
    assert (raised.value.field, raised.value.value) == ("CONFIG", file)
    assert str(raised.value).startswith(f"CONFIG: got {str(file)!r}; {remedy}")
    assert len(str(raised.value)) < 200 + len(str(file))


def test_files_may_be_as_deep_and_numbers_as_large_as_toml_has_them(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_bytes(b"x = [9223372036854775807, -9223372036854775808]\ny = " + b"[" * 60 + b"]" * 60)
    assert read_toml(file, "CONFIG")["x"] == [(1 << 63) - 1, -(1 << 63)]


class Needs(Section):
    inner: Inner


def test_a_table_that_is_missing_is_asked_for_as_a_table() -> None:
    with pytest.raises(InputError) as raised:
        validated(Needs, {}, "F")
    assert str(raised.value) == "inner in F: got none; give a table, [inner]"


class Limits(Section):
    size: Size = 1
    sizes: Sizes = Field(default=[1])
    seed: Seed = 0
    rate: Rate = 1.0
    least: AtLeastZero = 0.0
    fraction: Fraction = 0.0
    share: Share = 1.0
    bits: Bits = 1
    blend: Blend = 0.0
    name: Annotated[str, among(("ws", "os"))] = "ws"


# key -> what will just do, what will just not, what an editor is told
LIMITS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "size": (1, 0, {"minimum": 1}),
    "sizes": ([1], [0], {"minItems": 1}),
    "seed": ((1 << 32) - 1, 1 << 32, {"minimum": 0, "exclusiveMaximum": 1 << 32}),
    "rate": (1e-300, 0.0, {"exclusiveMinimum": 0}),
    "least": (0.0, -1e-300, {"minimum": 0}),
    "fraction": (0.0, 1.0, {"minimum": 0, "exclusiveMaximum": 1}),
    "share": (1.0, 0.0, {"exclusiveMinimum": 0, "maximum": 1}),
    "bits": (8, 9, {"minimum": 1, "maximum": 8}),
    "blend": (1.0, 1.5, {"minimum": 0, "maximum": 1}),
    "name": ("os", "is", {"enum": ["ws", "os"]}),
}


@pytest.mark.parametrize("key", Limits.model_fields)
def test_a_json_schema_has_the_limits_that_files_are_held_to(key: str) -> None:
    within, beyond, told = LIMITS[key]
    assert getattr(validated(Limits, {key: within}), key) == within
    with pytest.raises(InputError) as raised:
        validated(Limits, {key: beyond})
    assert raised.value.remedy.startswith(("give ", "choose one of"))  # in our words
    assert told.items() <= Limits.model_json_schema()["properties"][key].items()


def test_a_whole_tree_that_is_no_table_is_refused() -> None:
    with pytest.raises(InputError, match="got 3; give a table"):
        validated(Outer, 3)
