"""jaxgrad.array.passes.circuit: functions of planes of one PE, as gates."""

from __future__ import annotations

import jax.numpy as jnp
import pytest
from jax import Array

from jaxgrad.array.passes.base import product, shift_down
from jaxgrad.array.passes.circuit import ROUNDED, Node, gates, inputs, select, traced
from jaxgrad.base.errors import InputError

PLANE, FLAG = jnp.zeros((1, 1)), jnp.zeros((1, 1), bool)
A, B, C = inputs("a", "b", "c")


def test_a_sum_of_a_product() -> None:
    found = traced(lambda a, b, c: c + a * b, ((A, PLANE), (B, PLANE), (C, PLANE)))
    assert found == Node("add", (C, Node("mul", (A, B))))
    assert [node.gate for node in gates([found])] == ["input", "input", "input", "mul", "add"]


def test_a_chain_takes_what_is_above_where_it_is_enabled() -> None:
    moved, bottom = traced(shift_down, ((A, PLANE), (B, PLANE[0]), (C, FLAG)))
    assert moved == Node("select", (C, B, A))
    assert bottom == A


def test_what_is_known_is_no_gate() -> None:
    def owned(a: Array, b: Array) -> Array:
        return jnp.where((jnp.full((1, 1), 1) - 1 >= 0) & (jnp.full((1, 1), 1) < 2), a, b)

    assert traced(owned, ((A, PLANE), (B, PLANE))) == A
    assert select(C, A, A) == A


def test_a_part_of_a_plane_is_the_value_itself() -> None:
    def turned(a: Array) -> Array:
        return jnp.concatenate([a.T[:0], a[::-1]])[-1]

    assert traced(turned, ((A, PLANE),)) == A


def test_what_no_gate_does_is_one_line() -> None:
    with pytest.raises(InputError, match=r"got a pass whose step uses exp; a PE has gates for"):
        traced(jnp.exp, ((A, PLANE),))


def test_a_product_that_is_rounded_is_a_product() -> None:
    found = traced(lambda a, b, c: c + product(a, b), ((A, PLANE), (B, PLANE), (C, PLANE)))
    assert found == Node("add", (C, Node("mul", (A, B), ROUNDED)))


def test_a_word_that_becomes_another_type_is_refused() -> None:
    with pytest.raises(InputError, match="convert_element_type"):
        traced(lambda a: a.astype(jnp.bfloat16), ((A, PLANE),))
