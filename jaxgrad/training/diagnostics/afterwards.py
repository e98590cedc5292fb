"""What a run did and cost after its loss had stopped falling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Afterwards:
    """From the step at which the loss stopped falling to the last one.

    Args:
        steps: of these, and of the whole run.
        cycles: of these, and of the whole run.
        accuracy: of the test images, at the last epoch before and at the last one; None without an epoch before.
        joules: of these, where a step's are known.
    """

    steps: tuple[int, int]
    cycles: tuple[int, int]
    accuracy: tuple[float, float] | None = None
    joules: float | None = None


def afterwards(
    stopped: int,
    records: Sequence[Mapping[str, Any]],
    metrics: Sequence[Mapping[str, Any]],
    joules_a_step: float | None,
) -> Afterwards:
    """Of one run.

    Args:
        stopped: the step, one of those measured.
        records: lines of ``diagnostics.jsonl``.
        metrics: lines of ``metrics.jsonl``.
        joules_a_step: what one step takes; None where no prices are known.
    """
    ends = {line["step"]: line["cycles"] for line in (*records, *metrics)}
    last = max(ends)
    steps, cycles = last - stopped, ends[last] - ends[stopped]
    before = [line["test_accuracy"] for line in metrics if line["step"] <= stopped]
    accuracy = (before[-1], metrics[-1]["test_accuracy"]) if before else None
    joules = None if joules_a_step is None else joules_a_step * steps
    return Afterwards((steps, last), (cycles, ends[last]), accuracy, joules)
