"""jaxgrad.base.errors: what passes, and the one line that says why something does not."""

from __future__ import annotations

import ast
import copy
import copyreg
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jaxgrad
from jaxgrad.base.errors import (
    InputError,
    boolean,
    either,
    fraction,
    number,
    one_of,
    positive_integer,
    seed,
    shown,
    whole_number,
)
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


def parts(error: InputError) -> tuple[Any, ...]:
    return error.field, error.value, error.remedy, error.problem, error.origin, error.context


def test_an_error_is_its_parts_and_one_line() -> None:
    error = InputError("order", "rule", "choose one of a, b", problem="got 'rule'\nwith schedule 'os'")
    assert isinstance(error, ValueError)
    assert parts(error) == ("order", "rule", "choose one of a, b", "got 'rule'\nwith schedule 'os'", None, ())
    assert str(error) == "order: got 'rule' with schedule 'os'; choose one of a, b"


@pytest.mark.parametrize(
    ("tell", "said"),
    [
        (lambda error: error.renamed("--rows"), "--rows: got 0; give more"),
        (lambda error: error.under("machine").under("variant.2"), "variant.2.machine.rows: got 0; give more"),
        (lambda error: error.read_from("a.toml"), "rows in a.toml: got 0; give more"),
        (lambda error: error.read_from("a.toml").under("machine"), "machine.rows in a.toml: got 0; give more"),
        (lambda error: error.read_from("a.toml").renamed("--rows"), "--rows: got 0; give more"),
        (lambda error: error.within("F").within("net, WS"), "net, WS: F: rows: got 0; give more"),
    ],
)
def test_where_input_came_from_is_said_later(tell: Callable[[InputError], InputError], said: str) -> None:
    error = InputError("rows", 0, "give more")
    told = tell(error)
    assert str(told) == said
    assert (told.value, told.remedy) == (0, "give more")
    assert str(error) == "rows: got 0; give more"


def test_what_dask_does_to_errors_leaves_the_first_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    pickling = pytest.importorskip("tblib.pickling_support")
    monkeypatch.setitem(copyreg.dispatch_table, InputError, pickling.pickle_exception)
    error = InputError("rows", 0, "give more")
    assert str(error.under("machine")) == "machine.rows: got 0; give more"
    assert str(error) == "rows: got 0; give more"
    assert str(pickle.loads(pickle.dumps(error.within("F")))) == "F: rows: got 0; give more"


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_an_error_keeps_its_parts_when_it_is_copied(copied: Callable[[InputError], InputError]) -> None:
    error = InputError("rows", [0], "give more", problem="got some").under("machine").read_from("F").within("net")
    assert parts(copied(error)) == parts(error)
    assert str(copied(error)) == "net: machine.rows in F: got some; give more"


def test_a_rule_gives_what_it_was_given() -> None:
    value = object()
    for rule in (positive_integer, boolean, number, fraction, seed, lambda field, value: one_of(field, value, CHOICES)):
        with pytest.raises(InputError) as raised:
            rule("field", value)
        assert raised.value.field == "field"
        assert raised.value.value is value
        assert raised.value.remedy


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Path("/" + "long/" * 40), repr("/" + "long/" * 39 + "long")),
        ("x" * 80, "'" + "x" * 56 + "..."),
        (10**5000, "a number of more than 4300 digits"),
        ([1, [10**5000]], "a number of more than 4300 digits"),
    ],
    ids=["path", "text", "number", "list"],
)
def test_what_is_too_long_to_show_is_cut(value: Any, text: str) -> None:
    assert shown(value) == text


def test_what_is_nested_too_deeply_to_show_is_said() -> None:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    assert shown(nested) == "a list nested too deeply to show"
    while nested:  # Python frees it by recursion otherwise
        nested = nested.pop()


def test_whole_numbers_have_bounds() -> None:
    assert [whole_number("x", value, least=0, most=2) for value in (0, 1, 2)] == [0, 1, 2]
    assert_refused(Refusal(lambda: whole_number("x", -1, least=0), "x", "-1", "whole number of at least 0"))
    assert_refused(Refusal(lambda: whole_number("x", 3, most=2), "x", "3", "whole number of at most 2"))
    assert seed("seed", (1 << 32) - 1) == (1 << 32) - 1
    assert_refused(Refusal(lambda: seed("seed", 1 << 32), "seed", "4294967296", "from 0 to 2**32 - 1"))


def test_fractions_are_below_1() -> None:
    assert [fraction("x", value) for value in (0, 0.5)] == [0.0, 0.5]
    for value in (1, -0.1, float("nan"), "0.5", True):
        assert_refused(Refusal(lambda v=value: fraction("x", v), "x", repr(value), "from 0 up to, not including, 1"))


def sources() -> Iterator[tuple[Path, ast.AST]]:
    root = Path(jaxgrad.__file__).parent
    for path in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            yield path.relative_to(root), node


def test_bad_input_is_an_input_error_everywhere() -> None:
    """A text alone could not be told from a bug's, nor be said again of another field."""
    plain = [
        f"{path}:{node.lineno}"
        for path, node in sources()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "ValueError"
    ]
    assert plain == []


def test_one_place_knows_of_pydantic_s_errors() -> None:
    """Where models are declared they are caught, and beside that put into our words."""
    found = {str(path) for path, node in sources() if isinstance(node, ast.Name) and node.id == "ValidationError"}
    assert found == {"base/schema.py", "base/translation.py"}
