"""The trees of experiments' files: one file may extend another, and variants alter the machine."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxgrad.base.errors import InputError
from jaxgrad.base.schema import read_toml
from jaxgrad.studies.references import seen_from

_EXTENDS = "extends"


def read(file: Path, option: str) -> dict[str, Any]:
    """The content of an experiment's file; laid over that of the file that it extends, if it does.

    Args:
        file: its path. What it extends is relative to its folder, as are paths in it; those in a file that is extended
            are relative to that one's.
        option: what the user gave it as, for messages.

    Raises:
        InputError: a file can't be read, or one extends itself in the end.
    """
    return _read(file, option, ())


def _read(file: Path, option: str, extending: tuple[Path, ...]) -> dict[str, Any]:
    tree = read_toml(file, option)
    if _EXTENDS not in tree:
        return tree
    name, field = tree.pop(_EXTENDS), f"{_EXTENDS} in {file}"
    if not isinstance(name, str):
        raise InputError(field, name, "give the path of an experiment's file")
    base, chain = file.parent / name, (*extending, file.resolve())
    if base.resolve() in chain:
        raise InputError(
            field, name, "give one that does not", problem=f"got {name!r}, which extends this file in turn"
        )
    whole = _read(base, field, chain)
    if base.resolve().parent != file.resolve().parent:
        whole = seen_from(whole, Path(os.path.relpath(base.resolve().parent, file.resolve().parent)))
    return merged(whole, tree)


def merged(tree: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """A tree with the values of another in place of its own, table by table; lists are replaced whole."""
    whole = copy.deepcopy(dict(tree))
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(whole.get(key), dict)
        whole[key] = merged(whole[key], value) if both else value
    return whole
