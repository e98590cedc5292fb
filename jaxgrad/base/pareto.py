"""Points than which no other is as good in everything and better in something: the Pareto-optimal ones."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int


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
    for index, point in enumerate(unique):
        if not (best <= point).all(axis=1).any():
            kept.append(index)
            best = np.vstack([best, point])
    rank = np.full(len(unique), -1)
    rank[kept] = np.arange(len(kept))
    ranks = rank[place.ravel()]
    chosen = np.flatnonzero(ranks >= 0)
    return complete[chosen[np.argsort(ranks[chosen], kind="stable")]]
