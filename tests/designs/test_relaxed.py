"""The relaxed counts: the exact ones where nothing is smoothed, and slopes that are those of their values."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest

from jaxgrad.array.gemm import Gemm
from jaxgrad.costs.cuts import COARSE
from jaxgrad.designs import direct, engine, reals, relaxed
from jaxgrad.designs.engine import Memories
from jaxgrad.designs.problems import Problems, problems
from jaxgrad.designs.questions import Arrays, Question
from jaxgrad.designs.relaxed import Sizes
from jaxgrad.designs.sweep import time_cycles
from jaxgrad.hardware import Precision
from jaxgrad.programs import LayerGemm

LAYERS = problems(
    [LayerGemm("conv", Gemm(40, 72, 12), 2, needs_dx=True), LayerGemm("head", Gemm(8, 30, 10), 1, needs_dx=True)],
    patches_in_dram=True,
)
PRECISION = Precision.of("bf16")
ROWS, COLS = np.array([4, 12, 7]), np.array([8, 6, 9])
USABLE, RATES = np.array([1 << 14, 1 << 11]), np.array([4, 1])


def question(schedule: str, *, double_buffered: bool = True) -> Question:
    return Question(None, schedule, "separate", double_buffered, True, PRECISION)


def relaxed_counts(asked: Question, layers: Problems, sizes: Sizes, arrays: Arrays, usable: Any) -> Any:
    (group,) = asked.groups(layers)
    own = relaxed.layers(asked, group, arrays, usable)
    chosen = relaxed.choose(asked, own, jax.lax.stop_gradient(sizes), dx=group.dx, dw=group.dw)
    return relaxed.counts(asked, own, chosen, sizes, dx=group.dx, dw=group.dw)


@pytest.fixture
def unsmoothed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ceilings are ceilings, and the best plan alone counts."""
    monkeypatch.setattr(reals, "_SHARPNESS", 1e12)
    monkeypatch.setattr(relaxed, "_EAGERNESS", 1e6)


@pytest.mark.parametrize("schedule", ["interleaved", "interleaved_k", "sequential", "ws_only"])
@pytest.mark.usefixtures("unsmoothed")
def test_unsmoothed_it_is_exact_without_a_memory(schedule: str) -> None:
    asked = question(schedule)
    exact = direct.without_memory(asked, LAYERS, Arrays(ROWS, COLS, True))
    with jax.enable_x64(True):
        for index, (rows, cols) in enumerate(zip(ROWS.tolist(), COLS.tolist(), strict=True)):
            sizes = Sizes(float(rows), float(cols))
            found = relaxed_counts(asked, LAYERS, sizes, Arrays(ROWS, COLS, True), None)["dx+dw"]
            for name, values in exact.items():
                assert float(found[name]) == pytest.approx(int(values[index]), rel=1e-9), name


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["interleaved", "ws_only"])
@pytest.mark.usefixtures("unsmoothed")
def test_unsmoothed_it_is_exact_with_a_memory(schedule: str) -> None:
    """The nest of equal time that moves less is not told apart: times are compared, and what has one value alone."""
    asked, arrays = question(schedule), Arrays(ROWS, COLS, True)
    ((exact, fits),) = engine.with_memory(
        [asked], LAYERS, arrays, Memories(USABLE, np.array([1, 1]), RATES, True), cuts=COARSE
    )
    assert fits.all()
    cycles = time_cycles(exact)
    with jax.enable_x64(True):

        @jax.jit
        def time(sizes: Sizes) -> Any:
            return time_cycles(relaxed_counts(asked, LAYERS, sizes, arrays, USABLE))

        for a, (rows, cols) in enumerate(zip(ROWS.tolist(), COLS.tolist(), strict=True)):
            for s, usable in enumerate(USABLE.tolist()):
                for w, rate in enumerate(RATES.tolist()):
                    sizes = Sizes(float(rows), float(cols), float(usable), float(rate))
                    # Times before they are rounded up to whole cycles are compared in the exact search.
                    assert float(time(sizes)) == pytest.approx(int(cycles[a, s, w]), rel=2e-3)


def test_slopes_are_those_of_the_values() -> None:
    asked = question("interleaved", double_buffered=False)

    def log_cycles(logs: Any) -> Any:
        sizes = Sizes(2.0 ** logs[0], 2.0 ** logs[1])
        return jax.numpy.log(time_cycles(relaxed_counts(asked, LAYERS, sizes, Arrays(ROWS, COLS, False), None)))

    with jax.enable_x64(True):
        at, step = np.log2([5.3, 7.7]), 1e-6
        slope = jax.jit(jax.grad(log_cycles))(at)
        value = jax.jit(log_cycles)
        numeric = [(value(at + step * axis) - value(at - step * axis)) / (2 * step) for axis in np.eye(2)]
        np.testing.assert_allclose(slope, numeric, rtol=1e-5)
        assert all(abs(each) > 0.1 for each in numeric)


@pytest.mark.slow
def test_a_scratchpad_that_is_too_small_is_dear_and_more_of_it_is_cheaper() -> None:
    asked, arrays = question("interleaved"), Arrays(ROWS[:1], COLS[:1], True)

    def cycles(usable: Any) -> Any:
        return time_cycles(relaxed_counts(asked, LAYERS, Sizes(4.0, 8.0, usable, 4.0), arrays, USABLE))

    with jax.enable_x64(True):
        value = jax.jit(jax.value_and_grad(cycles))
        (ample, flat), (tight, steep) = value(float(1 << 20)), value(40.0)
        assert float(flat) == pytest.approx(0, abs=1e-9)
        assert tight > 100 * ample
        assert steep < -tight / 40  # a power of more than one
