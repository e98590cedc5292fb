"""Whether there is what simulates and synthesizes hardware."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from jaxgrad.base.errors import InputError


def installed(find: Callable[[], str]) -> str:
    """The command of a tool, or a skipped test that says what is missing."""
    try:
        return find()
    except InputError as error:
        pytest.skip(str(error))
