"""Whether there is what simulates and synthesizes hardware."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest

from jaxgrad.base.errors import InputError

Tool = TypeVar("Tool")


def installed(find: Callable[[], Tool]) -> Tool:
    """A tool, such as its command, or a skipped test that says what is missing."""
    try:
        return find()
    except InputError as error:
        pytest.skip(str(error))
