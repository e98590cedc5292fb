"""What docstrings say of a model and of its keys: for the JSON schemas that editors read, and for the reference."""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Iterator
from typing import Any

_SECTION = re.compile(r"^Args:\n((?:    .*\n?|\n)*)", re.MULTILINE)
_ENTRY = re.compile(r"^    (\w[\w, ]*): (.*(?:\n {5,}.*)*)", re.MULTILINE)


def summary(of: Any) -> str:
    """The first sentence of a docstring.

    >>> summary(summary)
    'The first sentence of a docstring.'
    """
    first = " ".join((inspect.getdoc(of) or "").partition("\n\n")[0].split())
    return re.split(r"(?<=\.)\s|:$", first)[0]


def arguments(model: type[Any]) -> dict[str, str]:
    """What ``Args:`` of a class's docstring, and of those of its bases, says of each name."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        section = _SECTION.search(inspect.cleandoc(base.__dict__.get("__doc__") or "") + "\n")
        for names, text in _ENTRY.findall(section[1] if section else ""):
            found |= {name.strip(): " ".join(text.split()) for name in names.split(",")}
    return found


def keys(model: type[Any]) -> dict[str, Any]:
    """The fields of a model by the keys that files have for them."""
    return {field.title or name: field for name, field in model.__pydantic_fields__.items()}


def words(model: type[Any]) -> dict[str, str]:
    """What is said of each key of a model: by itself, by the docstring, or else by that of the table it holds."""
    said = arguments(model)
    return {
        field.title or name: field.description
        or said.get(name)
        or summary(next(tables(field.annotation, in_lists=True), None))
        for name, field in model.__pydantic_fields__.items()
    }


def tables(annotation: Any, *, in_lists: bool = False) -> Iterator[type[Any]]:
    """The models of the tables that an annotation allows.

    Args:
        annotation: of a field.
        in_lists: whether those in lists and the like count too.
    """
    if isinstance(annotation, type) and hasattr(annotation, "__pydantic_fields__"):
        yield annotation
    elif in_lists or typing.get_origin(annotation) in (typing.Union, types.UnionType, typing.Annotated):
        for inner in typing.get_args(annotation):
            yield from tables(inner, in_lists=in_lists)
