"""How jaxgrad refuses bad input: an ``InputError``, whose text is one line, and the rules that raise it."""

from __future__ import annotations

import copy
import difflib
import math
import operator
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePath
from typing import Any

_LONGEST = 60  # characters of a value that an error shows; paths are shown whole


class InputError(ValueError):
    """What was given won't do. Its text is one line, ``field: got value; remedy``; its parts are there as values.

    Whoever knows more about where the input came from raises it again with that said:

    >>> error = InputError("rows", 0, "give a whole number of at least 1")
    >>> print(error)
    rows: got 0; give a whole number of at least 1
    >>> print(error.under("machine").read_from("a.toml"))
    machine.rows in a.toml: got 0; give a whole number of at least 1

    Args:
        field: what was given it for: an argument, a key of a file with its tables (``machine.rows``), an option.
            Empty for a rule that does not know; ``under`` says it then.
        value: what was given.
        remedy: what would do.
        problem: what to say of the value where ``got`` and the value are not all; on one line.

    Attributes:
        origin: the file that the field is in, if any.
        context: what the input was part of, from the outside inwards, each before a colon in the text.
    """

    def __init__(self, field: str, value: Any, remedy: str, *, problem: str | None = None) -> None:
        super().__init__(field, value, remedy)
        self.field = field
        self.value = value
        self.remedy = remedy
        self.problem = f"got {shown(value)}" if problem is None else problem
        self.origin: str | None = None
        self.context: tuple[str, ...] = ()

    def __str__(self) -> str:
        place = self.field if self.origin is None else f"{self.field} in {self.origin}"
        text = f"{self.problem}; {self.remedy}" if self.remedy else self.problem
        return " ".join(": ".join((*self.context, place, text)).split())

    def __copy__(self) -> InputError:
        """With parts of its own, also once Dask is imported: by its way of pickling errors copies would share them."""
        other = type(self).__new__(type(self), *self.args)
        vars(other).update(vars(self))
        return other

    def renamed(self, field: str) -> InputError:
        """The same of a field by another name, such as the option that set it."""
        other = copy.copy(self)
        other.field, other.origin = field, None
        return other

    def under(self, table: str) -> InputError:
        """The same of a field in a table; of the table itself, where the field has no name."""
        other = copy.copy(self)
        other.field = ".".join(filter(None, (table, self.field)))
        return other

    def read_from(self, origin: str) -> InputError:
        """The same of a field in a file."""
        other = copy.copy(self)
        other.origin = origin
        return other

    def within(self, context: str) -> InputError:
        """The same of input that is part of something larger."""
        other = copy.copy(self)
        other.context = (context, *self.context)
        return other


class Elsewhere(Exception):
    """Another process of the run has the bad input, and says so."""


def shown(value: Any) -> str:
    """``value`` as an error shows it: on one line, and not too long a one."""
    if isinstance(value, PurePath):
        return repr(str(value))
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # Python writes no longer ones
        return f"a number of more than {sys.get_int_max_str_digits()} digits"
    except RecursionError:
        return f"a {type(value).__name__} nested too deeply to show"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def whole_number(field: str, value: Any, *, least: int = 1, most: int | None = None) -> int:
    """``value`` as a Python int from ``least`` to ``most``; a bool or a float is none."""
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise InputError(field, value, f"give a whole number of at least {least}") from None
    if number < least:
        raise InputError(field, number, f"give a whole number of at least {least}")
    if most is not None and number > most:
        raise InputError(field, number, f"give a whole number of at most {most}")
    return number


def positive_integer(field: str, value: Any) -> int:
    """``value`` as a size: a Python int of at least 1."""
    return whole_number(field, value)


def count_or_all(field: str, value: Any) -> int | str:
    """``value`` as a number of at least 1, from an int or its text; or ``all``."""
    if value == "all":
        return value
    try:
        return positive_integer(field, int(value) if isinstance(value, str) else value)
    except ValueError as error:
        shown_value = error.value if isinstance(error, InputError) else value
        raise InputError(field, shown_value, "give a whole number of at least 1, or all") from None


def sizes(field: str, value: Any) -> list[int]:
    """``value`` as sizes, at least one."""
    if not isinstance(value, list | tuple) or not value:
        raise InputError(field, value, "give one size or more, each a whole number of at least 1")
    return [positive_integer(field, size) for size in value]


def seed(field: str, value: Any) -> int:
    """``value`` as a seed of random numbers, of 32 bits."""
    try:
        return whole_number(field, value, least=0, most=(1 << 32) - 1)
    except InputError as error:
        raise InputError(field, error.value, "give a whole number from 0 to 2**32 - 1") from None


def boolean(field: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise InputError(field, value, "give True or False")
    return value


def choose(choices: Sequence[str], value: Any = None) -> str:
    """The remedy that lists ``choices``, and names the one that ``value`` is likeliest to mean."""
    near = difflib.get_close_matches(value, choices, n=1) if isinstance(value, str) else []
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return f"choose one of {', '.join(choices)}{hint}"


def one_of(field: str, value: Any, choices: Sequence[str]) -> str:
    """``value`` if it is among ``choices``; else an error that lists them and names the likeliest.

    Choices may have ``aliases`` (``registry.Names``): of one of those, the name that it stands for.
    """
    if isinstance(value, str):
        name = getattr(choices, "aliases", {}).get(value, value)
        if name in choices:
            return name
    raise InputError(field, value, choose(choices, value))


def distinct(field: str, values: Sequence[Any]) -> None:
    """Refuses values of which one is there twice."""
    repeated = next((value for value in values if list(values).count(value) > 1), None)
    if repeated is not None:
        raise InputError(field, repeated, "give each once", problem=f"got {repeated!r} twice")


def number(field: str, value: Any, *, least: float = 0.0, above: bool = False) -> float:
    """``value`` as a finite float of at least ``least``, or ``above`` it."""
    if above:
        return _real(field, value, lambda real: real > least, f"give a number above {least:g}")
    return _real(field, value, lambda real: real >= least, f"give a number of at least {least:g}")


def positive_number(field: str, value: Any) -> float:
    """``value`` as a finite float above 0."""
    return number(field, value, above=True)


def fraction(field: str, value: Any) -> float:
    """``value`` as a float of at least 0 and below 1."""
    return _real(field, value, lambda real: 0 <= real < 1, "give a number from 0 up to, not including, 1")


def share(field: str, value: Any) -> float:
    """``value`` as a float above 0, and of at most 1."""
    return _real(field, value, lambda real: 0 < real <= 1, "give a number above 0, and at most 1")


def few_bits(field: str, value: Any) -> int:
    """``value`` as a number of bits from 1 to 8, which fit a byte."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 8:
        raise InputError(field, value, "give a whole number of bits from 1 to 8")
    return value


def blend(field: str, value: Any) -> float:
    """``value`` as a float from 0 to 1."""
    return _real(field, value, lambda real: 0 <= real <= 1, "give a number from 0 to 1")


def _real(field: str, value: Any, will_do: Callable[[float], bool], remedy: str) -> float:
    """``value`` as a finite float that will do."""
    try:
        if not isinstance(value, bool) and isinstance(value, int | float):
            real = float(value)
            if math.isfinite(real) and will_do(real):
                return real
    except OverflowError:  # a whole number beyond any float
        pass
    raise InputError(field, value, remedy)


def either(names: Iterable[str], conjunction: str = "or") -> str:
    """Names as a sentence has them: ``a, b or c``."""
    *others, last = names
    return f"{', '.join(others)} {conjunction} {last}" if others else last
