"""How bad input is refused, said once: a ValueError of one line that names the field, what it was and what would do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest


class Refusal(NamedTuple):
    """A call that must be refused.

    Args:
        call: what is called, without arguments.
        field: the field the message starts with.
        shown: how it shows the value.
        remedy: a part of what it says would do.
    """

    call: Callable[[], Any]
    field: str
    shown: str
    remedy: str


def assert_refused(refusal: Refusal) -> None:
    with pytest.raises(ValueError, match="got") as raised:
        refusal.call()
    message = str(raised.value)
    assert len(message.splitlines()) == 1, message
    problem, _, remedy = message.partition("; ")
    assert problem.startswith(f"{refusal.field}: got "), message
    assert refusal.shown in problem, message
    assert refusal.remedy in remedy, message
