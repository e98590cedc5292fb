"""Statistics of dependent values against what is known of an autoregression."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.random import Generator, default_rng

from jaxgrad.training.diagnostics import series


def autoregression(generator: Generator, count: int, coefficient: float) -> np.ndarray:
    """Of variance 1, from its stationary law."""
    values = np.empty(count)
    values[0] = generator.standard_normal()
    for place in range(1, count):
        innovation = np.sqrt(1 - coefficient**2) * generator.standard_normal()
        values[place] = coefficient * values[place - 1] + innovation
    return values


@pytest.mark.parametrize("coefficient", [0.0, 0.5, 0.9])
def test_the_effective_size_of_an_autoregression_is_its_own(coefficient: float) -> None:
    generator, count = default_rng(0), 1000
    sizes = [series.effective_size(autoregression(generator, count, coefficient)) for _ in range(20)]
    assert np.median(sizes) == pytest.approx(count * (1 - coefficient) / (1 + coefficient), rel=0.2)


def test_a_trend_and_a_constant_are_no_autocorrelation() -> None:
    noise = default_rng(1).standard_normal(300)
    assert series.effective_size(noise + np.arange(300)) == pytest.approx(series.effective_size(noise), rel=0.05)
    assert series.effective_size(np.ones(10)) == 10


@pytest.mark.parametrize(("count", "coefficient"), [(100, 0.0), (100, 0.5), (100, 0.9), (30, 0.8)])
def test_halves_of_one_law_are_told_apart_no_more_often_than_the_level_says(count: int, coefficient: float) -> None:
    generator = default_rng(2)
    found = [series.halves(autoregression(generator, count, coefficient)) for _ in range(200)]
    assert sum(comparison.p_value < 0.05 for comparison in found) <= 18  # 10 expected, 3 sigma 9


def test_halves_of_two_laws_are_told_apart_by_their_place_and_by_their_width() -> None:
    generator = default_rng(3)
    values = autoregression(generator, 200, 0.3)
    half = np.arange(200) >= 100
    assert series.halves(values + 1.5 * half).p_value < 1e-3
    assert series.halves(np.where(half, 4 * values, values)).p_value < 1e-2
    assert series.halves(values).effective == pytest.approx(100 * 0.7 / 1.3, rel=0.4)


@pytest.mark.parametrize("coefficient", [0.0, 0.8])
def test_the_standard_error_of_a_mean_covers_the_truth(coefficient: float) -> None:
    generator = default_rng(4)
    means = [series.mean(autoregression(generator, 150, coefficient)) for _ in range(200)]
    assert 0.9 <= np.mean([abs(value) < 2 * error for value, error in means]) < 1
    deviations = [series.long_run_deviation(autoregression(generator, 400, coefficient)) for _ in range(20)]
    assert np.median(deviations) == pytest.approx(np.sqrt((1 + coefficient) / (1 - coefficient)), rel=0.2)


def test_a_fall_is_that_of_the_straight_line() -> None:
    assert series.fall(5 - 0.25 * np.arange(9)) == pytest.approx(2)
    noisy = 1 - np.arange(50) / 49 + 0.01 * default_rng(5).standard_normal(50)
    assert series.fall(noisy) == pytest.approx(-np.polyfit(np.arange(50), noisy, 1)[0] * 49)
