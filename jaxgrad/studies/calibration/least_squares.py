"""A model's scales fitted to measurements, by least squares of relative errors, and what is not determined said so.

The objective is the sum over measurements of ``ln(ours / measured)^2``: a layer ten times as long as another counts no
more, and ours at half of the measured value as much as at twice. Parameters are ``ln(value / the file's own)``, within
``RANGE`` times either way. ``scipy.optimize.least_squares`` descends from the best of a grid of square roots of two,
since where nothing depends on a parameter there is no slope to follow; first on a coarse model, which needs few costs,
then on a finer one from where it came to.

A parameter that no measurement depends on by more than ``NOTHING`` of its own change, at the optimum, is not
determined. It keeps its own value, and the others are fitted without it. Two that only act together (a condition number
of the normalised Jacobian beyond ``APART``) keep theirs both.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import least_squares
from scipy.stats import t

RANGE = 64.0
NOTHING = 0.02
APART = 50.0
STEP = math.log(2) / 64
"""Of differences: about a percent."""

_GRID, _COARSE = 32, (8, 1)
"""How many ``STEP`` apart the nodes of a model are: for the grid, and for descents, one after the other."""

_BOUND = math.log(RANGE)
_SHIFT = 1 + _BOUND
"""Of what scipy varies: its first step is as long as the parameters are, and those of the file's own are 0."""

_STARTS = 3
_TOLERANCE = 1e-5
_FOLDS = 10
_FEW = 12  # up to so many are left out one by one

Predict = Callable[[np.ndarray, int], np.ndarray]
"""Logarithms of ours at some parameters, between nodes so many ``STEP`` apart."""


class Solution(NamedTuple):
    """Parameters, and why some of them stayed at 0, the file's own.

    Args:
        parameters: all of them.
        free: which were fitted, by index.
        reasons: by index of those that were not: ``no effect``, ``together`` or ``edge``.
        jacobian: at the solution, by measurement and parameter.
    """

    parameters: np.ndarray
    free: tuple[int, ...]
    reasons: dict[int, str]
    jacobian: np.ndarray


class Spread(NamedTuple):
    """How well the fitted parameters are known, as far as the residuals tell.

    Args:
        factors: of each free parameter, its 95 % interval is from its value over this to its value times this; None
            where there are no more measurements than parameters.
        correlation: of two free parameters; None of one.
        condition: of the Jacobian with columns of length 1.
    """

    factors: tuple[float, ...] | None
    correlation: float | None
    condition: float


def solve(predict: Predict, measured: np.ndarray, free: Sequence[int], count: int) -> Solution:
    """The parameters of least squares.

    Args:
        predict: the model.
        measured: logarithms.
        free: indices of the parameters to fit.
        count: of all parameters.
    """
    reasons: dict[int, str] = {}
    while True:
        parameters = _descend(predict, measured, free, count)
        jacobian = _jacobian(predict, parameters, range(count), 1)
        idle = [index for index in free if np.abs(jacobian[:, index]).max(initial=0.0) < NOTHING]
        at_edge = [index for index in free if abs(parameters[index]) > _BOUND - STEP]
        if idle or at_edge:
            reasons |= dict.fromkeys(at_edge, "edge") | dict.fromkeys(idle, "no effect")
        elif len(free) > 1 and _condition(jacobian[:, list(free)]) > APART:
            reasons |= dict.fromkeys(free, "together")
        else:
            return Solution(parameters, tuple(free), reasons, jacobian)
        free = [index for index in free if index not in reasons]


def spread(solution: Solution, residuals: np.ndarray) -> Spread | None:
    """What the residuals (differences of logarithms) say of the fitted parameters; None where none is."""
    if not solution.free:
        return None
    jacobian = solution.jacobian[:, list(solution.free)]
    surplus = len(residuals) - len(solution.free)
    covariance = np.linalg.inv(jacobian.T @ jacobian)
    deviations = np.sqrt(np.diag(covariance))
    factors = None
    if surplus > 0:
        sigma = math.sqrt(float(residuals @ residuals) / surplus)
        factors = tuple(math.exp(min(700.0, float(t.ppf(0.975, surplus)) * sigma * each)) for each in deviations)
    correlation = float(covariance[0, 1] / (deviations[0] * deviations[1])) if len(solution.free) == 2 else None
    return Spread(factors, correlation, _condition(jacobian))


