"""How jaxgrad refuses bad input: a ValueError of one line that names the field, what it was and what would do."""

from __future__ import annotations

import difflib
import math
import operator
from collections.abc import Sequence
from typing import Any


def shown(value: Any) -> str:
    """``value`` as an error shows it, on one line."""
    return " ".join(repr(value).split())


def positive_integer(field: str, value: Any) -> int:
    """``value`` as a Python int of at least 1; a bool or a float is not a size."""
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise ValueError(f"{field}: got {shown(value)}; give a whole number of at least 1") from None
    if number < 1:
        raise ValueError(f"{field}: got {number}; give a whole number of at least 1")
    return number


def boolean(field: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{field}: got {shown(value)}; give True or False")
    return value


def one_of(field: str, value: Any, choices: Sequence[str]) -> str:
    """``value`` if it is among ``choices``; else an error that lists them and names the likeliest."""
    if isinstance(value, str) and value in choices:
        return value
    near = difflib.get_close_matches(value, choices, n=1) if isinstance(value, str) else []
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    raise ValueError(f"{field}: got {shown(value)}; choose one of {', '.join(choices)}{hint}")


def number(field: str, value: Any, *, least: float = 0.0, above: bool = False) -> float:
    """``value`` as a finite float of at least ``least``, or ``above`` it."""
    wanted = f"a number {'above' if above else 'of at least'} {least:g}"
    try:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError
        given = float(value)
        if not math.isfinite(given) or given < least or (above and given == least):
            raise ValueError
    except (ValueError, OverflowError):
        raise ValueError(f"{field}: got {shown(value)}; give {wanted}") from None
    return given
