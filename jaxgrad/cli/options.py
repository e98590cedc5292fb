"""How options are declared: what each takes, as values, and those that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import typer

from jaxgrad.base.errors import (
    InputError,
    blend,
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
    whole_number,
)
from jaxgrad.cli.errors import BadInput

RESULTS = Path("results")
IN_SOURCES = "of jaxgrad's source distribution (pip download --no-deps --no-binary jaxgrad jaxgrad)"
"""Where the files are that a wheel leaves out."""

MODEL, ARRAY, LEARNING, RUN, OUTPUT = "Model and data", "Array", "Learning", "Run", "Output"
PIPELINE = "Pipeline"
PLACE = "Devices and processes"

Rule = Callable[[str, Any], Any]
"""From an option's name and what it got, its text or its default, to the value; an InputError if that won't do."""

Names = Callable[[], Sequence[str]]
"""The names that an option takes, from the room that has them, imported when it is asked."""


def option(
    flags: str,
    metavar: str | None,
    text: str,
    panel: str = "Options",
    *,
    rule: Rule | None = None,
    default: str | None = None,
) -> Any:
    """A declared option.

    Args:
        flags: its name, as ``--rows``, or two of a switch, as ``--on/--off``; several with spaces between.
        metavar: what the help calls its value; None for a switch.
        text: what the help says of it; the default is told beside.
        panel: of the help.
        rule: by which its text becomes a value.
        default: what the help says of the default where that is no value.
    """
    names = flags.split(" ")
    return typer.Option(
        *names,
        metavar=metavar,
        help=_plain(text),
        rich_help_panel=panel,
        show_default=True if default is None else default,
        parser=None if rule is None else _parser(names[0], rule),
        autocompletion=rule.complete if isinstance(rule, Choice) else None,
    )


def _plain(text: str) -> str:
    """Text in which brackets are no markup."""
    return text.replace("[", r"\[")


def _parser(name: str, rule: Rule) -> Callable[[Any], Any]:
    """From what the parser has of an option, its text or its default, to its value."""

    def parse(value: Any) -> Any:
        try:
            return rule(name, value)
        except InputError as error:
            raise BadInput(error) from None

    return parse


class Choice(NamedTuple):
    """A rule: one of some names; or whatever ``rule`` takes, these names among it."""

    names: Names
    rule: Callable[[str, Any], str] | None = None

    def __call__(self, name: str, value: Any) -> str:
        return self.rule(name, value) if self.rule else one_of(name, value, self.names())

    def complete(self, incomplete: str) -> list[str]:
        return [name for name in self.names() if name.startswith(incomplete)]


def _from_text(kind: Callable[[str], Any], rule: Rule) -> Rule:
    """A rule for numbers, which come as text; what is no number stays text, for the rule to refuse."""

    def checked(name: str, value: Any) -> Any:
        try:
            number = kind(value)
        except ValueError:
            number = value
        return rule(name, number)

    return checked


SIZE = _from_text(int, positive_integer)
DEVICE_COUNT: Rule = count_or_all
NATURAL = _from_text(int, partial(whole_number, least=0))
SEED = _from_text(int, seed)
RATE = _from_text(float, positive_number)
DECAY = _from_text(float, number)
FRACTION = _from_text(float, fraction)
SHARE = _from_text(float, share)
BITS = _from_text(int, few_bits)
BLEND = _from_text(float, blend)


def path(name: str, value: Any) -> Path:
    """A rule: the path of a file or a folder, there or not."""
    if not str(value):
        raise InputError(name, "", "give the path of a folder")
    return Path(value)


def file(name: str, value: Any) -> Path:
    """A rule: the path of a file, there or not."""
    if not str(value):
        raise InputError(name, "", "give the path of a file")
    return Path(value)


class Shape(NamedTuple):
    """The size of an image."""

    height: int
    width: int
    channels: int

    def __str__(self) -> str:
        return "x".join(map(str, self))

    @classmethod
    def of(cls, name: str, value: Any) -> Shape:
        """A rule: ``32x32x3``."""
        if isinstance(value, cls):
            return value
        try:
            height, width, channels = (positive_integer(name, int(size)) for size in value.lower().split("x"))
        except ValueError:
            raise InputError(name, value, "give height, width and channels, such as 32x32x3") from None
        return cls(height, width, channels)


class Widths(tuple[int, ...]):
    """Widths of layers."""

    def __str__(self) -> str:
        return ",".join(map(str, self))

    @classmethod
    def of(cls, name: str, value: Any) -> Widths:
        """A rule: ``300,300``."""
        if isinstance(value, cls):
            return value
        try:
            widths = [int(width) for width in value.split(",")]
        except ValueError:
            raise InputError(name, value, "give widths, such as 300,300") from None
        return cls(sizes(name, widths))


def config_file(text: str) -> Any:
    """The argument that is a command's own file."""
    return typer.Argument(metavar="CONFIG", help=_plain(text), parser=_parser("CONFIG", file), show_default=False)


def folder_argument(metavar: str, text: str, *, required: bool = False) -> Any:
    """An argument that is a folder, there or not."""
    return typer.Argument(metavar=metavar, help=_plain(text), parser=_parser(metavar, path), show_default=not required)


def table_out(text: str, default: str) -> Any:
    """``--out`` of a command that writes a table of designs."""
    return option("--out", "FILE", text, OUTPUT, rule=file, default=default)


def given(context: typer.Context) -> set[str]:
    """The parameters that the user typed; the others have their defaults."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return {name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"}