def left_out(predict: Predict, measured: np.ndarray, free: Sequence[int], count: int) -> tuple[np.ndarray, int] | None:
    """Predictions of measurements that the fit did not see: the whole fit once more without each, or each tenth.

    Returns:
        Logarithms of ours, and how many fits they are from; None where too few measurements would be left.
    """
    folds = len(measured) if len(measured) <= _FEW else _FOLDS
    groups = [np.arange(len(measured)) % folds == fold for fold in range(folds)]
    if any(len(measured) - int(group.sum()) <= max(1, len(free)) for group in groups):
        return None
    found = np.empty(len(measured))
    for group in groups:

        def kept(parameters: np.ndarray, coarse: int, group: np.ndarray = group) -> np.ndarray:
            return predict(parameters, coarse)[~group]

        found[group] = predict(solve(kept, measured[~group], free, count).parameters, 1)[group]
    return found, folds


def reach(predict: Predict, parameters: np.ndarray, index: int) -> float | None:
    """From which value of a parameter on it makes no difference of 1 %, to ``STEP``; None if it makes none anywhere.

    What is predicted is taken to depend on it the more, the smaller it is.
    """
    here, moved = predict(parameters, 1), parameters.copy()

    def matters(value: float) -> bool:
        moved[index] = value
        return bool(np.abs(predict(moved, 1) - here).max() > 0.01)

    low, high = -_BOUND, float(parameters[index])
    if not matters(low):
        return None
    while high - low > STEP:
        middle = (low + high) / 2
        low, high = (middle, high) if matters(middle) else (low, middle)
    return high


def _descend(predict: Predict, measured: np.ndarray, free: Sequence[int], count: int) -> np.ndarray:
    if not free:
        return np.zeros(count)
    reach = math.floor(_BOUND / (_GRID * STEP))
    axis = _GRID * STEP * np.arange(-reach, reach + 1)
    grid = [np.array(start) for start in itertools.product(axis, repeat=len(free))]
    costs = [_cost(predict, measured, _placed(start, free, count)) for start in grid]
    # Of starts that are equally good the nearest to the file's own is first.
    order = sorted(range(len(grid)), key=lambda index: (round(costs[index], 12), float(np.abs(grid[index]).sum())))
    starts = [grid[index] for index in order[:_STARTS]]
    for coarse in _COARSE:

        def residuals(shifted: np.ndarray, coarse: int = coarse) -> np.ndarray:
            return predict(_placed(shifted - _SHIFT, free, count), coarse) - measured

        def slopes(shifted: np.ndarray, coarse: int = coarse) -> np.ndarray:
            return _jacobian(predict, _placed(shifted - _SHIFT, free, count), free, coarse)

        solved = [
            least_squares(
                residuals,
                np.clip(start, -_BOUND + STEP, _BOUND - STEP) + _SHIFT,
                jac=slopes,  # pyright: ignore[reportArgumentType]  # a callable will do
                bounds=(_SHIFT - _BOUND, _SHIFT + _BOUND),
                xtol=_TOLERANCE,
                ftol=_TOLERANCE,
            )
            for start in starts
        ]
        solved.sort(key=lambda each: each.cost)
        found = [each.x - _SHIFT for each in solved]
        starts = list({tuple(np.round(values / STEP)): values for values in reversed(found)}.values())[::-1]
    return _placed(starts[0], free, count)


def _cost(predict: Predict, measured: np.ndarray, parameters: np.ndarray) -> float:
    residuals = predict(parameters, _GRID) - measured
    return float(residuals @ residuals)


def _placed(values: np.ndarray, free: Sequence[int], count: int) -> np.ndarray:
    whole = np.zeros(count)
    whole[list(free)] = values
    return whole


def _jacobian(predict: Predict, parameters: np.ndarray, columns: Sequence[int], coarse: int) -> np.ndarray:
    """By central differences of a step."""
    slopes = []
    for index in columns:
        ahead, behind = parameters.copy(), parameters.copy()
        ahead[index] += STEP
        behind[index] -= STEP
        slopes.append((predict(ahead, coarse) - predict(behind, coarse)) / (2 * STEP))
    return np.stack(slopes, axis=1)


def _condition(jacobian: np.ndarray) -> float:
    lengths = np.linalg.norm(jacobian, axis=0)
    if not lengths.all():
        return math.inf
    values = np.linalg.svd(jacobian / lengths, compute_uv=False)
    return math.inf if len(values) < jacobian.shape[1] or values[-1] <= 0 else float(values[0] / values[-1])
