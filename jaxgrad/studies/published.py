"""A published ratio, as a file gives it, and ours beside it."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import model_validator

from jaxgrad.base.errors import InputError
from jaxgrad.base.schema import Rate, Section
from jaxgrad.reports.numbers import fixed, signed

_DIGITS = 3


class PublishedRatio(Section):
    """A published ratio.

    Args:
        ratio: the figure; or at_most, at_least or both.
        at_most: the upper end of a published range.
        at_least: the lower end of a published range.
        source: paper and place.
        assumption: what differs between the paper and this configuration and could account for a deviation.
    """

    ratio: Rate | None = None
    at_most: Rate | None = None
    at_least: Rate | None = None
    source: str
    assumption: str = ""

    @model_validator(mode="after")
    def _check_range(self) -> PublishedRatio:
        if self.ratio is None and self.at_most is None and self.at_least is None:
            raise InputError("ratio", None, "give ratio, or at_most, at_least or both", problem="got none")
        if self.ratio is not None and not (self.at_most is None and self.at_least is None):
            problem = f"got {self.ratio} and a range"
            raise InputError("ratio", self.ratio, "give ratio, or at_most, at_least or both", problem=problem)
        if self.at_most is not None and self.at_least is not None and self.at_least > self.at_most:
            problem = f"got {self.at_least}, above at_most"
            raise InputError("at_least", self.at_least, f"give at most {self.at_most}", problem=problem)
        return self

    @property
    def text(self) -> str:
        """The ratio, or its range."""
        if self.ratio is not None:
            return fixed(self.ratio, _DIGITS)
        if self.at_least is None:
            return f"<= {fixed(self.at_most, _DIGITS)}"
        low = fixed(self.at_least, _DIGITS)
        return f">= {low}" if self.at_most is None else f"{low} to {fixed(self.at_most, _DIGITS)}"

    @property
    def origin(self) -> str:
        """Its source, and what could account for a deviation."""
        return self.source + (f". Could account for a deviation: {self.assumption}" if self.assumption else "")


def deviation(published: PublishedRatio, ours: float | None) -> float | None:
    """By how much our ratio differs; 0 within a published range, None where we have none."""
    if ours is None:
        return None
    low = published.ratio if published.ratio is not None else published.at_least
    high = published.ratio if published.ratio is not None else published.at_most
    if low is not None and ours < low:
        return ours - low
    if high is not None and ours > high:
        return ours - high
    return 0.0


def deviation_text(published: PublishedRatio, ours: float | None) -> str:
    """The deviation in hundredths, as tables have it."""
    difference = deviation(published, ours)
    if difference is None:
        return "-"
    if difference == 0 and published.ratio is None:
        return "within"
    return signed(100 * difference, 1, "%")


def numbered(figures: Iterable[PublishedRatio]) -> dict[str, str]:
    """The figures' origins, each once, by a number in brackets."""
    origins = dict.fromkeys(figure.origin for figure in figures)
    return {f"[{number}]": origin for number, origin in enumerate(origins, start=1)}
