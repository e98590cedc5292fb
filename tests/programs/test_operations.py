"""jaxgrad.programs.operations: what one equation costs a vector unit, by hand."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import pytest
from jax import Array, lax
from jax.extend.core import Jaxpr

from jaxgrad.programs.operations import operations

X = jnp.ones((4, 8))
MAP = jnp.ones((1, 6, 6, 2))
WINDOW, STRIDES = (1, 2, 3, 1), (1, 2, 3, 1)  # 6 elements each, 3 x 2 of them


def pooled(x: Array) -> Array:
    return lax.reduce_window(x, -jnp.inf, lax.max, WINDOW, STRIDES, "VALID")


def by_primitive(jaxpr: Jaxpr) -> dict[str, int]:
    """Operations of the last equation of each primitive; some are functions that JAX jits."""
    counts: dict[str, int] = {}
    for equation in jaxpr.eqns:
        inner = equation.params.get("jaxpr")
        counts |= by_primitive(inner.jaxpr) if inner else {equation.primitive.name: operations(equation)}
    return counts


def taken(function: Callable[[Array], Array], x: Array, name: str) -> int:
    return by_primitive(jax.make_jaxpr(function)(x).jaxpr)[name]


@pytest.mark.parametrize(
    ("power", "multiplications"), [(2, 1), (3, 2), (4, 2), (5, 3), (7, 4), (8, 3), (15, 6), (-1, 1), (-7, 4)]
)
def test_an_integer_power_takes_its_multiplications_by_squaring(power: int, multiplications: int) -> None:
    assert taken(lambda x: lax.integer_pow(x, power), X, "integer_pow") == 32 * multiplications


@pytest.mark.parametrize(("name", "expected", "function"), [
    ("sort", 32 * 3, lambda x: lax.sort(x, dimension=1)),
    ("sort", 24 * 2, lambda x: lax.sort(x[:3], dimension=0)),  # of 3 numbers: at most 2 comparisons each
    ("sort", 0, lambda x: lax.sort(x[:, :1], dimension=1)),
    ("cumsum", 32, lambda x: lax.cumsum(x, 1)),
    ("reduce_sum", 32, lambda x: x.sum(0)),
    ("fft", 32 * 3, lambda x: lax.fft(x.astype(jnp.complex64), "fft", (8,))),
    ("transpose", 0, lambda x: x.T),
    ("iota", 0, lambda x: x + lax.iota(jnp.float32, 8)),
    ("add", 32, lambda x: x + lax.iota(jnp.float32, 8)),
    ("cholesky", 0, lambda x: lax.linalg.cholesky(x[:, :4], symmetrize_input=False)),
])  # fmt: skip
def test_work_of_other_primitives(name: str, expected: int, function: Callable[[Array], Array]) -> None:
    assert taken(function, X, name) == expected


def test_pooling_looks_at_each_element_of_each_window() -> None:
    windows, elements = 3 * 2 * 2, 6
    assert taken(pooled, MAP, "reduce_window_max") == windows * elements
    # Of each window: a comparison an element, and one addition.
    gradient = jax.grad(lambda x: pooled(x).sum())
    assert taken(gradient, MAP, "select_and_scatter_add") == windows * (elements + 1)


def test_a_scattered_addition_takes_one_an_element_that_is_added() -> None:
    rows = jnp.array([0, 2, 2])
    assert taken(lambda x: x.at[rows].add(X[:3]), X, "scatter-add") == 24
