"""Runs an experiment: its points one after the other, those computed before taken from the store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jaxgrad.base.errors import InputError
from jaxgrad.costs import Summary
from jaxgrad.studies.compute import compute
from jaxgrad.studies.points import Point
from jaxgrad.studies.store import Store


def run(points: Sequence[Point], store: Store) -> Iterator[tuple[Point, Summary, bool]]:
    """Each point, its summary, and whether it was computed now.

    A point that is done is on the disk before the next one begins: an interrupted run goes on where it was.

    Raises:
        InputError: a point can't be computed; the message says which.
    """
    for point in points:
        kept = store.get("points", point.spec)
        fresh = kept is None
        if kept is None:
            try:
                kept = compute(point, store).as_dict()
            except InputError as error:
                raise error.within(point.label) from None
            store.put("points", point.spec, kept)
        yield point, Summary.from_dict(kept), fresh
