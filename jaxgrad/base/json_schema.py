"""JSON schemas of what users write in TOML, from the models that check it.

A definition says what a table's keys may hold, and not which of them must be there: some tables stand over others and
say only what they have otherwise. What must be there is said where a whole table stands: in a file, or in a list.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from jaxgrad.base.words import keys, summary, tables, words

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_PLAIN = (str, int, float, bool)
_SCALARS = re.compile(r"\[\n\s+([^\[\]{}]*?)\n\s+\]")


class Whole:
    """For a field that is left as written: a table that must hold all that one of a model must."""

    def __init__(self, model: type[Any]) -> None:
        self.model = model

    def __get_pydantic_json_schema__(self, _: Any, handler: Any) -> dict[str, Any]:
        return handler(self.model.__pydantic_core_schema__)


class Changes(Whole):
    """For a field that is left as written: some keys of a model's table, over those of another."""


class Elsewhere:
    """For a key that names a file: where it stands, what must be there may be in that file."""


class _Generator(GenerateJsonSchema):
    """Schemas as files have them: TOML has no null, and all that is said is what docstrings say."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def nullable_schema(self, schema: Any) -> dict[str, Any]:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: Any) -> dict[str, Any]:
        made = super().default_schema(schema)
        default = made.get("default")
        parts = default if isinstance(default, list) else [default]
        is_plain = parts and all(isinstance(part, _PLAIN) for part in parts)
        return made if is_plain else self.generate_inner(schema["schema"])

    def model_schema(self, schema: Any) -> dict[str, Any]:
        return self._described(super().model_schema(schema), schema["cls"])

    def dataclass_schema(self, schema: Any) -> dict[str, Any]:
        return self._described(super().dataclass_schema(schema), schema["cls"])

    def _described(self, made: dict[str, Any], model: type[Any]) -> dict[str, Any]:
        fields, said = keys(model), words(model)
        properties = {key: {**part, "description": said[key]} for key, part in made["properties"].items()}
        for key, part in properties.items():
            part.pop("title", None)
            if "items" in part and (listed := next(tables(fields[key].annotation, in_lists=True), None)):
                part["items"] = _both(part["items"], needed(listed))
        others = {key: value for key, value in made.items() if key not in ("title", "required")}
        return {**others, "description": summary(model), "properties": properties}


def needed(model: type[Any]) -> dict[str, Any]:
    """What must be there in a table of a model, and in tables of it: lists say so themselves."""
    fields = keys(model)
    required = [field.alias or key for key, field in fields.items() if field.is_required()]
    inner = {key: part for key, field in fields.items() if (part := _needed_in(field))}
    must = ({"required": required} if required else {}) | ({"properties": inner} if inner else {})
    naming = [key for key, field in fields.items() if any(isinstance(mark, Elsewhere) for mark in field.metadata)]
    return {"if": {"required": naming}, "else": must} if naming else must


def _needed_in(field: Any) -> dict[str, Any]:
    marked = (mark.model for mark in field.metadata if type(mark) is Whole)
    model = next(marked, None) or next(tables(field.annotation), None)
    return needed(model) if model else {}


def json_schema(title: str, models: Mapping[str, type[BaseModel]]) -> dict[str, Any]:
    """The schema of a kind of file, or of several kinds.

    Args:
        title: what it is called.
        models: what checks such a file, by the key that tells its kind; the last one's kind is that of all others.
    """
    found, shared = models_json_schema(
        [(model, "validation") for model in models.values()], schema_generator=_Generator
    )
    definitions, (*told, (_, other)) = shared["$defs"], models.items()
    made = _file(found, other)
    for key, model in reversed(told):
        made = {"if": {"required": [key]}, "then": _file(found, model), "else": made}
    if not told:  # there is but one table at the top
        made = {**definitions.pop(found[other, "validation"]["$ref"].rpartition("/")[2]), **made}
        made["allOf"] = [part for part in made["allOf"] if "$ref" not in part]
    return {"$schema": _DIALECT, **made, "title": title, "$defs": definitions}


def _file(found: Mapping[Any, Any], model: type[BaseModel]) -> dict[str, Any]:
    """A whole file."""
    return _both(found[model, "validation"], needed(model))


def _both(reference: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Two schemas at once. Editors that know but draft 7 do not see what stands beside a reference."""
    return {"allOf": [reference, other]}


def text(schema: Mapping[str, Any]) -> str:
    """A schema to read: lists of names and numbers on a line each."""
    indented = json.dumps(schema, indent=2, ensure_ascii=False)
    return _SCALARS.sub(lambda match: "[" + " ".join(match[1].split()) + "]", indented) + "\n"
