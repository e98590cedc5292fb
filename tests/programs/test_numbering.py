from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import pytest
from jax import Array, lax

from jaxgrad.programs.numbering import walk
from jaxgrad.programs.trace import Value

X = jnp.ones((3, 4))
SQUARE = jnp.ones((4, 4))


def in_jit(w: Array) -> Array:
    return jax.jit(lambda v: (X @ v).sum())(w)


def in_cond(w: Array) -> Array:
    return lax.cond(w[0, 0] > 0, lambda: (X @ w).sum(), lambda: w.sum())


def in_scan(w: Array) -> Array:
    return lax.scan(lambda total, _: (total + (X @ w).sum(), None), jnp.zeros(()), length=2)[0]


def in_while(w: Array) -> Array:
    return lax.while_loop(lambda total: total < 1, lambda total: total + (X @ w).sum(), jnp.zeros(()))


def lefts(function: Callable[[Array], Array]) -> list[Value]:
    """The left operands of all matrix products."""
    trace = walk(jax.make_jaxpr(function)(SQUARE))
    return [site.operands[0] for site in trace.sites if site.equation.primitive.name == "dot_general"]


@pytest.mark.parametrize("function", [in_jit, in_cond, in_scan, in_while])
def test_an_array_of_the_program_is_one_value_wherever_a_trace_takes_it_in(function: Callable[[Array], Array]) -> None:
    inner, outer, other = lefts(lambda w: function(w) + (X @ w).sum() + (jnp.ones((3, 4)) @ w).sum())
    assert inner == outer
    assert other != outer


@pytest.mark.parametrize(("number", "same"), [(3.0, True), (0.0, False), (float("inf"), False), (float("nan"), False)])
def test_a_multiple_is_the_same_value_if_it_can_be_undone(number: float, same: bool) -> None:
    plain, multiple = lefts(lambda w: (w @ SQUARE).sum() + ((number * w) @ SQUARE).sum())
    assert (plain.origin == multiple.origin) is same
