"""A run of ``jaxgrad train`` as results: its configuration, the curves of its log, and what it counted."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jaxgrad.array.counts import ACCESSES
from jaxgrad.base.errors import InputError
from jaxgrad.reports.results import Curve, Figure, Results
from jaxgrad.training.extension import by_key, extensions
from jaxgrad.training.run_folders import records_of, settings_of
from jaxgrad.training.runs import COUNTERS

_ACCESSES = tuple(key.name for key in ACCESSES)
_PLACES = ("epoch", "step")  # of a record, which say where it is


def read(folder: Path) -> Results:
    """The run in a folder.

    Raises:
        InputError: a file of it is not what a run writes.
    """
    return Results(folder, _settings(folder), _curves(folder), dict(_figures(folder)))


def _settings(folder: Path) -> dict[str, Any]:
    settings = by_key(settings_of(folder))
    extended = [f"step {step}, from {epochs} epochs" for step, epochs in extensions(folder)]
    return {**settings, "extended at": "; ".join(extended)} if extended else settings


def _curves(folder: Path) -> Mapping[str, Curve]:
    curves: dict[str, dict[int, float | None]] = {}
    for record in records_of(folder):
        for name, value in record.items():
            if name not in _PLACES and (value is None or isinstance(value, int | float)):
                curves.setdefault(name, {})[record["epoch"]] = value
    return curves


def _figures(folder: Path) -> Iterator[tuple[Figure, float]]:
    """Counts of the whole run, by pass, in all and by layer; of a machine cycles, bytes and, with prices, energies."""
    file = folder / COUNTERS
    if not file.exists():
        return
    try:
        counters = json.loads(file.read_text(encoding="utf-8"))
        schedule = counters["schedule"]
        yield Figure("", "", "steps"), counters["steps"]
        for part, counts in {"": counters["total"], **counters["layers"]}.items():
            for group, by_name in (("forward", counts["forward"]), ("backward", counts["backward"][schedule])):
                yield Figure(part, group, "accesses"), sum(by_name[name] for name in _ACCESSES)
                yield from ((Figure(part, group, name), count) for name, count in by_name.items())
        on_machine = counters.get("on_machine", {})
        for name, value in on_machine.get("step", {}).get(schedule, {}).items():
            if not isinstance(value, Mapping):
                yield Figure("", "on the machine", name), value
        for label, energies in on_machine.get("energy_pj", {}).get(schedule, {}).items():
            yield from ((Figure("", f"{label} energy_pj", name), energy) for name, energy in _named(energies))
        stored = counters.get("stored_activation_words", {})
        yield from ((Figure("", "", f"stored_{name}_words"), stored[name]) for name in ("total", "peak") if stored)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        problem = f"is not what a run writes: {type(error).__name__} {error}"
        remedy = "restore the file, or write it anew: jaxgrad train --resume"
        raise InputError(str(file), None, remedy, problem=problem) from None


def _named(energies: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    yield "all", sum(energies.values())
    yield from energies.items()
