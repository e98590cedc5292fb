"""Lines and numbers of SCALE-Sim's text files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from jaxgrad.base.errors import InputError

MOST = 1_000_000_000  # of any number in a file: well beyond what SCALE-Sim runs
_DIGITS = re.compile(r"[+-]?[0-9]{1,18}")


def decoded_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file, with their numbers from 1.

    Raises:
        ValueError: a line is not UTF-8.
        OSError: the file can't be read.
    """
    text = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    for number, line in enumerate(re.split(rb"\r\n|\r|\n", text), start=1):
        try:
            yield number, line.decode()
        except UnicodeDecodeError:
            raise InputError(f"{path}, line {number}", line[:40], "give UTF-8 text") from None


def whole_number(where: str, text: str, least: int = 1) -> int:
    """``text`` as an int from ``least`` up."""
    number = int(text) if _DIGITS.fullmatch(text) else None
    if number is None or not least <= number <= MOST:
        raise InputError(where, text, f"give a whole number from {least} to {MOST}")
    return number
