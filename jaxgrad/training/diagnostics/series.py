"""Statistics of a series of measurements that depend on each other: their effective number, slopes, and laws."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import stats


def effective_size(*parts: Float[np.ndarray, " n"]) -> float:
    """How many independent samples tell as much of the mean: all values over the autocorrelation time.

    The time is the longer one of two: that of an autoregression of first order, its coefficient corrected for the bias
    that a short series has (Marriott and Pope, 1954; Kendall, 1954), and 1 + 2 (sum of the autocorrelations) as long as
    pairs of them are positive (Geyer, 1992).

    >>> values = np.random.default_rng(0).standard_normal(400)
    >>> effective_size(values) > 350, effective_size(np.repeat(values, 5)) < 400
    (True, True)

    Args:
        parts: values at equal distances; of several series, their autocorrelations are taken together. A linear trend
            of each is taken off.
    """
    residuals = [_residuals(part) for part in parts]
    count = sum(map(len, parts))
    power = sum(float(part @ part) for part in residuals)
    if power <= np.finfo(float).tiny:
        return float(count)
    correlations = [
        sum(float(part[:-lag] @ part[lag:]) for part in residuals) / power for lag in range(1, min(map(len, parts)))
    ]
    first = correlations[0] + len(parts) * (2 + 4 * correlations[0]) / count
    time = 1.0
    for place in range(1, len(correlations), 2):
        pair = correlations[place - 1] + correlations[place]
        if pair <= 0:
            break
        time += 2 * pair
    first = min(max(first, 0.0), 1 - 1 / count)
    return count / max(time, (1 + first) / (1 - first))


def fall(values: Float[np.ndarray, " n"]) -> float:
    """How far a straight line through the values falls from the first to the last.

    >>> fall(np.array([3.0, 2.0, 1.0]))
    2.0
    """
    places = np.arange(len(values)) - (len(values) - 1) / 2
    return -float(places @ values) / float(places @ places) * (len(values) - 1)


def long_run_deviation(values: Float[np.ndarray, " n"]) -> float:
    """Standard deviation around a straight line, times the root of the autocorrelation time: over the root of n it is
    the standard error of a mean of n values."""
    return float(np.sqrt(np.mean(_residuals(values) ** 2) * len(values) / effective_size(values)))


class Mean(NamedTuple):
    """The mean of a series, and its standard error, the dependence of the values taken into account."""

    value: float
    error: float


def mean(values: Float[np.ndarray, " n"]) -> Mean:
    """Of two values or more."""
    return Mean(float(values.mean()), float(values.std(ddof=1) / np.sqrt(effective_size(values))))


class Comparison(NamedTuple):
    """Whether two halves of a series have one law.

    Args:
        p_value: of Kolmogorov and Smirnov's test: how likely halves of one law are as far apart.
        effective: how many independent samples a half is worth.
    """

    p_value: float
    effective: float


def halves(values: Float[np.ndarray, " n"]) -> Comparison:
    """Kolmogorov and Smirnov's two-sample test between the halves of a series, with their effective sizes.

    Args:
        values: at equal distances.
    """
    middle = len(values) // 2
    parts = values[:middle], values[middle:]
    effective = effective_size(*parts) / 2
    apart = stats.ks_2samp(*parts)[0]
    return Comparison(float(stats.kstwobign.sf(apart * np.sqrt(effective / 2))), effective)


def _residuals(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """What a straight line leaves."""
    places = np.arange(len(values)) - (len(values) - 1) / 2
    centred = values - values.mean()
    return centred - places * (places @ centred) / max(float(places @ places), 1e-300)
