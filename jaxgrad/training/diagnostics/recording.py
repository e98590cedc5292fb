"""The record of a run's measurements: a line each in ``diagnostics.jsonl``, the same ones however often it stopped."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from jaxgrad.base.errors import InputError
from jaxgrad.base.files import whole, write_text
from jaxgrad.training.diagnostics.measuring import SHARPNESS_EVERY, STEP_EVERY, Memory, Meter
from jaxgrad.training.loop import Progress
from jaxgrad.training.step import State

RECORDS = "diagnostics.jsonl"
_MEMORIES = "diagnostics"

Telling = Callable[[int], AbstractContextManager[Any]]
"""What goes on around the measurement at a step, such as a line on the screen where it takes long."""


class Records:
    """The measurements in a folder: their lines, and of some the weights and the gradient, for the ones that follow.

    Args:
        folder: of the run, or whichever the files go into.
    """

    def __init__(self, folder: Path) -> None:
        self._path, self._memories = folder / RECORDS, folder / _MEMORIES

    def lines(self) -> list[dict[str, Any]]:
        """All of them, in the order of the steps.

        Raises:
            InputError: the file is damaged.
        """
        text = self._path.read_text(encoding="utf-8") if self._path.exists() else ""
        whole_lines = text.splitlines(keepends=True)
        if whole_lines and not whole_lines[-1].endswith("\n"):  # a kill came in between
            whole_lines.pop()
        try:
            return [json.loads(line) for line in whole_lines]
        except ValueError:
            remedy = "restore the file, or move it away and start the run again"
            raise InputError(str(self._path), None, remedy, problem="got a line that is no JSON") from None

    def cut(self, step: int) -> None:
        """Drops what was measured at ``step`` and later: training is there again."""
        lines = self.lines()
        kept = [line for line in lines if line["step"] < step]
        if self._path.exists():
            write_text(self._path, "".join(json.dumps(line) + "\n" for line in kept))
        for number, path in self._kept().items():
            if number >= step:
                path.unlink()

    def append(self, record: dict[str, Any], memory: Memory, *, needed_from: int) -> None:
        """Adds a measurement, on the disk when this returns.

        Args:
            record: its line.
            memory: its weights and gradient.
            needed_from: the step from which training may go on: the newest memory before it and all later ones stay.
        """
        with whole(self._memories / f"{record['step']}.npz") as partial, partial.open("wb") as file:
            np.savez(file, allow_pickle=False, **memory._asdict())
        with self._path.open("a", encoding="utf-8") as log:
            log.write(json.dumps(record) + "\n")
            log.flush()
            os.fsync(log.fileno())
        kept = self._kept()
        newest = max((step for step in kept if step < needed_from), default=0)
        for step, path in kept.items():
            if step < newest:
                path.unlink()

    def memory(self, step: int) -> Memory:
        """Of the measurement at a step.

        Raises:
            InputError: its file is gone.
        """
        path = self._memories / f"{step}.npz"
        try:
            with np.load(path, allow_pickle=False) as arrays:
                return Memory(**{name: arrays[name] for name in Memory._fields})
        except (OSError, ValueError, KeyError) as error:
            remedy = "restore the file, or start the run again"
            raise InputError(str(path), None, remedy, problem="got no measurement that can be read") from error

    def forget(self) -> None:
        """Removes what only measurements that follow would need."""
        shutil.rmtree(self._memories, ignore_errors=True)

    def _kept(self) -> dict[int, Path]:
        files = sorted(self._memories.glob("*.npz"), key=lambda path: int(path.stem)) if self._memories.exists() else []
        return {int(path.stem): path for path in files}


def recorded(
    training: Iterable[Progress],
    state: State,
    meter: Meter,
    records: Records,
    every: int,
    checkpoints: Path,
    telling: Telling = lambda step: nullcontext(),
) -> Iterator[Progress]:
    """Passes ``training`` on, and measures the states on the way, the one that it begins from among them.

    Training is as without: a measurement reads a state, and takes the next step from it once more. A line is there
    before the step that follows, and what was measured at the state that a run goes on from, or later, is measured
    again. So lines are the same wherever a run was killed.

    Args:
        training: from ``loop.fit``.
        state: that it begins from.
        meter: of the run.
        records: of the run.
        every: steps from one measurement to the next.
        checkpoints: the folder of the run's.
        telling: around each measurement.
    """
    records.cut(int(state.step))
    lines = records.lines()
    memory = records.memory(lines[-1]["step"]) if lines else None

    def measure(state: State, step: int) -> None:
        nonlocal memory
        if step % every == 0:
            with telling(step):
                number = step // every
                steps, sharp = number % STEP_EVERY == 0, number % SHARPNESS_EVERY == 0
                record, memory = meter.measure(state, memory, steps=steps, sharp=sharp)
                lines.append({**record, "means": later_means([*lines, record])})
                records.append(lines[-1], memory, needed_from=_oldest(checkpoints))

    measure(state, int(state.step))
    for now in training:
        measure(now.state, now.step)
        yield now


def later_means(lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Means of observables over the later half of the measurements so far, and the balance of their means.

    >>> line = {"loss": 2.0, "weights_squared": 4.0, "projections": [0.5], "descent": -2.0, "rise": 1.0}
    >>> later_means([{**line, "loss": 9.0}, line, {**line, "loss": 4.0}])
    {'loss': 3.0, 'weights_squared': 4.0, 'projections': [0.5], 'balance': 0.5}

    Args:
        lines: of the measurements; what is None in one is left out.
    """
    later = lines[len(lines) // 2 :]

    def mean(name: str) -> Any:
        values = np.array([line[name] for line in later if line[name] is not None], float)
        return values.mean(axis=0).tolist() if len(values) else None

    descent, rise = mean("descent"), mean("rise")
    ratio = -rise / descent if descent and rise is not None else None
    return {**{name: mean(name) for name in ("loss", "weights_squared", "projections")}, "balance": ratio}


def _oldest(checkpoints: Path) -> int:
    """The step of the first checkpoint that is kept; 0 without any."""
    steps = [int(path.name) for path in checkpoints.glob("*") if path.name.isdigit()]
    return min(steps, default=0)
