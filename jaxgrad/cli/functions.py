"""A function of the user's and what it is traced with, from the texts of a command line."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, NamedTuple

from jaxgrad.base import references
from jaxgrad.base.errors import InputError
from jaxgrad.cli.options import SIZE

_MOST_DIGITS = 18  # of a size, which JAX keeps in 64 bits
_ARRAY = re.compile(r"(\w+)\[([\d\s,]*)\]")
_CONSTANTS = {"true": True, "false": False, "none": None}
_TYPES = {
    **{f"f{bits}": f"float{bits}" for bits in (16, 32, 64)},
    **{f"i{bits}": f"int{bits}" for bits in (4, 8, 16, 32, 64)},
    **{f"u{bits}": f"uint{bits}" for bits in (4, 8, 16, 32, 64)},
    "bf16": "bfloat16",
    "bool": "bool",
}


class Named(NamedTuple):
    """A size or a count of trips, and the axis or loop it is for; without a name, for all."""

    name: str
    number: int

    def __str__(self) -> str:
        return f"{self.name}={self.number}" if self.name else str(self.number)

    @classmethod
    def loop(cls, option: str, text: Any) -> Named:
        """A rule: ``9`` or ``NAME=9``."""
        name, _, number = text.rpartition("=")
        return cls(name, SIZE(option, number))

    @classmethod
    def axis(cls, option: str, text: Any) -> Named:
        """A rule: ``NAME=9``."""
        name, equals, number = text.rpartition("=")
        if not equals:
            raise InputError(option, text, "give NAME=N, such as batch=32")
        return cls(name, SIZE(option, number))


def argument(option: str, text: Any) -> Any:
    """A rule: an array's type and shape, such as ``f32[32,784]``, a number, true, false or none."""
    import jax
    import jax.numpy as jnp

    array = _ARRAY.fullmatch(text.strip())
    if array is None:
        return _scalar(option, text)
    try:
        dtype = jnp.dtype(getattr(jnp, _TYPES.get(array[1], array[1])))
    except (AttributeError, TypeError):
        raise InputError(option, text, f"its type is none of {', '.join(_TYPES)}") from None
    sizes = array[2].replace(" ", "").split(",")
    if any(len(size) > _MOST_DIGITS for size in sizes):
        raise InputError(option, text, f"give sizes of at most {_MOST_DIGITS} digits")
    return jax.ShapeDtypeStruct(tuple(int(size) for size in sizes if size), dtype)


def _scalar(option: str, text: str) -> Any:
    word = text.strip().lower()
    if word in _CONSTANTS:
        return _CONSTANTS[word]
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            pass
    raise InputError(option, text, "give a type and a shape, such as f32[32,784], or a number")


def load(reference: str) -> tuple[Callable[..., Any], ModuleType]:
    """The function that ``MODULE:FUNCTION`` names, and its module.

    Raises:
        InputError: the module can't be imported, or has no such function.
    """
    value, module = references.load("function", reference, "FUNCTION")
    if not callable(value):
        problem = f"got {reference!r}, which is a {type(value).__name__}"
        raise InputError("function", reference, "give something to call", problem=problem)
    return value, module


def example_arguments(module: ModuleType) -> Sequence[Any]:
    """The module's ``example_args``, a tuple or a function that returns one; none if it has none."""
    examples: Any = getattr(module, "example_args", ())
    if callable(examples):
        examples = examples()
    return tuple(examples)
