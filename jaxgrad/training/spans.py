"""Times of a run as a user gives them: in steps, in epochs, or as a share of the whole."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from jaxgrad.base.errors import InputError

_STEPS, _EPOCHS, _SHARE = "", " epochs", "%"
_TEXT = re.compile(r"(\d+(?:\.\d+)?)\s*(steps?|epochs?|%)?")
_REMEDY = "give steps, such as 500, or '5 epochs', or a share of the run, such as 10%"


class Span(NamedTuple):
    """A time from the run's first step on.

    >>> five = Span.of("warmup", "5epochs")
    >>> str(five), five.steps(total=1000, per_epoch=44)
    ('5 epochs', 220)
    >>> Span.of("warmup", "10%").steps(total=1000, per_epoch=44), str(Span.of("warmup", 500))
    (100, '500')

    Args:
        amount: how long.
        unit: of what: "" of steps, " epochs", or "%" of the run.
    """

    amount: float
    unit: str

    @classmethod
    def of(cls, field: str, value: Any) -> Span:
        """From text, or from a number of steps.

        Raises:
            InputError: it is neither, or no whole number of steps, or more than the run.
        """
        text = f"{value}" if isinstance(value, int) and not isinstance(value, bool) else value
        match = _TEXT.fullmatch(text.strip()) if isinstance(text, str) else None
        if match is None:
            raise InputError(field, value, _REMEDY)
        amount, unit = float(match[1]), match[2] or ""
        if unit == _SHARE:
            if amount > 100:
                raise InputError(field, value, "give at most 100%")
            return cls(amount, _SHARE)
        if unit.startswith("epoch"):
            return cls(amount, _EPOCHS)
        if not amount.is_integer():
            raise InputError(field, value, _REMEDY)
        return cls(amount, _STEPS)

    def __str__(self) -> str:
        unit = " epoch" if self.unit == _EPOCHS and self.amount == 1 else self.unit
        return f"{int(self.amount) if self.amount.is_integer() else self.amount}{unit}"

    def steps(self, *, total: int, per_epoch: int) -> int:
        """In steps, rounded to the nearest.

        Args:
            total: steps of the run.
            per_epoch: steps an epoch.
        """
        unit = {_STEPS: 1.0, _EPOCHS: per_epoch, _SHARE: total / 100}[self.unit]
        return round(self.amount * unit)


def spans(field: str, text: Any) -> list[Span]:
    """Several, separated by commas.

    Raises:
        InputError: one of them is none, or there are none.
    """
    parts = text.split(",") if isinstance(text, str) else [text]
    return [Span.of(field, part) for part in parts]


def span_text(field: str, value: Any) -> str:
    """A rule: a span, in one way of writing it."""
    return str(Span.of(field, value))


def spans_text(field: str, value: Any) -> str:
    """A rule: several, in one way of writing them."""
    return ", ".join(map(str, spans(field, value)))
