"""The work that a design space's file asks for, in parts, each computed once and kept in the store."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from jaxgrad.designs import sweep as engine
from jaxgrad.designs.schema import Sweep
from jaxgrad.designs.space import Chunk, technology
from jaxgrad.programs import LayerGemm
from jaxgrad.studies.compute import demand
from jaxgrad.studies.store import JSON, Codec, Store, fingerprint, name
from jaxgrad.studies.tasks import Executor, Following, Task, in_order, untold


class OfNetwork(Protocol):
    """A part of the work is about one network, or layer, at one batch."""

    @property
    def workload(self) -> Mapping[str, Any]: ...

    @property
    def batch(self) -> int: ...


Part = TypeVar("Part", bound=OfNetwork)
Result = TypeVar("Result")


class Work(ABC, Generic[Part, Result]):
    """The parts, checked: what can't be costed is refused before anything runs.

    Args:
        sweep: from ``file``.
        file: where it is from; paths in it are relative to its folder.
        store: where results are kept.

    Raises:
        ValueError: a network's counts could pass 64 bits, or it or a design can't be built.
    """

    kind: ClassVar[str]
    """Of the results in the store."""

    codec: ClassVar[Codec] = JSON
    """How they are written there."""

    def __init__(self, sweep: Sweep, file: Path, store: Store) -> None:
        self.sweep, self.file, self.store = sweep, file, store
        self.technology = technology(sweep, file.parent)
        self.parts = self.planned()
        for part in self.parts:
            engine.check(self.extent(part), sweep, self.gemms(part), self.technology)

    @abstractmethod
    def planned(self) -> list[Part]:
        """All parts, in their order."""

    @abstractmethod
    def extent(self, part: Part) -> Chunk:
        """Designs as small and as large as any of a part's."""

    @abstractmethod
    def spec(self, part: Part) -> dict[str, Any]:
        """All that decides a part's result, as plain data."""

    @abstractmethod
    def label(self, part: Part) -> str:
        """What a part is called while it is computed."""

    def size(self, part: Part) -> int:
        """Of a part, against the others."""
        return 1

    @abstractmethod
    def run(self, part: Part) -> Any:
        """A part's result as the codec takes it, computed now."""

    @abstractmethod
    def read(self, part: Part, kept: Any) -> Result:
        """A result from what was kept of it."""

    def tasks(self) -> list[Task]:
        """A task for each part."""
        return [
            Task(
                self.store,
                name(self.kind, self.spec(part), self.codec),
                self.label(part),
                partial(self.compute, part),
                self.size(part),
                fingerprint(),
            )
            for part in self.parts
        ]

    def results(self, executor: Executor, follow: Following = untold) -> Iterator[Result]:
        """Each part's result, in order, as it and those before it are done.

        Args:
            executor: who does what is not done yet.
            follow: tells how far it is, see ``tasks.in_order``.
        """
        tasks = self.tasks()
        for part, _ in zip(self.parts, in_order(tasks, executor, follow(tasks)), strict=True):
            yield self.compute(part)

    def compute(self, part: Part) -> Result:
        """A part's result, from the store if it is there."""
        kept = self.store.cached(self.kind, self.spec(part), lambda: self.run(part), self.codec)
        return self.read(part, kept)

    def __getstate__(self) -> dict[str, Any]:
        """What another process needs to compute a part that it is given."""
        return {**vars(self), "parts": [], "file": self.file.absolute()}

    def gemms(self, part: Part) -> list[LayerGemm]:
        """What a part's network asks of the array, traced once."""
        return demand({**part.workload, "batch": part.batch, "vector": False}, self.store, self.file.parent).gemms
