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
from jaxgrad.base.arithmetic import ceil_div, exact, maximum, minimum, where
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


MAPPINGS = (schedules.INTERLEAVED, schedules.SEQUENTIAL, schedules.DX_WS[0], schedules.DW_OS[0], *schedules.DW_WS)
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


@given(st.integers(0, 2**49), st.integers(1, 2**49))
def test_whole_numbers_in_floats_are_rounded_up_as_ints_are(number: int, divisor: int) -> None:
    assert ceil_div(float(number), float(divisor)) == ceil_div(number, divisor)


@given(
    st.lists(st.integers(0, 2**20), min_size=1), st.integers(1, 2**20), st.sampled_from([-1, 0, 1])
)  # quotients near an integer, where a product with the reciprocal is off
def test_under_jit_too(quotients: list[int], divisor: int, beside: int) -> None:
    numbers = [max(0, quotient * divisor + beside) for quotient in quotients]
    with jax.enable_x64(True):
        rounded = jax.jit(ceil_div)(jnp.array(numbers, float), jnp.array(divisor, float))
    assert rounded.tolist() == [ceil_div(number, divisor) for number in numbers]


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.__name__)
def test_jax_in_whole_floats(formula: Formula) -> None:
    with jax.enable_x64(True):
        numbers = jax.jit(formula)(*(jnp.asarray(column, float) for column in COLUMNS))
        np.testing.assert_array_equal(np.stack(numbers), by_python(formula))
