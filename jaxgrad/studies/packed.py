"""Columns of numbers as bytes, for a store: 8 bytes each, and one that says whether it is there."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxgrad.designs.sweep import Table
from jaxgrad.studies.store import Codec

_THERE = "?"  # the name of a column's mask, after the column's own
_LEAST, _MOST = -(2**63), 2**63 - 1


def dumps(table: Table) -> bytes:
    """A table of ints of any size, floats and None; ints and floats not in one column.

    >>> loads(dumps({"cycles": [12, 2**70, None], "energy_pj": [0.1, None, 1e300]}))
    {'cycles': [12, 1180591620717411303424, None], 'energy_pj': [0.1, None, 1e+300]}
    """
    arrays: dict[str, np.ndarray] = {}
    for name, values in table.items():
        there = np.array([value is not None for value in values], bool)
        arrays[name] = _array([value for value in values if value is not None])
        if not there.all():
            arrays[name + _THERE] = there
    out = io.BytesIO()
    np.savez(out, **arrays)  # pyright: ignore[reportArgumentType]  # its stub takes any name for an option of its own
    return out.getvalue()


def loads(content: bytes) -> Table:
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return {
            name: _listed(arrays[name], arrays.get(name + _THERE)) for name in arrays.files if not name.endswith(_THERE)
        }


PACKED = Codec("npz", dumps, loads)


def _array(values: Sequence[Any]) -> np.ndarray:
    if any(isinstance(value, float) for value in values):
        return np.array(values, np.float64)
    if values and not (min(values) >= _LEAST and max(values) <= _MOST):
        return np.array([str(value) for value in values])
    return np.array(values, np.int64)


def _listed(array: np.ndarray, there: np.ndarray | None) -> list[Any]:
    values = [int(text) for text in array.tolist()] if array.dtype.kind == "U" else array.tolist()
    if there is None:
        return values
    rest = iter(values)
    return [next(rest) if is_there else None for is_there in there.tolist()]
