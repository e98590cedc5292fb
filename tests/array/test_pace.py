"""The estimate of a register-level run, beside such runs."""

from __future__ import annotations

import time

import jax
import numpy as np
import pytest

from jaxgrad.array.counting import count
from jaxgrad.array.emulation import emulate
from jaxgrad.array.gemm import Gemm
from jaxgrad.array.pace import duration, register_seconds
from jaxgrad.hardware import Accelerator


@pytest.mark.slow
@pytest.mark.parametrize(
    ("array", "gemm"),
    [(Accelerator(64, 48), Gemm(700, 150, 130)), (Accelerator(16, 12, double_buffered=True), Gemm(150, 50, 60))],
    ids=["serial", "overlapped"],
)
def test_it_is_of_the_order_of_what_a_run_takes(array: Accelerator, gemm: Gemm) -> None:
    """In time of the CPU, which other processes take nothing of."""
    b, k, n = gemm.sizes.values()
    x, w, dy = (np.ones(shape, np.float32) for shape in ((b, k), (k, n), (b, n)))
    run = jax.jit(lambda x, w, dy: emulate(x, w, dy, array, fidelity="register"))
    jax.block_until_ready(run(x, w, dy))
    started = time.process_time()
    jax.block_until_ready(run(x, w, dy))
    took = time.process_time() - started
    assert took / 5 < register_seconds(count(gemm, array).as_dict()["cycles"], array) < took * 5


def test_it_grows_with_cycles_and_with_pes() -> None:
    small = register_seconds(10**6, Accelerator(8, 8))
    assert register_seconds(3 * 10**6, Accelerator(8, 8)) == pytest.approx(3 * small)
    assert register_seconds(10**6, Accelerator(8, 16)) > small
    assert register_seconds(10**6, Accelerator(8, 8, double_buffered=True)) > 10 * small
    both_ways, shadows = Accelerator(8, 8), Accelerator(8, 8, double_buffered=True)
    assert register_seconds(10**6, both_ways, "interleaved_k") == register_seconds(10**6, shadows)
    assert register_seconds(10**6, both_ways, "interleaved") == small


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "about 0.0 s"),
        (59.9, "about 60 s"),
        (60, "about 1.0 min"),
        (5400, "about 1.5 h"),
        (864e5, "about 1,000 days"),
    ],
)
def test_durations_are_said_in_the_largest_unit_that_fits(seconds: float, said: str) -> None:
    assert duration(seconds) == said
