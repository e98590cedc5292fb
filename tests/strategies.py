"""What the property tests draw: GEMMs on arrays, and float32 data of the kinds that tell emulators apart.

Shapes are static to jit, so each case compiles anew while new data costs next to nothing: a test draws few cases and
tries data of every kind on each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import numpy as np
from hypothesis import example
from hypothesis import strategies as st
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Test = TypeVar("Test", bound=Callable[..., None])

MAX_SIZE = 12
MAX_LANES = 5


class Case(NamedTuple):
    """A layer's GEMM sizes, the array's, its buffering, and a seed for the data."""

    b: int
    k: int
    n: int
    rows: int
    cols: int
    double_buffered: bool
    seed: int


def cases() -> st.SearchStrategy[Case]:
    size, lanes = st.integers(1, MAX_SIZE), st.integers(1, MAX_LANES)
    return st.builds(Case, size, size, size, lanes, lanes, st.booleans(), st.integers(0, 2**16))


NASTY = (
    Case(1, 1, 1, 1, 1, False, 0),
    Case(1, 1, 1, 4, 3, True, 1),  # one element, an array of padding
    Case(3, 4, 5, 1, 1, True, 2),  # every tile a single PE
    Case(2, 7, 9, 5, 1, True, 3),  # rows >> batch: loads and drains bound the time
    Case(2, 7, 9, 1, 5, False, 4),  # columns >> batch
    Case(5, 9, 11, 5, 4, True, 5),  # batch == rows: no bubble anywhere; ragged edge tiles
    Case(12, 1, 6, 4, 2, False, 6),
)


def on_nasty_cases(test: Test) -> Test:
    """Always tries NASTY too. The test's drawn argument is called `case`."""
    for case in NASTY:
        test = example(case=case)(test)
    return test


def mixture(rng: np.random.Generator, shape: tuple[int, ...], odd: list[float], share: float) -> Floats:
    """Small integers, a share of them replaced by draws from `odd`."""
    usual = rng.integers(-4, 5, shape).astype(np.float32)
    return np.where(rng.random(shape) < share, rng.choice(np.array(odd, np.float32), shape), usual)


def dense_integers(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    return (rng.integers(1, 9, shape) * rng.choice([-1, 1], shape)).astype(np.float32)


def relu_sparse(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Half of the elements zeros, some of them minus zero."""
    return np.where(rng.random(shape) < 0.1, np.float32(-0.0), np.maximum(rng.integers(-5, 6, shape), 0)).astype(
        np.float32
    )


def subnormals(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Zeros to XLA on CPU, which flushes them (hence no infinities here: 0 * inf), effectual operands all the same."""
    return mixture(rng, shape, [1e-40, -1e-40, 1.4e-45, 1.1e-38, 0.0], 0.6)


def not_finite(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    return mixture(rng, shape, [np.nan, np.inf, -np.inf, 0.0, -0.0], 0.25)


def reals(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Normal deviates of widely different scale."""
    return (rng.standard_normal(shape) * 10.0 ** rng.integers(-3, 4, shape)).astype(np.float32)


EXACT = {"dense_integers": dense_integers, "relu_sparse": relu_sparse, "not_finite": not_finite}
ROUNDED = {"subnormals": subnormals, "reals": reals}
