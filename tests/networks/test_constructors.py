"""Constructors are called with what their signatures name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from flax import nnx

from jaxgrad.networks.constructors import call, options_of, unmet

VALUES = {"input_shape": (1, 2, 3), "classes": 4, "rngs": 5}


class Net(nnx.Module):
    def __init__(self, classes: int, width: int = 3, *, rngs: Any) -> None:
        self.given = classes, width, rngs


def by_place(rngs: Any, input_shape: Any, /, depth: int = 2, **further: Any) -> Any:
    return rngs, input_shape, depth, further


def nothing() -> str:
    return "nothing"


@pytest.mark.parametrize(
    ("constructor", "options", "made", "takes"),
    [
        (by_place, {}, (5, (1, 2, 3), 2, {}), ("depth",)),
        (by_place, {"depth": 7, "other": 8}, (5, (1, 2, 3), 7, {"other": 8}), ("depth",)),
        (partial(by_place, depth=9), {}, (5, (1, 2, 3), 9, {}), ()),
        (partial(by_place, "mine"), {}, ("mine", (1, 2, 3), 2, {}), ("depth",)),
        (nothing, {}, "nothing", ()),
    ],
)
def test_it_gets_what_it_names_and_its_options(
    constructor: Callable[..., Any], options: dict[str, Any], made: Any, takes: tuple[str, ...]
) -> None:
    assert unmet(constructor) is None
    assert options_of(constructor) == takes
    assert call(constructor, VALUES, options) == made


def test_of_a_class_its_initialiser_tells() -> None:
    assert options_of(Net) == ("width",)
    assert call(Net, VALUES, {}).given == (4, 3, 5)
    assert call(partial(Net, width=6), VALUES, {}).given == (4, 6, 5)
    assert options_of(partial(Net, width=6)) == ()


def test_what_it_needs_besides_is_named() -> None:
    assert unmet(lambda rngs, depth, *rest, width, **others: None) == "depth and width"
    assert unmet(lambda key: None) == "key"
    assert unmet(lambda key: None, ("key",)) is None
