"""A layer's counts on many arrays at once where the scratchpad holds everything: the formula that sweeps evaluate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jaxgrad.array import forwards, layers
from jaxgrad.array.choice import cost
from jaxgrad.array.counts import CYCLES, Key
from jaxgrad.array.schedules import find
from jaxgrad.base.arithmetic import where
from jaxgrad.designs.questions import Question


class _Sized(NamedTuple):
    sizes: Mapping[str, Any]


def counted(question: Question, sizes: Mapping[str, Any], array: Any, dx: bool, dw: bool) -> dict[Key, Any]:
    """A layer's counts; of several mappings or schedules the one of fewest cycles, then of fewest accesses."""
    if question.forward is not None:
        return layers.counts([forwards.find(question.forward).mapping], sizes, array)
    plans_of = []
    for member in find(question.schedule).members:
        chosen = [_best([[mapping] for mapping in choice], sizes, array)
                  for choice in member.alternatives(dx=dx, dw=dw)]  # fmt: skip
        total: dict[Key, Any] = {}
        accesses = 0
        for counts, mapping_accesses in chosen:
            accesses = accesses + mapping_accesses
            for key, value in counts.items():
                total[key] = total.get(key, 0) + value
        plans_of.append((total, accesses))
    return _least(plans_of)[0] if dx or dw else {}


def _best(options: Sequence[Sequence[Any]], sizes: Mapping[str, Any], array: Any) -> tuple[dict[Key, Any], Any]:
    return _least(
        [(layers.counts(mappings, sizes, array), cost(mappings, _Sized(sizes), array).accesses) for mappings in options]
    )


def _least(options: Sequence[tuple[dict[Key, Any], Any]]) -> tuple[dict[Key, Any], Any]:
    (best, accesses), *others = options
    for other, mapping_accesses in others:
        better = (other[CYCLES] < best[CYCLES]) | ((other[CYCLES] == best[CYCLES]) & (mapping_accesses < accesses))
        best = {key: where(better, other.get(key, 0), best.get(key, 0)) for key in {**best, **other}}
        accesses = where(better, mapping_accesses, accesses)
    return best, accesses
