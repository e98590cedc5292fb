"""The work that a design space's file asks for, in parts, each computed once and kept in the store."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from jaxgrad.designs import sweep as engine
from jaxgrad.designs.schema import Sweep
from jaxgrad.designs.space import Chunk, technology
from jaxgrad.programs import LayerGemm
from jaxgrad.studies.compute import demand
from jaxgrad.studies.store import Store


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
    def run(self, part: Part) -> Any:
        """A part's result as plain data, computed now."""

    @abstractmethod
    def read(self, kept: Any) -> Result:
        """A result from its plain data."""

    def is_done(self, part: Part) -> bool:
        return self.store.has(self.kind, self.spec(part))

    def compute(self, part: Part) -> Result:
        """A part's result, from the store if it is there."""
        return self.read(self.store.cached(self.kind, self.spec(part), lambda: self.run(part)))

    def gemms(self, part: Part) -> list[LayerGemm]:
        """What a part's network asks of the array, traced once."""
        return demand({**part.workload, "batch": part.batch, "vector": False}, self.store, self.file.parent).gemms
