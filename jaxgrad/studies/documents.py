"""Results that are one file, JSON or a table of designs, as ``reports.results`` has them: whatever a command wrote.

Each number is a figure, named by where it is in the file; texts, switches and what was asked for are settings. Entries
of lists are told apart by what they say they are of (``network``, ``at``, ``variant``, ...), so that files with other
points, or the same in another order, can be compared.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jaxgrad.base.errors import InputError
from jaxgrad.reports.results import Figure, Results
from jaxgrad.studies import design_tables

TRACE = "a trace"
DIAGNOSTICS = "diagnostics of training"
_FILES = ("results.json", "compare.json", "pipeline.json", "trace.json", "diagnostics.jsonl")
"""Of a folder of results the file that has all that is in it; the first of these that is there."""

_KINDS: tuple[tuple[str, frozenset[str]], ...] = (
    (TRACE, frozenset({"traceEvents"})),
    ("results of an experiment with pipelines", frozenset({"points", "comparisons"})),
    ("results of an experiment on the dynamics of training", frozenset({"dynamics", "claims"})),
    ("results of an experiment with a control problem", frozenset({"control", "descent"})),
    ("results of an experiment that trains", frozenset({"baseline", "variants", "runs"})),
    ("results of an experiment on memory", frozenset({"keep", "networks"})),
    ("results of an experiment", frozenset({"points", "baseline", "compare"})),
    ("output of jaxgrad runs --json", frozenset({"runs", "broken"})),
    ("output of jaxgrad pipeline", frozenset({"model", "time", "rows"})),
    ("output of jaxgrad profile --json", frozenset({"config", "layers", "edges"})),
    ("output of jaxgrad compare", frozenset({"config", "layers", "total"})),
    ("output of jaxgrad explain --json", frozenset({"config", "schedules"})),
    ("output of jaxgrad gemm --json", frozenset({"config", "counters", "check"})),
    ("output of jaxgrad scalesim --json", frozenset({"config", "notes"})),
)
"""Kinds of JSON files, and keys that tell each; the first that fits."""

_ASKED = frozenset(
    {
        *("config", "units", "notes", "title", "batch", "baseline", "array", "model", "time"),
        *("memory", "control", "descent", "dynamics", "seeds", "keep"),
    }
)
"""Tables and keys of what was asked for, at the top: no results, whether numbers or not."""

_OF = (
    *("network", "place", "at", "change", "variant", "over", "setting", "name", "kind", "layer", "path", "phase"),
    *("schedule", "pipeline", "processors", "quantity", "keep", "seed", "step", "index"),
)
"""Keys that say what an entry of a list is of; of an edge, which has a target, its two ends as well."""


class Document(NamedTuple):
    """A file of results.

    Args:
        kind: what it is; those of one kind can be compared.
        file: it, in the folder if the user gave one.
        content: of it.
    """

    kind: str
    file: Path
    content: Any

    def results(self, given: Path, beside: Document) -> Results:
        """Its numbers and settings.

        Args:
            given: what the user gave it as.
            beside: what it is compared with, of the same kind: a design is named by what varies in either.
        """
        if self.kind == design_tables.KIND:
            telling = design_tables.varied(self.content, beside.content)
            return Results(given, *design_tables.read(self.content, telling))
        if self.kind == TRACE:
            return Results(given, {}, {}, dict(_durations(self.content["traceEvents"])))
        if self.kind == DIAGNOSTICS:
            return Results(given, {}, {}, dict(_measured(self.content)))
        settings: dict[str, Any] = {}
        figures: dict[Figure, float] = {}
        for place, value in _leaves(self.content, ()):
            *of, name = place
            if isinstance(value, bool | str) or place[0] in _ASKED:
                settings[".".join(place)] = value
            elif value is not None:
                figures[Figure(" / ".join(of), "", name)] = value
        return Results(given, settings, {}, figures)


def find(field: str, given: Path) -> Document | None:
    """The file of results that a path is, or that is in the folder that it is; None where there is none.

    Args:
        field: what the user gave it as, for errors.
        given: the path.

    Raises:
        InputError: there is one, and it is not whole, or of no kind that is known.
    """
    file = given
    if given.is_dir():
        named = [given / name for name in _FILES if (given / name).is_file()]
        tables = design_tables.in_folder(given)
        if not named and len(tables) > 1:
            names = ", ".join(sorted(table.name for table in tables))
            raise InputError(field, given, f"give one of {names}", problem=f"got {str(given)!r}, with several tables")
        if not named and not tables:
            return None
        file = (named or tables)[0]
    if not file.is_file():
        return None
    if file.suffix in design_tables.SUFFIXES:
        return Document(design_tables.KIND, file, design_tables.columns(field, file))
    content = _json(field, file)
    if file.suffix == ".jsonl":
        return Document(DIAGNOSTICS, file, content)
    keys = content.keys() if isinstance(content, dict) else ()
    kind = next((name for name, needed in _KINDS if needed <= set(keys)), None)
    if kind is None:
        problem = f"got {str(file)!r}, which no jaxgrad command writes"
        raise InputError(field, file, "give what --json printed, or a folder of results", problem=problem)
    return Document(kind, file, content)


def _json(field: str, file: Path) -> Any:
    """The content of a file of JSON, or of one a line."""
    try:
        texts = file.read_text(encoding="utf-8")
        lines = texts.splitlines() if file.suffix == ".jsonl" else [texts]
        # What is no number is not there: it equals nothing, not even itself.
        found = [json.loads(line, parse_constant=lambda _: None) for line in lines]
        return found if file.suffix == ".jsonl" else found[0]
    except OSError as error:
        raise InputError(field, file, f"give a file that can be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        problem = f"got {str(file)!r}, which is no whole JSON ({error})"
        raise InputError(field, file, "write it anew", problem=problem) from None


def _leaves(node: Any, place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from _leaves(value, (*place, str(key)))
    elif isinstance(node, list):
        for label, value in zip(_labels(node), node, strict=True):
            rest = value
            if isinstance(value, dict):
                rest = {key: inner for key, inner in value.items() if key not in _identity(value)}
            yield from _leaves(rest, (*place, label))
    else:
        yield place, node


def _labels(entries: Sequence[Any]) -> list[str]:
    """What each entry of a list is of, or its number; the second of the same has a 2."""
    labels = [_label(entry) or f"[{number}]" for number, entry in enumerate(entries)]
    met: Counter[str] = Counter()
    found = []
    for label in labels:
        met[label] += 1
        found.append(label if met[label] == 1 else f"{label} #{met[label]}")
    return found


def _identity(entry: Mapping[str, Any]) -> tuple[str, ...]:
    return (*_OF, "source", "target") if "target" in entry else _OF


def _label(entry: Any) -> str:
    if not isinstance(entry, dict):
        return ""
    parts = []
    for key in _identity(entry):
        value = entry.get(key)
        if isinstance(value, Mapping):
            parts += [f"{name} {label}" for name, label in value.items()]
        elif isinstance(value, str):
            parts.append(value)
        elif value is not None and not isinstance(value, list):
            parts.append(f"{key} {value}")
    return ", ".join(part for part in parts if part)


def _durations(events: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Figure, float]]:
    """Of each kind of event on each track how long all take, and how many there are."""
    names = {
        (event.get("pid"), event.get("tid") if event["name"] == "thread_name" else None): event["args"]["name"]
        for event in events
        if event.get("name") in ("process_name", "thread_name")
    }
    total: Counter[tuple[str, str]] = Counter()
    count: Counter[tuple[str, str]] = Counter()
    for event in events:
        if event.get("ph") == "X":
            process, thread = (names.get((event["pid"], tid), "") for tid in (None, event["tid"]))
            # Of a schedule's name the count of its cycles, which is a result.
            of = " / ".join(filter(None, (process.partition(": ")[0], thread))), event["name"]
            total[of] += event["dur"]
            count[of] += 1
    for (track, name), duration in total.items():
        yield Figure(track, name, "duration"), duration
        yield Figure(track, name, "events"), count[track, name]


def _measured(records: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Figure, float]]:
    for record in records:
        for place, value in _leaves(record, ()):
            if isinstance(value, int | float) and not isinstance(value, bool) and place != ("step",):
                yield Figure(" / ".join((f"step {record.get('step')}", *place[:-1])), "", place[-1]), value
