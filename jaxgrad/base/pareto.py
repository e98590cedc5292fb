"""Points than which no other is as good in everything and better in something: the Pareto-optimal ones."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

_GOOD = 32  # points that spare most of the others the slow way


def front(costs: Float[np.ndarray, "points objectives"]) -> Int[np.ndarray, " front"]:
    """Indices of the points on the Pareto front, the cheapest in the first objective first; equal points are all on it.

    Args:
        costs: what is to be small; a point with a NaN is on no front.
    """
    complete = np.flatnonzero(~np.isnan(costs).any(axis=1))
    unique, place = np.unique(costs[complete], axis=0, return_inverse=True)
    # In lexicographic order no point is worse than a later one in everything: one pass finds the front.
    kept: list[int] = []
    best = np.empty((0, costs.shape[1]))
    for index in _unbeaten(unique).tolist():
        point = unique[index]
        if not (best <= point).all(axis=1).any():
            kept.append(index)
            best = np.vstack([best, point])
    rank = np.full(len(unique), -1)
    rank[kept] = np.arange(len(kept))
    ranks = rank[place.ravel()]
    chosen = np.flatnonzero(ranks >= 0)
    return complete[chosen[np.argsort(ranks[chosen], kind="stable")]]


def _unbeaten(points: Float[np.ndarray, "points objectives"]) -> Int[np.ndarray, " some"]:
    """Indices of those of different points that none of a few good ones is as good as in everything."""
    ranks = np.argsort(np.argsort(points, axis=0, kind="stable"), axis=0, kind="stable").sum(axis=1)
    left = np.arange(len(points))
    for good in np.argsort(ranks, kind="stable")[:_GOOD]:
        left = left[~(points[good] <= points[left]).all(axis=1) | (left == good)]
    return left
