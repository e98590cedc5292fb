"""A run directory that several devices or processes share: one process writes, all of them know what is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import jax

from jaxgrad.base.tabular import Records
from jaxgrad.training import processes, random_keys, runs
from jaxgrad.training.checkpoints import KEPT, Checkpoints
from jaxgrad.training.devices import Layout, whole
from jaxgrad.training.runs import Run


class SharedRun(Run):
    """A run of several processes: one of them writes, and tells the others what it reads; all of them ask."""

    def metrics(self) -> Records:
        return Records(processes.told(super().metrics() if processes.is_writer() else None))

    def append_metrics(self, record: Mapping[str, Any]) -> None:
        if processes.is_writer():
            super().append_metrics(record)

    def metrics_mark(self) -> dict[str, Any]:
        return super().metrics_mark() if processes.is_writer() else runs.START

    def rewind_metrics(self, mark: Mapping[str, Any]) -> None:
        rewind = super().rewind_metrics
        processes.by_writer(lambda: rewind(mark))

    def write_config(self, config: str) -> None:
        if processes.is_writer():
            super().write_config(config)

    def write_json(self, name: str, content: Any) -> Path:
        return super().write_json(name, content) if processes.is_writer() else self.folder / name


def found(find: Callable[[], Run | None]) -> Run | None:
    """The run that ``find`` returns in the process that writes, if there is one, in every process."""
    run = processes.by_writer(find)
    if not processes.several():
        return run
    folder = processes.told(str(run.folder) if run else None)
    return None if folder is None else SharedRun(Path(folder))


def made(make: Callable[[], Run]) -> Run:
    """The run that ``make`` makes in the process that writes, in every process."""
    run = found(make)
    assert run is not None
    return run


class SharedCheckpoints:
    """Checkpoints of a state that is spread over devices, as ``Checkpoints`` otherwise.

    Arrays are gathered on the host before they are written, so that a run goes on with whatever devices and processes
    there are then. One process writes and reads; the others are sent what it read.

    Args:
        folder, settings, keep: as of ``Checkpoints``.
        layout: of the states that are restored.
    """

    def __init__(
        self, folder: Path, settings: Mapping[str, Mapping[str, Any]], layout: Layout, keep: int | None = KEPT
    ) -> None:
        self._layout = layout
        self._writer = processes.by_writer(lambda: Checkpoints(folder, settings, keep))

    def __enter__(self) -> SharedCheckpoints:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer:
            self._writer.__exit__(kind, error, trace)

    def save(self, step: int, state: Any, log: dict[str, Any]) -> None:
        """Commits a checkpoint; it is on the disk when this returns, in every process."""
        host = _host(state)
        processes.by_writer(lambda: self._writer and self._writer.save(step, host, log))

    def settings_of(self, step: int) -> Mapping[str, Mapping[str, Any]]:
        """As ``Checkpoints.settings_of``."""
        return processes.told(processes.by_writer(lambda: self._writer and self._writer.settings_of(step)))

    def restore(self, like: Any) -> tuple[Any, dict[str, Any]] | None:
        """As ``Checkpoints.restore``, on the layout's devices.

        Raises:
            InputError: as there, in the process that reads; ``Elsewhere`` in the others.
        """
        host = _host(like)
        restored = processes.by_writer(lambda: self._writer and self._writer.restore(host))
        log = processes.told(restored and restored[1])
        if log is None:
            return None
        state = jax.tree.map(processes.told_array, restored[0] if restored else host)
        return self._layout.placed(jax.tree.map(random_keys.as_in, like, state)), log


def _host(state: Any) -> Any:
    """The state's arrays on the host; keys as their words."""
    return jax.tree.map(lambda leaf: whole(random_keys.words(leaf)), state)
