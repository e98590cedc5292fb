"""jaxgrad.studies.compute: what a step asks for goes through a store as plain data, and comes back the same."""

from __future__ import annotations

from pathlib import Path

from jaxgrad.studies.compute import demand
from jaxgrad.studies.store import Store


def test_convolutions_keep_their_geometry_in_a_store(tmp_path: Path) -> None:
    spec, store = {"network": "lenet", "batch": 2, "vector": False}, Store(tmp_path)
    traced, kept = demand(spec, store).gemms, demand(spec, store).gemms
    assert [record.convolution for record in kept] == [record.convolution for record in traced]
    assert traced[0].convolution is not None
    assert all(hash(record.convolution) for record in kept)
