"""Data of the user's own Python: arrays, or a source of (image, label) records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from jaxgrad.base import references
from jaxgrad.base.errors import InputError
from jaxgrad.training.data.arrays import TEST, TRAIN, of_arrays
from jaxgrad.training.data.dataset import Dataset

_REMEDY = (
    "give a dictionary of arrays (x_train, y_train, ...), a source of (image, label) records, "
    "or a dictionary of two, 'train' and 'test'"
)


def read(target: str) -> Dataset:
    """What ``FILE.py:NAME`` has, or returns where it is a function of no arguments.

    It may be a dictionary of arrays as ``arrays.of_arrays`` takes them; a source of records, which is anything with a
    length and items (grain's data sources are) or that can be iterated over, each record a pair (image, label) or a
    dictionary with ``image`` and ``label``; or a dictionary of two sources, ``train`` and ``test``. All of it is read
    before training starts.

    Raises:
        InputError: there is no such thing, or it is none of these.
    """
    value, _ = references.load("data", target)
    if isinstance(value, type) or (callable(value) and not hasattr(value, "__getitem__")):
        try:
            value = value()
        except InputError:
            raise
        except Exception as error:  # whatever the user's function does
            problem = f"got {target!r}, which fails ({type(error).__name__}: {error})"
            raise InputError(
                "data", target, "give a function of no arguments that returns data", problem=problem
            ) from error
    name = target.rpartition(":")[2]
    if isinstance(value, Dataset):
        return value
    if isinstance(value, Mapping) and "train" in value:
        parts = [(TRAIN, value["train"])] + ([(TEST, value["test"])] if "test" in value else [])
        return of_arrays({key: array for keys, part in parts for key, array in _read(keys, part, target)}, target, name)
    if isinstance(value, Mapping):
        return of_arrays(value, target, name)
    return of_arrays(dict(_read(TRAIN, value, target)), target, name)


def _read(keys: tuple[str, str], source: Any, target: str) -> Iterator[tuple[str, np.ndarray]]:
    """The images and labels of a source."""
    try:
        records = [_record(record) for record in _records(source)]
        columns = [np.stack([np.asarray(value) for value in column]) for column in zip(*records, strict=True)]
    except (TypeError, ValueError, KeyError, IndexError) as error:
        problem = f"got {type(source).__name__} ({error})"
        raise InputError(target, None, _REMEDY, problem=problem) from None
    if not records:
        raise InputError(target, None, _REMEDY, problem="got no records")
    return zip(keys, columns, strict=True)


def _records(source: Any) -> Iterable[Any]:
    """Of a source with a length its items; they need not end in an IndexError."""
    if hasattr(source, "__len__") and hasattr(source, "__getitem__"):
        return (source[index] for index in range(len(source)))
    return source


def _record(record: Any) -> tuple[Any, Any]:
    if isinstance(record, Mapping):
        return record["image"], record["label"]
    image, label = record
    return image, label
