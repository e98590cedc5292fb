"""What configurations are declared with: pydantic sections, and the one place where pydantic's errors become ours."""

from __future__ import annotations

import tomllib
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, WrapValidator

from jaxgrad.base.errors import (
    InputError,
    choose,
    fraction,
    number,
    one_of,
    positive_integer,
    positive_number,
    seed,
)

_DEEPEST = 64  # tables and lists within each other that a file may have
_LARGEST = 1 << 63  # TOML's own limit: numbers of 64 bits
_TOO_DEEP = f"tables or lists are nested more than {_DEEPEST} deep"
_TOO_LARGE = "a whole number has more than 64 bits"

Model = TypeVar("Model", bound=BaseModel)


def checked(rule: Callable[[str, Any], Any]) -> BeforeValidator:
    """A rule of ``base.errors``, or one like these, for a field; pydantic knows which."""
    return BeforeValidator(lambda value: rule("", value))


def among(choices: Sequence[str]) -> BeforeValidator:
    return checked(lambda field, value: one_of(field, value, choices))


def otherwise(remedy: str) -> WrapValidator:
    """Replaces whatever is to say of a bad value by what would do."""

    def validate(value: Any, handler: Any) -> Any:
        try:
            return handler(value)
        except ValidationError:
            raise InputError("", value, remedy) from None

    return WrapValidator(validate)


def _switch(field: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise InputError(field, value, "give true or false")  # as TOML writes them
    return value


def _folder(field: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise InputError(field, value, "give the path of a folder")
    return value


Size = Annotated[int, checked(positive_integer)]
Seed = Annotated[int, checked(seed)]
Switch = Annotated[bool, checked(_switch)]
Folder = Annotated[str, checked(_folder)]
Rate = Annotated[float, checked(positive_number)]
Decay = Annotated[float, checked(number)]
Fraction = Annotated[float, checked(fraction)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def read_toml(file: Path, option: str) -> dict[str, Any]:
    """The content of a TOML file.

    Args:
        file: its path.
        option: what the user gave it as, for messages.

    Raises:
        InputError: it can't be read.
    """
    try:
        return parse_toml(file.read_text(encoding="utf-8"), option, file)
    except FileNotFoundError:
        raise InputError(option, file, "there is no such file") from None
    except OSError as error:
        raise InputError(option, file, f"give a file that can be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise InputError(option, file, "give a TOML file in UTF-8") from None


def parse_toml(text: str, option: str, file: Path | str) -> dict[str, Any]:
    """The content of a TOML file from its text; arguments and errors as ``read_toml`` has them."""
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(option, file, f"mend its TOML: {error}") from None
    except ValueError:  # Python reads no longer numbers
        raise InputError(option, file, f"mend its TOML: {_TOO_LARGE}") from None
    except RecursionError:
        raise InputError(option, file, f"mend its TOML: {_TOO_DEEP}") from None
    _check_limits(tree, option, file)
    return tree


def _check_limits(tree: dict[str, Any], option: str, file: Path | str) -> None:
    """Refuses what would be trouble later, wherever it is: level by level, since recursion has limits of its own."""
    level: list[Any] = [tree]
    for _ in range(_DEEPEST + 1):
        inner: list[Any] = []
        for node in level:
            if isinstance(node, int) and not -_LARGEST <= node < _LARGEST:
                raise InputError(option, file, f"mend its TOML: {_TOO_LARGE}")
            inner += node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        level = inner
    if level:
        raise InputError(option, file, f"mend its TOML: {_TOO_DEEP}")


def validated(root: type[Model], tree: Any, origin: str | None = None) -> Model:
    """What ``tree`` says, checked.

    Args:
        root: whose fields the top level of the tree sets.
        tree: the content of a file, say.
        origin: the name of the file.

    Raises:
        InputError: of the first thing that won't do; its field is the key, with its tables.
    """
    try:
        return root.model_validate(tree)
    except ValidationError as error:
        refusal = _translated(error, root, tree)
    raise refusal if origin is None else refusal.read_from(origin)


# What to say of pydantic's own errors; those of our rules are InputErrors already.
_REMEDIES = {
    "list_type": "give a list, in [ ]",
    "tuple_type": "give a list, in [ ]",
    "too_short": "give at least one",
    "string_type": "give a text, in quotes",
}
_TABLES = ("model_type", "model_attributes_type", "dict_type")


def _translated(error: ValidationError, root: type[BaseModel], tree: Any) -> InputError:
    detail = error.errors(include_url=False)[0]
    kind, place = detail["type"], _keys(detail["loc"], tree, missing=detail["type"] == "missing")
    field = ".".join(place)
    own = detail.get("ctx", {}).get("error")
    if isinstance(own, InputError):
        return own.under(field)
    if kind == "missing":
        return InputError(field, None, "give one", problem="got none")
    if kind == "extra_forbidden":
        names = _names(root, place[:-1])
        remedy = f"there is no such key; {choose(names, place[-1])}"
    elif kind in _TABLES:
        remedy = f"give a table, [{field}]"
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


def _names(root: type[BaseModel], place: Sequence[str]) -> list[str]:
    """The keys that a table of the file may have."""
    model = root
    for part in place:
        if part in model.model_fields:
            model = _model_in(model.model_fields[part].annotation) or model
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The section among what a field may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in typing.get_args(annotation):
        if found := _model_in(inner):
            return found
    return None
