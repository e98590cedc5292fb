"""Forward passes: names -> how ``y = x w`` lies on the array (DESIGN.md section 2)."""

from __future__ import annotations

from dataclasses import dataclass

from jaxgrad.array.mapping import Mapping, Product
from jaxgrad.base.errors import InputError
from jaxgrad.base.registry import Names, Registry


@dataclass(frozen=True, repr=False)
class Forward:
    """A name for a mapping that computes y.

    Raises:
        InputError: the mapping computes something else.
    """

    name: str
    mapping: Mapping

    def __post_init__(self) -> None:
        if not isinstance(self.mapping, Mapping) or self.mapping.results != ("y",):
            raise InputError("mapping", self.mapping, "give one of y alone")

    def __hash__(self) -> int:
        return hash(self.name)  # jit hashes its static arguments at every call

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"Forward({self.name!r})"


_REGISTRY: Registry[Forward] = Registry("forward", Forward)
register, unregister, find = _REGISTRY.register, _REGISTRY.unregister, _REGISTRY.find
FORWARDS: Names[Forward] = _REGISTRY.names()

register(Forward("ws", Mapping((Product("ws", "y"),), "bkn")))
register(Forward("os", Mapping((Product("os", "y"),), "kbn")))
register(Forward("is", Mapping((Product("ws", "y"),), "nkb")))
