"""jaxgrad.base.arithmetic: Python ints, NumPy's arrays and JAX's give the same costs, however they are computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgrad.array import closed_form, schedules
from jaxgrad.array.counts import CYCLES
from jaxgrad.base.arithmetic import ceil_div, exact, maximum, minimum, smooth_ceil, where
from jaxgrad.costs import blocks
from jaxgrad.costs.nests import resident, traffic
from jaxgrad.costs.orders import rule
from jaxgrad.costs.transfers import Shapes, Storage, dram_bytes, dram_words, needed_bytes, stall_cycles
from jaxgrad.hardware import Precision
from tests.costs.layers import SEPARATE

CASES = 40
RNG = np.random.default_rng(7)
COLUMNS = np.stack([RNG.integers(1, 60, CASES) for _ in range(8)])
COLUMNS[3:6] = np.minimum(COLUMNS[3:6], COLUMNS[:3])  # blocks are no larger than the layer
COLUMNS[:, 0] = 1


class Array(NamedTuple):
    rows: Any
    cols: Any
    double_buffered: bool


MAPPINGS = (schedules.INTERLEAVED, schedules.SEQUENTIAL, schedules.DX_WS, schedules.DW_OS, *schedules.DW_WS)
PRECISION = Precision.of("mxfp8")


def closed_forms(b: Any, k: Any, n: Any, _b: Any, _k: Any, _n: Any, rows: Any, cols: Any) -> list[Any]:
    numbers: list[Any] = []
    for mapping in MAPPINGS:
        for double_buffered in (False, True):
            array = Array(rows, cols, double_buffered)
            numbers.append(closed_form.cycles(mapping.keeps, mapping.order, b, k, n, array))
            events = closed_form.events(mapping.keeps, mapping.order, b, k, n, array)
            numbers += [events.cycles, events.stream_reads, events.stream_hops]
            numbers += [slot.psum_reads + slot.psum_hops + slot.operand_hops for slot in events.slots]
    return numbers


def block_cycles(b: Any, k: Any, n: Any, to_b: Any, to_k: Any, to_n: Any, rows: Any, cols: Any) -> list[Any]:
    sizes, block = {"b": b, "k": k, "n": n}, {"b": to_b, "k": to_k, "n": to_n}
    return [
        blocks.cycles([mapping], sizes, block, Array(rows, cols, double_buffered))
        for mapping in MAPPINGS
        for double_buffered in (False, True)
    ]


def block_counts(b: Any, k: Any, n: Any, to_b: Any, to_k: Any, to_n: Any, rows: Any, cols: Any) -> list[Any]:
    sizes, block = {"b": b, "k": k, "n": n}, {"b": to_b, "k": to_k, "n": to_n}
    counts = blocks.counts([schedules.INTERLEAVED], sizes, block, Array(rows, cols, False))
    return [counts[name] for name in sorted(counts)]


def memory(b: Any, k: Any, n: Any, to_b: Any, to_k: Any, to_n: Any, rows: Any, cols: Any) -> list[Any]:
    shapes, block = Shapes(b, k, n, b * k), {"b": to_b, "k": to_k, "n": to_n}
    numbers: list[Any] = [rule(b, k, n)]
    for nest in SEPARATE[::9]:  # one of each kind
        moved = traffic(nest, shapes.sizes, block, shapes.words)
        numbers += [moved[name] for name in sorted(moved)]
        numbers += [resident(nest, name, shapes.sizes, block) for name in nest.tensors]
        size = dram_bytes(dram_words([nest], shapes, block, PRECISION, 0), PRECISION)
        storage = Storage(rows * 1000, cols, rows)
        numbers.append(stall_cycles(b * k, size, [nest], shapes, block, storage, PRECISION))
        numbers.append(storage.spare_bytes(needed_bytes([nest], shapes, block, PRECISION)))
    return numbers


FORMULAS = [closed_forms, block_cycles, block_counts, memory]
Formula = Callable[..., list[Any]]


def by_python(formula: Formula) -> np.ndarray:
    """One case after the other, in Python ints."""
    each = [formula(*(int(value) for value in column)) for column in COLUMNS.T]
    assert all(isinstance(number, int) for numbers in each for number in numbers)
    return np.array(each, np.int64).T


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.__name__)
def test_numpy(formula: Formula) -> None:
    numbers = [np.asarray(number) for number in formula(*map(exact, COLUMNS.astype(np.int64)))]
    assert all(number.dtype == np.int64 for number in numbers)
    np.testing.assert_array_equal(np.stack(numbers), by_python(formula))


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.__name__)
def test_numbers_past_64_bits(formula: Formula) -> None:
    """Sizes past 64 bits: layers and blocks 2^40 times as long on every axis."""
    columns = COLUMNS.astype(object)
    columns[:6] *= 2**40
    numbers = formula(*map(exact, columns))
    each = [formula(*column) for column in columns.T]
    assert [number.tolist() for number in numbers] == [list(row) for row in zip(*each, strict=True)]
    assert max(max(row) for row in each) > 2**63


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.__name__)
def test_jax_under_jit_and_vmap(formula: Formula) -> None:
    with jax.enable_x64(True):
        together = jax.jit(formula)(*map(jnp.asarray, COLUMNS))
        each = jax.jit(jax.vmap(formula))(*map(jnp.asarray, COLUMNS))
        expected = by_python(formula)
        for numbers in (together, each):
            assert all(number.dtype == jnp.int64 for number in numbers)
            np.testing.assert_array_equal(np.stack(numbers), expected)


@pytest.mark.parametrize("kind", [int, np.int64, jnp.asarray])
def test_arithmetic(kind: Callable[[int], Any]) -> None:
    a, b = kind(7), kind(2)
    assert int(ceil_div(a, b)) == 4
    assert int(ceil_div(kind(8), b)) == 4
    assert int(maximum(a, b, kind(5))) == 7
    assert int(minimum(a, b, 5)) == 2
    assert int(where(a > b, a, b)) == 7
    assert int(where(a < b, a, 3)) == 3


def test_python_ints_stay_python_ints() -> None:
    huge = 2**80
    for number in (maximum(huge, 1), minimum(huge, huge + 1), where(True, huge, 0), where(np.bool_(False), 0, huge)):
        assert type(number) is int
        assert number == huge


def test_exact_chooses_by_the_numbers_themselves() -> None:
    assert exact([1, 2]).values.dtype == np.int64
    assert exact([1, 2**63]).values.dtype == object


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


@pytest.mark.parametrize("kind", [float, np.float64, lambda value: jnp.asarray(value, jnp.float32)])
def test_quotients_of_reals_are_rounded_up_smoothly(kind: Callable[[int], Any]) -> None:
    assert float(ceil_div(kind(8), kind(2))) == 4
    assert 3.5 < float(ceil_div(kind(7), kind(2))) < 4
    assert float(ceil_div(kind(0), 2)) == 0
    assert float(ceil_div(kind(1), 2)) == 1


def test_blocks_of_reals_all_at_once_are_those_of_integers_one_by_one() -> None:
    """Where every size is a whole number of tiles and blocks, nothing is rounded: the sums are the same."""
    sizes, block = {"b": 24, "k": 16, "n": 12}, {"b": 8, "k": 8, "n": 4}
    for mapping in MAPPINGS:
        array = Array(4, 8, True)
        exactly = blocks.counts([mapping], sizes, block, array)
        real_sizes, real_block = ({axis: np.float64(size) for axis, size in each.items()} for each in (sizes, block))
        assert blocks.counts([mapping], real_sizes, real_block, array) == exactly
        assert blocks.cycles([mapping], real_sizes, real_block, array) == exactly[CYCLES]
