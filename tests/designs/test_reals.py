"""jaxgrad.designs.reals: the formulas of whole numbers, relaxed."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgrad.array import schedules
from jaxgrad.array.counts import CYCLES
from jaxgrad.base.arithmetic import ceil_div, last_block, maximum, minimum, where
from jaxgrad.costs import blocks
from jaxgrad.costs.alternating import words_shared
from jaxgrad.designs.questions import Arrays
from jaxgrad.designs.reals import Real, raw, smooth_ceil

MAPPINGS = (schedules.INTERLEAVED, schedules.SEQUENTIAL, schedules.DX_WS[0], schedules.DW_OS[0], *schedules.DW_WS)


@given(st.integers(0, 3000), st.floats(0.001, 0.999), st.floats(0.001, 0.999))
def test_a_smooth_ceiling_rises_from_integer_to_integer(whole: int, one: float, other: float) -> None:
    assert smooth_ceil(float(whole)) == whole
    low, high = sorted((one, other))
    between = [float(smooth_ceil(whole + part)) for part in (low, high)]
    assert whole < between[0] <= between[1] <= whole + 1
    if 0 < whole < 1024:
        assert between[0] > whole + low  # nearer to the ceiling than the number itself
        assert float(smooth_ceil(whole + 0.5)) > whole + 0.85


def test_a_smooth_ceiling_has_a_slope_wherever_more_than_one_tile_is_needed() -> None:
    with jax.enable_x64(True):
        slope = jax.vmap(jax.grad(smooth_ceil))(jnp.array([0.4, 1.001, 1.5, 1.999, 2000.5]))
        np.testing.assert_allclose(slope[jnp.array([0, 4])], [0.0, 1.0])
        assert slope[1] > 4 * slope[2] > 8 * slope[3] > 0


@pytest.mark.parametrize(("one", "other"), [(Real(7.0), Real(2.0)), (7.0, Real(2.0)), (Real(7.0), 2.0)])
def test_quotients_are_rounded_up_smoothly(one: Any, other: Any) -> None:
    assert 3.5 < float(raw(ceil_div(one, other))) < 4
    assert float(raw(ceil_div(one + 1.0, other))) == 4
    assert float(raw(ceil_div(one * 0.0, Real(2.0)))) == 0


def test_operators_are_those_of_arrays() -> None:
    values = jnp.array([3.5, -2.0])
    number = Real(values)
    for result, expected in [
        (2.0 - number, 2.0 - values), (number - 2.0, values - 2.0), (-number, -values), (3.0 * number, 3.0 * values),
        (number / 2.0, values / 2.0), (number // 2.0, values // 2.0), (np.ones(2) + number, values + 1.0),
        (maximum(number, 0.0), jnp.maximum(values, 0.0)), (minimum(values, number), values),
        (where(number > 0.0, number, 1.0), jnp.where(values > 0.0, values, 1.0)),
        (last_block(number, 1.0, 2.0), values - 1.0),
    ]:  # fmt: skip
        assert isinstance(result, Real)
        np.testing.assert_array_equal(result.value, expected)
    assert (number <= 3.5).tolist() == [True, True]
    assert ((number == 3.5) | (number < -2.0)).tolist() == [True, False]


def test_blocks_all_at_once_are_those_of_integers_one_by_one() -> None:
    """Where every size is a whole number of tiles and blocks, nothing is rounded: the sums are the same."""
    sizes, block = {"b": 24, "k": 16, "n": 12}, {"b": 8, "k": 8, "n": 4}
    real_sizes, real_block = ({axis: Real(float(size)) for axis, size in some.items()} for some in (sizes, block))
    for mapping in MAPPINGS:
        array = Arrays(4, 8, True)
        exactly = blocks.counts([mapping], sizes, block, array)
        relaxed = blocks.counts([mapping], real_sizes, real_block, array)
        assert {key: float(raw(value)) for key, value in relaxed.items()} == exactly
        assert float(raw(blocks.cycles([mapping], real_sizes, real_block, array))) == exactly[CYCLES]


@given(
    b=st.integers(1, 40),
    n=st.integers(1, 40),
    rows=st.integers(1, 5),
    cols=st.integers(1, 5),
    window=st.integers(0, 80),
)
def test_words_that_alternating_nests_share_are_exact_where_nothing_is_rounded(
    b: int, n: int, rows: int, cols: int, window: int
) -> None:
    lengths, block = (b * rows, n * cols), (rows, cols)
    relaxed = words_shared(_reals(*lengths), _reals(*block), Real(float(window)))
    assert float(raw(relaxed)) == words_shared(lengths, block, window)


def _reals(first: int, second: int) -> tuple[Real, Real]:
    return Real(float(first)), Real(float(second))
