"""jaxgrad.base.errors: what passes, and the one line that says why something does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from jaxgrad.base.errors import boolean, either, number, one_of, positive_integer
from tests.refusals import Refusal, assert_refused

WHOLE = "whole number of at least 1"
CHOICES = ("ws", "os", "interleaved")


@pytest.mark.parametrize("value", [1, 7, 2**70, np.int64(7), np.uint8(7)], ids=repr)
def test_a_size_is_a_python_int(value: object) -> None:
    size = positive_integer("rows", value)
    assert type(size) is int
    assert size == value


@pytest.mark.parametrize(
    "value",
    [0, -3, 1.0, 2.5, float("nan"), float("inf"), "4", "", None, True, False, np.True_, 1j, [4], (), np.float32(4)],
    ids=repr,
)
def test_anything_else_is_no_size(value: object) -> None:
    assert_refused(Refusal(lambda: positive_integer("rows", value), "rows", repr(value), WHOLE))


def test_the_whole_line() -> None:
    with pytest.raises(ValueError, match=r"^rows: got -3; give a whole number of at least 1$"):
        positive_integer("rows", -3)
    with pytest.raises(ValueError, match=r"^schedule: got 'sw'; choose one of ws, os, interleaved$"):
        one_of("schedule", "sw", CHOICES)


@pytest.mark.parametrize("check", [positive_integer, boolean, number], ids=lambda check: check.__name__)
def test_a_value_of_many_lines_is_shown_in_one(check) -> None:
    assert_refused(Refusal(lambda: check("rows", np.eye(3)), "rows", "array", "give"))


def test_a_name_of_many_lines_is_shown_in_one() -> None:
    assert_refused(Refusal(lambda: one_of("schedule", np.eye(3), CHOICES), "schedule", "array", "ws, os"))


@pytest.mark.parametrize("value", [0, 0.0, 3, 2.5, 1e-300, 2**70, np.float64(0.5)], ids=repr)
def test_a_number_is_a_python_float(value: float) -> None:
    checked = number("pj_per_bit", value)
    assert type(checked) is float
    assert checked == value


NO_NUMBERS = [-1, -0.001, float("nan"), float("inf"), -float("inf"), "1", None, True, np.True_, [1.0], 1j]


@pytest.mark.parametrize("value", NO_NUMBERS, ids=repr)
def test_anything_else_is_no_number(value: Any) -> None:
    refusal = Refusal(lambda: number("pj_per_bit", value), "pj_per_bit", repr(value), "a number of at least 0")
    assert_refused(refusal)


def test_a_number_has_a_least_value() -> None:
    assert number("x", 2, least=2) == 2.0
    assert number("x", -1.5, least=-2) == -1.5
    assert_refused(Refusal(lambda: number("x", 1.9, least=2), "x", "1.9", "a number of at least 2"))
    assert_refused(Refusal(lambda: number("x", 0, above=True), "x", "0", "a number above 0"))
    assert_refused(Refusal(lambda: number("x", 2.5, least=2.5, above=True), "x", "2.5", "a number above 2.5"))
    assert number("x", 1e-9, above=True) == 1e-9


def test_an_integer_beyond_floats_is_refused() -> None:
    """As JSON and TOML can have them."""
    assert_refused(Refusal(lambda: number("x", 10**400), "x", "1000", "a number of at least 0"))


@pytest.mark.parametrize("value", [True, False])
def test_booleans(value: bool) -> None:
    assert boolean("double_buffered", value) is value


@pytest.mark.parametrize("value", [1, 0, "True", None, 1.0, []], ids=repr)
def test_anything_else_is_no_boolean(value: object) -> None:
    refusal = Refusal(lambda: boolean("double_buffered", value), "double_buffered", repr(value), "True or False")
    assert_refused(refusal)


def test_a_name_among_the_choices() -> None:
    assert [one_of("schedule", name, CHOICES) for name in CHOICES] == list(CHOICES)


@pytest.mark.parametrize("value", ["", "WS", "w", "ws ", 3, None, ["ws"], ("ws",), b"ws"], ids=repr)
def test_any_other_name_lists_the_choices(value: object) -> None:
    assert_refused(
        Refusal(lambda: one_of("schedule", value, CHOICES), "schedule", repr(value), "one of ws, os, interleaved")
    )


def test_the_likeliest_choice_is_named() -> None:
    assert_refused(
        Refusal(lambda: one_of("schedule", "interleave", CHOICES), "schedule", "'interleave'", "mean 'interleaved'?")
    )
    with pytest.raises(ValueError, match="got") as raised:
        one_of("schedule", "zigzag", CHOICES)
    assert "mean" not in str(raised.value)


def test_names_in_a_sentence() -> None:
    assert [either(names) for names in ("a", "ab", "abc")] == ["a", "a or b", "a, b or c"]
    assert either("abc", "and") == "a, b and c"
