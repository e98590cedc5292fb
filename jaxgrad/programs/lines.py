"""The line of the user's program that an equation comes from."""

from __future__ import annotations

import functools
import os
import re
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

from jax.extend import source_info_util
from jax.extend.core import JaxprEqn

# A frame as JAX writes it: file:line:column (function).
_FRAME = re.compile(r"^(.*?):(\d+)(?::\d+)? \(.*\)$", re.MULTILINE)
_PATHS = ("purelib", "platlib", "stdlib", "platstdlib", "scripts")
_INSTALLED = (
    *(os.path.join(sysconfig.get_path(name), "") for name in _PATHS),
    os.path.join(Path(__file__).parents[1], ""),  # this package, also where it is no installed one
    "<frozen ",
)
_DEEPEST = 1000  # frames; Python's own limit


def where(equation: JaxprEqn, callers: Iterable[JaxprEqn] = ()) -> str:
    """The file's name and the line of the program that an equation comes from; what it is, where JAX does not say.

    It is the innermost line outside of installed libraries, so that a layer of a library has the line of the program
    that calls it; of what libraries alone lead to, the innermost line.

    Args:
        equation: whose line.
        callers: those that call the functions that it is in, from the innermost outwards: JAX knows of what is in a
            jitted function only the lines from its call inwards.
    """
    innermost = ""
    for file, line in _lines((equation, *callers)):
        name = f"{os.path.basename(file)}:{line}"
        if not installed(file):
            return name
        innermost = innermost or name
    return innermost or equation.primitive.name


def of_library(equation: JaxprEqn) -> bool:
    """Whether an equation's own line is in an installed library other than JAX."""
    return any(installed(file) for file, _ in _frames(equation, 1))


@functools.cache
def installed(file: str) -> bool:
    """Whether a file is of an installed library, of Python or of this package, and so not of the user's program."""
    return file.startswith(_INSTALLED) or not {"site-packages", "dist-packages"}.isdisjoint(Path(file).parts)


def _lines(equations: Iterable[JaxprEqn]) -> Iterator[tuple[str, str]]:
    """Files and lines that are not JAX's, the innermost first; those around the innermost one only if asked for."""
    for equation in equations:
        innermost = _frames(equation, 1)
        yield from innermost
        if innermost:
            yield from _frames(equation, _DEEPEST)[1:]


def _frames(equation: JaxprEqn, number: int) -> list[tuple[str, str]]:
    """Files and lines of the innermost frames that are not JAX's, the innermost first."""
    return _FRAME.findall(source_info_util.summarize(equation.source_info, number))[::-1]
