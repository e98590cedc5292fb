"""The estimate of a register-level run, beside such runs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from jaxgrad.array.pace import duration, register_seconds
from jaxgrad.array.restrictions import overlapped_drain
from jaxgrad.hardware import Accelerator
from tests.command import ENVIRONMENT

MEASURE = """
import time, jax, numpy as np
from jaxgrad import Accelerator, Gemm, count, emulate
from jaxgrad.array.pace import register_seconds
for array, gemm in ((Accelerator(64, 48), Gemm(700, 150, 130)),
                    (Accelerator(16, 12, double_buffered=True), Gemm(150, 50, 60))):
    b, k, n = gemm.sizes.values()
    operands = [np.ones(shape, np.float32) for shape in ((b, k), (k, n), (b, n))]
    run = jax.jit(lambda x, w, dy: emulate(x, w, dy, array, fidelity="register"))
    jax.block_until_ready(run(*operands))
    started = time.process_time()
    jax.block_until_ready(run(*operands))
    took = time.process_time() - started
    print(took / register_seconds(count(gemm, array).as_dict()["cycles"], array))
"""


@pytest.mark.slow
def test_it_is_of_the_order_of_what_a_run_takes() -> None:
    """One tile after another and overlapping, in time of the CPU, which other processes take nothing of; compiled as
    for users, in a process of its own, since the suite's code is plain."""
    users = {**ENVIRONMENT, "XLA_FLAGS": ""}
    done = subprocess.run([sys.executable, "-c", MEASURE], env=users, capture_output=True, text=True, check=True)
    serial, overlapped = map(float, done.stdout.split())
    assert 1 / 5 < serial < 5
    assert 1 / 5 < overlapped < 5


def test_it_grows_with_cycles_and_with_pes() -> None:
    small = register_seconds(10**6, Accelerator(8, 8))
    assert register_seconds(3 * 10**6, Accelerator(8, 8)) == pytest.approx(3 * small)
    assert register_seconds(10**6, Accelerator(8, 16)) > small
    assert register_seconds(10**6, Accelerator(8, 8, double_buffered=True)) > 10 * small
    both_ways, shadows = Accelerator(8, 8), Accelerator(8, 8, double_buffered=True)
    assert register_seconds(10**6, both_ways, "interleaved_k") == register_seconds(10**6, shadows)
    assert register_seconds(10**6, both_ways, "interleaved") == small
    assert register_seconds(10**6, both_ways, overlapped_drain("interleaved")) == register_seconds(10**6, shadows)


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
