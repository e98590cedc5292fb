"""jaxgrad.base.registry: records by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from jaxgrad.base.errors import InputError, one_of
from jaxgrad.base.registry import Registry
from tests.refusals import Refusal, assert_refused


class Dish(NamedTuple):
    name: str
    hot: bool = True


SOUP, SALAD = Dish("soup"), Dish("salad", hot=False)


@pytest.fixture
def dishes() -> Registry[Dish]:
    registry = Registry("dish", Dish)
    registry.register(SOUP)
    registry.register(SALAD)
    return registry


def test_records_are_found_by_name_and_by_themselves(dishes: Registry[Dish]) -> None:
    assert dishes.find("soup") is SOUP
    assert dishes.find(SOUP) is SOUP
    stranger = Dish("stew")
    assert dishes.find(stranger) is stranger
    assert "stew" not in dishes
    assert dict(dishes) == {"soup": SOUP, "salad": SALAD}


def test_names_follow_what_is_registered(dishes: Registry[Dish]) -> None:
    every, hot = dishes.names(), dishes.names(lambda dish: dish.hot)
    assert (list(every), list(hot)) == (["soup", "salad"], ["soup"])
    dishes.register(Dish("stew"))
    assert (list(every), list(hot)) == (["soup", "salad", "stew"], ["soup", "stew"])
    assert (every[-1], every[1:], hot.index("stew"), len(hot)) == ("stew", ("salad", "stew"), 1, 2)
    assert "salad" in every
    assert "salad" not in hot
    dishes.unregister("soup")
    assert (list(every), list(hot)) == (["salad", "stew"], ["stew"])


def test_a_record_is_found_by_its_alias_and_known_by_its_name(dishes: Registry[Dish]) -> None:
    stew = dishes.register(Dish("stew"), alias="ragout")
    assert dishes.find("ragout") is stew
    assert list(dishes.names()) == ["soup", "salad", "stew"]
    assert one_of("dish", "ragout", dishes.names(lambda dish: dish.hot)) == "stew"
    with pytest.raises(InputError, match=r"got 'ragout'; choose one of salad"):
        one_of("dish", "ragout", dishes.names(lambda dish: not dish.hot))


@pytest.mark.parametrize(("name", "alias"), [("ragout", ""), ("goulash", "ragout"), ("goulash", "soup")])
def test_a_name_that_finds_another_record_is_refused(dishes: Registry[Dish], name: str, alias: str) -> None:
    dishes.register(Dish("stew"), alias="ragout")
    with pytest.raises(InputError, match="choose another name"):
        dishes.register(Dish(name), alias=alias)
    assert dishes.find("ragout").name == "stew"
    assert "goulash" not in dishes


def test_an_equal_record_may_be_registered_again(dishes: Registry[Dish]) -> None:
    assert dishes.register(Dish("soup")) is SOUP
    assert len(dishes) == 2


@pytest.mark.parametrize(
    ("call", "shown", "remedy"),
    [
        (lambda own: own.find("soop"), "'soop'", "choose one of soup, salad (did you mean 'soup'?)"),
        (lambda own: own.find(None), "None", "choose one of soup, salad"),
        (lambda own: own.find(["soup"]), "['soup']", "choose one of soup, salad"),
        (lambda own: own.find(Dish("soup", hot=False)), "'soup'", "give it a name of its own"),
        (lambda own: own.register(Dish("soup", hot=False)), "'soup'", "give it a name of its own"),
        (lambda own: own.register("soup"), "'soup'", "register a Dish"),
        (lambda own: own.unregister("stew"), "'stew'", "choose one of soup, salad"),
    ],
)
def test_refused(dishes: Registry[Dish], call: Callable[[Registry[Any]], Any], shown: str, remedy: str) -> None:
    assert_refused(Refusal(lambda: call(dishes), "dish", shown, remedy))
