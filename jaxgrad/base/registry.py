"""Registries: records by name, built in or added by a user, looked up once where a name is given as text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Generic, Protocol, TypeVar, overload

from jaxgrad.base.errors import InputError, one_of


class Named(Protocol):
    @property
    def name(self) -> str: ...


Record = TypeVar("Record", bound=Named)


class Registry(Mapping[str, Record]):
    """Records by name, in the order in which they were registered.

    Args:
        field: what users give names of these as, for messages.
        kind: the records' type.
    """

    def __init__(self, field: str, kind: type[Record]) -> None:
        self._field, self._kind = field, kind
        self._records: dict[str, Record] = {}
        self._aliases: dict[str, str] = {}

    def register(self, record: Record, *, alias: str = "") -> Record:
        """Makes a record known by its name, and returns it; registering an equal one again changes nothing.

        Args:
            record: the record.
            alias: another name by which it is found; results have its own.

        Raises:
            InputError: it is none of the records' type, or another one has one of its names.
        """
        if not isinstance(record, self._kind):
            raise InputError(self._field, record, f"register a {self._kind.__name__}")
        record = self.find(record)
        for name in filter(None, (record.name, alias)):
            owner = self._aliases.get(name, name)
            if owner != record.name and owner in self._records:
                raise InputError(self._field, name, f"choose another name: {owner!r} is found by it")
        if alias:
            self._aliases[alias] = record.name
        return self._records.setdefault(record.name, record)

    def unregister(self, name: str) -> Record:
        """Forgets the record of that name, and returns it; for a notebook's cell that is run again, and for tests.

        Raises:
            InputError: there is none.
        """
        return self._records.pop(one_of(self._field, name, tuple(self)))

    def find(self, value: str | Record) -> Record:
        """The record of that name; a record, registered or not, is itself.

        Raises:
            InputError: no record has the name, or another one has that of the record.
        """
        if not isinstance(value, self._kind):
            return self[one_of(self._field, value, self.names())]
        if self.get(value.name, value) != value:
            raise InputError(
                self._field,
                value,
                "give it a name of its own, or unregister that one",
                problem=f"got a {self._kind.__name__} named {value.name!r}, as another one is that is registered",
            )
        return value

    def names(self, which: Callable[[Record], bool] = lambda record: True) -> Names[Record]:
        """The names of the records that ``which`` is true of, also of those that are registered later."""
        return Names(self, which)

    @property
    def aliases(self) -> Mapping[str, str]:
        return self._aliases

    def __getitem__(self, name: str) -> Record:
        return self._records[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)


class Names(Sequence[str], Generic[Record]):
    """Names of a registry's records as they are now; see ``Registry.names``."""

    def __init__(self, registry: Registry[Record], which: Callable[[Record], bool]) -> None:
        self._registry, self._which = registry, which

    @property
    def aliases(self) -> Mapping[str, str]:
        """The names by which records are found too, each with that of its record."""
        return self._registry.aliases

    def __iter__(self) -> Iterator[str]:
        return (name for name, record in self._registry.items() if self._which(record))

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...
    def __getitem__(self, index: int | slice) -> str | tuple[str, ...]:
        return tuple(self)[index]

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return repr(tuple(self))
