"""What configurations are declared with: pydantic sections, and the rules of their values."""

from __future__ import annotations

import dataclasses
import functools
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, dataclass_transform

import pydantic.dataclasses
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo, WrapValidator
from pydantic_core import PydanticUndefined

from jaxgrad.base.errors import (
    InputError,
    blend,
    boolean,
    count_or_all,
    few_bits,
    fraction,
    number,
    one_of,
    positive_integer,
    positive_number,
    seed,
    share,
    sizes,
)
from jaxgrad.base.translation import translated

_DEEPEST = 64  # tables and lists within each other that a file may have
_LARGEST = 1 << 63  # TOML's own limit: numbers of 64 bits
_TOO_DEEP = f"tables or lists are nested more than {_DEEPEST} deep"
_TOO_LARGE = "a whole number has more than 64 bits"

Model = TypeVar("Model", bound=BaseModel)
Class = TypeVar("Class")
_FILE = "file"  # the context of what is read from a file


def checked(rule: Callable[[str, Any], Any], written: Any = PydanticUndefined) -> BeforeValidator:
    """A rule of ``base.errors``, or one like these, for a field; pydantic knows which.

    Args:
        rule: from what is given to what the field holds.
        written: the type of what files give, for JSON schemas; by default that of the field.
    """
    return BeforeValidator(lambda value: rule("", value), json_schema_input_type=written)


def among(choices: Sequence[str]) -> BeforeValidator:
    names = Literal[*choices, *getattr(choices, "aliases", ())]  # pyright: ignore[reportInvalidTypeForm]  # values
    return BeforeValidator(lambda value: one_of("", value, choices), json_schema_input_type=names)


def otherwise(remedy: str) -> WrapValidator:
    """Replaces whatever is to say of a bad value by what would do."""

    def validate(value: Any, handler: Any) -> Any:
        try:
            return handler(value)
        except ValidationError:
            raise InputError("", value, remedy) from None

    return WrapValidator(validate)


def _switch(value: Any, info: ValidationInfo) -> bool:
    if info.context != _FILE:
        return boolean("", value)
    if not isinstance(value, bool):
        raise InputError("", value, "give true or false")  # as TOML writes them
    return value


def _folder(field: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise InputError(field, value, "give the path of a folder")
    return value


# The limits of pydantic's own are for JSON schemas: what is not within them is refused before, in our words.
Size = Annotated[int, Field(ge=1), checked(positive_integer)]
Sizes = Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1), checked(sizes)]
Seed = Annotated[int, Field(ge=0, lt=1 << 32), checked(seed)]
Switch = Annotated[bool, BeforeValidator(_switch)]
Folder = Annotated[str, Field(min_length=1), checked(_folder)]
Rate = Annotated[float, Field(gt=0), checked(positive_number)]
AtLeastZero = Annotated[float, Field(ge=0), checked(number)]
Fraction = Annotated[float, Field(ge=0, lt=1), checked(fraction)]
Share = Annotated[float, Field(gt=0, le=1), checked(share)]
Bits = Annotated[int, Field(ge=1, le=8), checked(few_bits)]
Blend = Annotated[float, Field(ge=0, le=1), checked(blend)]
CountOrAll = Annotated[
    int | str,
    checked(count_or_all, Annotated[int, Field(ge=1)] | Literal["all"] | Annotated[str, Field(pattern="[0-9]")]),
]


class Section(BaseModel):
    # Validators are built when they are first used: imports do not wait for those of other commands.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


@dataclass_transform(frozen_default=True)
def described(*, within: str = "") -> Callable[[type[Class]], type[Class]]:
    """Makes a frozen dataclass of a class, with its fields checked: for what is given in Python as well as in a file.

    From Python it refuses with an ``InputError``; as the field of a ``Section`` it takes a table too. Where a table's
    key differs from the field's name, it is the field's ``title``.

    Args:
        within: what the fields' names come after in errors, from Python.

    >>> @described()
    ... class Box:
    ...     size: Size
    >>> Box(0)
    Traceback (most recent call last):
    jaxgrad.base.errors.InputError: size: got 0; give a whole number of at least 1
    """

    def decorate(cls: type[Class]) -> type[Class]:
        config = ConfigDict(extra="forbid", json_schema_extra=_keyed_as_in_files)
        made: Any = pydantic.dataclasses.dataclass(frozen=True, config=config)(cls)
        init = made.__init__
        names = [field.name for field in dataclasses.fields(made)]

        @functools.wraps(init)
        def checked_init(self: Any, *args: Any, **kwargs: Any) -> None:
            if len(args) > len(names):
                raise TypeError(f"{made.__name__} takes {', '.join(names)}; got {len(args)} arguments")
            arguments = dict(zip(names, args, strict=False)) | kwargs
            try:
                init(self, **arguments)
            except ValidationError as error:
                refusal = translated(error, made, arguments)
            else:
                return
            raise refusal.under(within)

        made.__init__ = checked_init
        return made

    return decorate


def _keyed_as_in_files(schema: dict[str, Any], of: type[Any]) -> None:
    keys = {name: field.title or name for name, field in of.__pydantic_fields__.items()}
    schema["properties"] = {keys[name]: part for name, part in schema["properties"].items()}
    schema["required"] = [keys[name] for name in schema.get("required", ())]


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
        return root.model_validate(tree, context=_FILE)
    except ValidationError as error:
        refusal = translated(error, root, tree)
    raise refusal if origin is None else refusal.read_from(origin)
