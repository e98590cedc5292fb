"""The one place where pydantic's errors become ours."""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from jaxgrad.base.errors import InputError, choose

# What to say of pydantic's own errors; those of our rules are InputErrors already.
_REMEDIES = {
    "list_type": "give a list, in [ ]",
    "tuple_type": "give a list, in [ ]",
    "string_type": "give a text, in quotes",
}
_TABLES = ("model_type", "model_attributes_type", "dict_type", "dataclass_type")
_MISSING = ("missing", "missing_argument")
_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")


def translated(error: ValidationError, root: type[Any], tree: Any) -> InputError:
    """The first thing that will not do.

    Args:
        error: what pydantic found.
        root: the model that refused.
        tree: what it refused.
    """
    detail, *others = error.errors(include_url=False)
    if detail["type"] in _MISSING:  # misspelt, it may be
        unknown = (each for each in others if each["type"] in _UNKNOWN and each["loc"][:-1] == detail["loc"][:-1])
        detail = next(unknown, detail)
    kind, place = detail["type"], _keys(detail["loc"], tree, missing=detail["type"] in _MISSING)
    field = ".".join(place)
    cause = detail.get("ctx", {}).get("error")
    if isinstance(cause, InputError):
        return cause.under(field)
    if kind in _MISSING:
        remedy = f"give a table, [{field}]" if _is_table(_annotation(root, place)) else "give one"
        return InputError(field, None, remedy, problem="got none")
    if kind in _UNKNOWN:
        names = [field.title or name for name, field in _fields(root, place[:-1]).items()]
        remedy = f"there is no such key; {choose(names, place[-1])}"
    elif kind == "dataclass_type" and not issubclass(root, BaseModel):
        remedy = f"give one of class {detail.get('ctx', {}).get('class_name')}"
    elif kind in _TABLES:
        remedy = (
            f"give a table, [[{'.'.join(place[:-1])}]]" if place and place[-1].isdigit() else f"give a table, [{field}]"
        )
    elif kind == "list_type" and model_in(_annotation(root, place)):
        remedy = f"give tables, [[{field}]]"
    elif kind == "too_short":
        least = detail.get("ctx", {}).get("min_length", 1)
        remedy = f"give at least {'one' if least == 1 else least}"
    else:
        remedy = _REMEDIES.get(kind, detail["msg"])
    return InputError(field, detail["input"], remedy)


def _keys(location: Sequence[str | int], tree: Any, *, missing: bool) -> list[str]:
    """The keys of a location: pydantic names members of unions there too, and these lead nowhere in the tree."""
    place, node = [], tree
    for part in location:
        if _has(node, part):
            node = node[part]
            place.append(str(part))
    return [*place, str(location[-1])] if missing else place


def _has(node: Any, part: str | int) -> bool:
    if isinstance(node, list):
        return isinstance(part, int) and part < len(node)
    return isinstance(node, Mapping) and part in node


def _fields(root: type[Any], place: Sequence[str]) -> Mapping[str, FieldInfo]:
    """The fields of a table of the file."""
    fields = root.__pydantic_fields__
    for part in place:
        model = model_in(fields[part].annotation) if part in fields else None
        fields = model.__pydantic_fields__ if model else fields
    return fields


def _annotation(root: type[Any], place: Sequence[str]) -> Any:
    """What a key of the file may hold."""
    fields = {field.title or name: field for name, field in _fields(root, place[:-1]).items()}
    return fields[place[-1]].annotation if place and place[-1] in fields else None


def _is_table(annotation: Any) -> bool:
    return isinstance(annotation, type) and hasattr(annotation, "__pydantic_fields__")


def model_in(annotation: Any) -> type[Any] | None:
    """The section, or what is ``described``, among what a field may hold."""
    if _is_table(annotation):
        return annotation
    for inner in typing.get_args(annotation):
        if model := model_in(inner):
            return model
    return None
