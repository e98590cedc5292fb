"""What configurations are declared with: pydantic sections, and its errors as one line that says what would do."""

from __future__ import annotations

import difflib
import tomllib
import typing
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, WrapValidator


def otherwise(remedy: str) -> WrapValidator:
    """Replaces whatever pydantic has to say of a bad value by what would do."""

    def validate(value: Any, handler: Any) -> Any:
        try:
            return handler(value)
        except ValidationError:
            raise ValueError(remedy) from None

    return WrapValidator(validate)


def among(choices: Sequence[str]) -> WrapValidator:
    def validate(value: Any, handler: Any) -> Any:
        if isinstance(value, str) and value in choices:
            return value
        raise ValueError(f"{one_of(choices)}{likeliest(value, choices)}")

    return WrapValidator(validate)


def one_of(names: Iterable[str]) -> str:
    return f"choose one of {', '.join(names)}"


def likeliest(value: Any, choices: Sequence[str]) -> str:
    near = difflib.get_close_matches(value, choices, n=1) if isinstance(value, str) else []
    return f" (did you mean {near[0]!r}?)" if near else ""


Size = Annotated[int, Field(ge=1), otherwise("give a whole number of at least 1")]
Seed = Annotated[int, Field(ge=0, lt=1 << 32), otherwise("give a whole number from 0 to 2**32 - 1")]
Switch = Annotated[bool, otherwise("give true or false")]
Folder = Annotated[str, Field(min_length=1), otherwise("give the path of a folder")]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False), otherwise("give a number above 0")]
Decay = Annotated[float, Field(ge=0, allow_inf_nan=False), otherwise("give a number of at least 0")]
Fraction = Annotated[float, Field(ge=0, lt=1), otherwise("give a number from 0 up to, not including, 1")]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def read_toml(file: Path, option: str) -> dict[str, Any]:
    """The content of a TOML file.

    Args:
        file: its path.
        option: what the user gave it as, for messages.

    Raises:
        ValueError: it can't be read, in one line.
    """
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{option}: got {str(file)!r}; there is no such file") from None
    except OSError as error:
        raise ValueError(f"{option}: got {str(file)!r}; give a file that can be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ValueError(f"{option}: got {str(file)!r}; give a TOML file in UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{option}: got {str(file)!r}; mend its TOML: {error}") from None


def shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def explain(error: ValidationError, root: type[BaseModel], origin: str) -> str:
    """The first error as one line: where in the file, what was there, what would do.

    Args:
        error: of ``root.model_validate``.
        root: whose fields the top level of the file sets.
        origin: the name of the file.
    """
    return " ".join(_explained(error, root, origin).split())


def _explained(error: ValidationError, root: type[BaseModel], origin: str) -> str:
    detail = error.errors(include_url=False)[0]
    place = [str(part) for part in detail["loc"] if not _is_no_key(str(part))]
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "extra_forbidden":
        names = _keys(root, place[:-1])
        message = f"there is no such key; {one_of(names)}{likeliest(place[-1], names)}"
    elif detail["type"] == "missing":
        return f"{'.'.join(place)} in {origin}: got none; give one"
    elif detail["type"] in ("model_type", "model_attributes_type", "dict_type"):
        message = f"give a table, [{'.'.join(place)}]"
    elif detail["type"] in ("list_type", "tuple_type"):
        message = "give a list, in [ ]"
    elif detail["type"] == "too_short":
        message = "give at least one"
    if not place:  # from the root itself: the message names its key
        key, colon, rest = message.partition(": ")
        return f"{key} in {origin}{colon}{rest}"
    key, colon, rest = message.partition(": got ")
    if colon and key.isidentifier():  # from a section as a whole: the message names its key
        return f"{'.'.join([*place, key])} in {origin}: got {rest}"
    return f"{'.'.join(place)} in {origin}: got {shown(detail['input'])}; {message}"


def _is_no_key(part: str) -> bool:
    """Whether it is how pydantic marks a member of a union in a location."""
    return part in ("int", "float", "str", "bool") or "[" in part


def _keys(root: type[BaseModel], place: Sequence[str]) -> list[str]:
    """The keys that a table of the file may have."""
    model = root
    for part in place:
        if part.isdigit() or part not in model.model_fields:
            continue
        found = _model_in(model.model_fields[part].annotation)
        model = found or model
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The section among what a field may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in typing.get_args(annotation):
        if found := _model_in(inner):
            return found
    return None
