"""jaxgrad.array.passes.tiles: a matmul a tile, added up in the array's order."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgrad.array.passes import tiles
from jaxgrad.array.passes.combinators import interleave, transposed
from jaxgrad.array.passes.output_stationary import output_stationary
from jaxgrad.array.passes.tiles import Extent, extents
from jaxgrad.array.passes.weight_stationary import weight_stationary
from jaxgrad.array.wide import Wide


def test_extents_by_hand() -> None:
    assert extents(10, 4) == [Extent(0, 2, 4), Extent(8, 1, 2)]
    assert extents(8, 4) == [Extent(0, 2, 4)]
    assert extents(3, 4) == [Extent(0, 1, 3)]


@given(length=st.integers(1, 500), tile=st.integers(1, 60))
def test_extents_partition_an_axis(length: int, tile: int) -> None:
    parts = extents(length, tile)
    covered = [part.start + i for part in parts for i in range(part.count * part.size)]
    assert covered == list(range(length))
    blocks = [part.size for part in parts for _ in range(part.count)]
    assert blocks[:-1] == [tile] * (len(blocks) - 1)
    assert 1 <= blocks[-1] <= tile


def as_int(count: Wide) -> int:
    return int(count.high) * 2**32 + int(count.low)


# s, p, q on rows x cols: ragged both ways, exact, one tile larger than the GEMM, one element a tile
@pytest.mark.parametrize("shape", [(3, 7, 5, 2, 3), (3, 6, 4, 3, 2), (2, 3, 2, 8, 8), (1, 3, 2, 1, 1)])
def test_results_and_effectual_macs(shape: tuple[int, ...]) -> None:
    s, p, q, rows, cols = shape
    rng = np.random.default_rng(p)
    h, kept, streamed = (rng.integers(-2, 3, size).astype(np.float32) for size in ((s, p), (p, q), (s, q)))
    both = interleave(weight_stationary(), output_stationary())
    results, effectual = jax.jit(lambda *operands: tiles.run(both, operands[0], operands[1:], rows, cols))(
        h, kept, streamed
    )
    np.testing.assert_array_equal(results[0], h @ kept)
    np.testing.assert_array_equal(results[1], h.T @ streamed)
    nonzero = [(operand != 0).astype(int) for operand in (h, kept, streamed)]
    assert as_int(effectual[0]) == (nonzero[0] @ nonzero[1]).sum()
    assert as_int(effectual[1]) == (nonzero[0].T @ nonzero[2]).sum()


@pytest.mark.parametrize("shape", [(3, 7, 5, 2, 3), (1, 3, 2, 1, 1)])
def test_an_operand_used_both_ways(shape: tuple[int, ...]) -> None:
    s, p, q, rows, cols = shape
    rng = np.random.default_rng(q)
    h, kept, streamed = (rng.integers(-2, 3, size).astype(np.float32) for size in ((s, p), (p, q), (s, q)))
    both = interleave(weight_stationary(), transposed(weight_stationary()))
    results, effectual = jax.jit(lambda *operands: tiles.run(both, operands[0], operands[1:], rows, cols))(
        h, kept, streamed
    )
    np.testing.assert_array_equal(results[0], h @ kept)
    np.testing.assert_array_equal(results[1], streamed @ kept.T)
    assert as_int(effectual[1]) == ((streamed != 0).astype(int) @ (kept != 0).T).sum()


# float32 holds 2**24 and 2**24 + 2 but nothing between, so the sum tells in what order it was taken.
@pytest.mark.parametrize(("rows", "expected"), [(1, 0.0), (2, 2.0)])
def test_partial_sums_are_added_tile_by_tile(rows: int, expected: float) -> None:
    """One term a tile: each 1 is lost beside 2**24. Two a tile: 1 + 1 is not."""
    terms = jnp.array([[2.0**24, 1.0, 1.0, 1.0, -(2.0**24)]])
    (result,), _ = tiles.run(weight_stationary(), terms, (jnp.ones((5, 1)),), rows, 1)
    assert float(result[0, 0]) == expected


@pytest.mark.parametrize(("cols", "expected"), [(1, 0.0), (2, 2.0)])
def test_sums_that_flow_right_are_added_tile_by_tile(cols: int, expected: float) -> None:
    terms = jnp.array([[2.0**24, 1.0, 1.0, 1.0, -(2.0**24)]])
    both = interleave(weight_stationary(), transposed(weight_stationary()))
    (_, result), _ = tiles.run(both, jnp.ones((1, 1)), (jnp.ones((1, 5)), terms), 1, cols)
    assert float(result[0, 0]) == expected


def test_padding_takes_no_part() -> None:
    """An edge tile is as large as what is real: no padded zero can meet an infinity and make it NaN."""
    h = jnp.array([[jnp.inf, 1.0, 2.0]])
    (result,), (effectual,) = tiles.run(weight_stationary(), h, (jnp.ones((3, 3)),), 2, 2)
    np.testing.assert_array_equal(result, np.full((1, 3), np.inf))
    assert as_int(effectual) == 9
