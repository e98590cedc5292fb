"""The files that an experiment's tree names, as seen from another folder than its own."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jaxgrad.hardware.technology_files import PRESETS
from jaxgrad.networks.sources import located


def seen_from(tree: Mapping[str, Any], way: Path) -> dict[str, Any]:
    """The tree with its paths begun by ``way``, that to the folder of its file; what is none, or not valid, stays.

    >>> seen_from({"workload": {"networks": ["vgg16", "net.py:Net"]}, "trained": {"model": "lenet"}}, Path(".."))
    {'workload': {'networks': ['vgg16', '../net.py:Net']}, 'trained': {'model': 'lenet'}}
    """
    moved = copy.deepcopy(dict(tree))

    def beside(path: str) -> str:
        return (way / path).as_posix()

    def network(reference: str) -> str:
        return located(reference, way)

    for machine in [moved.get("machine"), *(_at(variant, "machine") for variant in _tables(moved, "variant"))]:
        _change(machine, "technology", lambda name: name if name in PRESETS else beside(name))
        _change(machine, "energy_table", beside)
    _change(moved.get("trained"), "model", network)
    for measured in _tables(moved, "measured"):
        _change(measured, "file", beside)
    networks = _at(moved.get("workload"), "networks")
    for index, entry in enumerate(networks if isinstance(networks, list) else ()):
        _change(entry, "model", network)
        if isinstance(entry, str):
            networks[index] = network(entry)
    return moved


def _tables(tree: Any, key: str) -> list[Any]:
    found = _at(tree, key)
    return found if isinstance(found, list) else []


def _at(table: Any, key: str) -> Any:
    return table.get(key) if isinstance(table, dict) else None


def _change(table: Any, key: str, change: Callable[[str], str]) -> None:
    value = _at(table, key)
    if isinstance(value, str):
        table[key] = change(value)
