"""A sweep whose chunks are written down in a file as they begin and as they are kept, in whatever process."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxgrad.designs import schema
from jaxgrad.designs.space import Chunk
from jaxgrad.designs.sweep import Table
from jaxgrad.studies.design_sweep import SweepWork
from jaxgrad.studies.store import JSON, Codec, Store
from jaxgrad.studies.table_files import opener
from jaxgrad.studies.tasks import Executor

SPACE = {
    "workload": {"layers": [[40, 24], [24, 10]], "batch": [6, 12, 18]},
    "space": {"rows": [2, 4], "cols": [3, 5], "double_buffered": [False, True], "schedule": ["interleaved", "ws_only"]},
}
"""Twelve chunks."""


class Counted(SweepWork):
    """Each chunk takes ``slow_s``; the one that is named kills its process, the first time that it is begun."""

    def __init__(self, folder: Path, slow_s: float = 0.0, deadly: str | None = None) -> None:
        self.log, self.slow_s, self.deadly = folder.absolute() / "log", slow_s, deadly
        super().__init__(schema.check(SPACE, "space.toml"), folder / "space.toml", Told(folder / "store", self.log))

    def run(self, part: Chunk) -> Table:
        name = called(part)
        write_down(self.log, "began", name)
        if name == self.deadly and self.counts("began")[name] == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(self.slow_s)
        return super().run(part)

    def counts(self, what: str) -> Counter[str]:
        """How often each chunk has begun, or ended: a process that is killed before its result is kept has not."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return Counter(line.partition(" ")[2] for line in lines if line.startswith(what))

    def table(self, file: str, executor: Executor) -> bytes:
        """The CSV file of the sweep's table."""
        path = self.log.with_name(file)
        with opener(path)() as put:
            for table in self.results(executor):
                put(table)
        return path.read_bytes()


class Told(Store):
    """Writes down which chunk has ended, once its result is kept."""

    def __init__(self, folder: Path, log: Path) -> None:
        super().__init__(folder)
        self.log = log

    def put(self, kind: str, spec: Mapping[str, Any], result: Any, codec: Codec = JSON) -> None:
        super().put(kind, spec, result, codec)
        if kind == Counted.kind:
            write_down(self.log, "ended", called(Chunk(**spec["chunk"])))


def called(chunk: Chunk) -> str:
    return f"{chunk.network}:{chunk.batch}:{chunk.double_buffered}"


def write_down(log: Path, *words: str) -> None:
    with log.open("a") as file:  # a short line is appended whole
        file.write(f"{' '.join(words)}\n")
