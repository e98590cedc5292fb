"""jaxgrad.array.wide against Python's integers, which know no overflow."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgrad.array import wide
from jaxgrad.array.wide import Wide

WORD, MODULUS = 2**32, 2**64
LANES = 8  # one shape: each new one compiles anew
EDGES = [0, 1, 2**16 - 1, 2**16, 2**31, 2**32 - 1, 2**32, 2**32 + 1, 2**48, 2**63 - 1, 2**63, 2**64 - 1]


def lanes(below: int) -> st.SearchStrategy[list[int]]:
    """As many whole numbers as there are lanes, often where a half or a word is full."""
    edges = [edge for edge in EDGES if edge < below]
    return st.lists(st.sampled_from(edges) | st.integers(0, below - 1), min_size=LANES, max_size=LANES)


def pairs(values: list[int]) -> Wide:
    return Wide(words([value // WORD for value in values]), words([value % WORD for value in values]))


def words(values: list[int]) -> jax.Array:
    return jnp.asarray(np.array(values, np.uint32))


def ints(pair: Wide) -> list[int]:
    assert pair.high.dtype == pair.low.dtype == jnp.uint32
    high, low = (np.asarray(part).reshape(-1).tolist() for part in pair)
    return [upper * WORD + lower for upper, lower in zip(high, low, strict=True)]


@pytest.mark.parametrize("value", EDGES)
def test_of(value: int) -> None:
    assert ints(wide.of(value)) == [value]


@given(lanes(MODULUS), lanes(MODULUS))
def test_add_and_subtract_carry_and_borrow(a: list[int], b: list[int]) -> None:
    assert ints(wide.add(pairs(a), pairs(b))) == [(x + y) % MODULUS for x, y in zip(a, b, strict=True)]
    assert ints(wide.subtract(pairs(a), pairs(b))) == [(x - y) % MODULUS for x, y in zip(a, b, strict=True)]


@given(lanes(WORD), lanes(WORD))
def test_multiply_and_dot(a: list[int], b: list[int]) -> None:
    products = [x * y for x, y in zip(a, b, strict=True)]
    assert ints(wide.multiply(words(a), words(b))) == products
    assert ints(wide.dot(words(a), words(b))) == [sum(products) % MODULUS]


@given(lanes(WORD), lanes(MODULUS))
def test_total_and_fold(a: list[int], b: list[int]) -> None:
    assert ints(wide.total(words(a))) == [sum(a)]
    assert ints(wide.fold(pairs(b))) == [sum(b) % MODULUS]


@pytest.mark.parametrize("terms", [1, 2, 65_535, 65_536, 65_537, 200_000])
def test_a_total_of_many_full_words(terms: int) -> None:
    """More terms than a sum of halves may have at once take a second round."""
    values = np.full(terms, WORD - 1, np.uint32)
    values[::3] -= np.arange(len(values[::3]), dtype=np.uint32)
    assert ints(jax.jit(wide.total)(values)) == [sum(values.tolist())]


@settings(max_examples=10)
@given(st.integers(0, 2**32))
def test_a_fold_over_leading_axes_keeps_the_others(seed: int) -> None:
    high, low = np.random.default_rng(seed).integers(0, WORD, (2, 2, 3, 4), np.uint64)
    exact = high.astype(object) * WORD + low.astype(object)
    pair = Wide(jnp.asarray(high.astype(np.uint32)), jnp.asarray(low.astype(np.uint32)))
    for axes in range(4):
        folded = wide.fold(pair, axes)
        assert folded.low.shape == exact.shape[axes:]
        expected = exact.reshape(-1, *exact.shape[axes:]).sum(0) % MODULUS if axes else exact
        assert ints(folded) == np.ravel(expected).tolist()


def test_a_fold_of_many_rows_keeps_its_columns() -> None:
    low = np.random.default_rng(0).integers(0, WORD, (70_000, 2), np.uint64)
    folded = wide.fold(Wide(jnp.ones(low.shape, jnp.uint32), jnp.asarray(low.astype(np.uint32))), 1)
    assert ints(folded) == [70_000 * WORD + sum(column) for column in low.T.tolist()]


@pytest.mark.parametrize(("shape", "axes", "left"), [((0,), None, ()), ((0, 3), 1, (3,)), ((4, 0, 3), 2, (3,))])
def test_a_fold_of_nothing_is_zero(shape: tuple[int, ...], axes: int | None, left: tuple[int, ...]) -> None:
    nothing = jnp.zeros(shape, jnp.uint32)
    folded = wide.fold(Wide(nothing, nothing), axes)
    assert folded.low.shape == folded.high.shape == left
    assert set(ints(folded)) <= {0}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("jitted", [False, True], ids=["eager", "jit"])
def test_nonzero_is_told_by_the_bits(dtype: str, jitted: bool) -> None:
    """XLA's own comparison takes a subnormal for zero; a multiplier in a PE gets an operand that is not."""
    limits = jnp.finfo(dtype)
    smallest, tiny = float(limits.smallest_subnormal), float(limits.smallest_normal)
    yes = [1.0, -2.5, tiny, -tiny, smallest, -smallest, tiny / 2, np.inf, -np.inf, np.nan, float(limits.max)]
    values = np.array([[0.0, -0.0, *yes], [*yes, 0.0, -0.0]], jnp.dtype(dtype))
    with jax.enable_x64(dtype == "float64"):
        given_values = jnp.asarray(values)
        assert given_values.dtype == dtype
        nonzero = jax.jit(wide.nonzero)(given_values) if jitted else wide.nonzero(given_values)
    expected = [[False, False, *[True] * len(yes)], [*[True] * len(yes), False, False]]
    np.testing.assert_array_equal(nonzero, expected)


def test_nonzeros_are_counted_along_an_axis() -> None:
    values = jnp.array([[0.0, -0.0, 1e-40], [jnp.nan, 0.0, 3.0]])
    for axis, expected in ((None, 3), (0, [1, 0, 2]), (1, [1, 2]), ((0, 1), 3)):
        counted = wide.count_nonzero(values, axis)
        assert counted.dtype == jnp.uint32
        np.testing.assert_array_equal(counted, expected)
