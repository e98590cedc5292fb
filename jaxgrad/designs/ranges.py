"""Values of an axis as a file gives them: a list, or a range."""

from __future__ import annotations

import itertools
from typing import Annotated, Any

from pydantic import Field, with_config
from typing_extensions import TypedDict

from jaxgrad.base.errors import InputError
from jaxgrad.base.schema import Rate, Size, checked
from jaxgrad.hardware.rates import Kib

_MOST = 10_000_000  # values


def _range(field: str, value: Any) -> Any:
    """The values of ``{first, last, step}`` or ``{first, last, times}``; anything else as it is."""
    if not isinstance(value, dict):
        return value
    first, last, step, times = (value.get(key, 0) for key in ("first", "last", "step", "times"))
    sizes = [size for size in value.values() if isinstance(size, int) and not isinstance(size, bool) and size > 0]
    is_range = {*value} in ({"first", "last", "step"}, {"first", "last", "times"}) and len(sizes) == len(value)
    if not is_range or first > last or times == 1:
        raise InputError(
            field,
            value,
            "give a list, or {first = .., last = .., step = ..} or {first = .., last = .., times = ..}, of whole "
            "numbers of at least 1, times at least 2, first at most last",
        )
    if step:
        if (last - first) // step >= _MOST:
            raise InputError(field, value, f"give at most {_MOST} values")
        return list(range(first, last + 1, step))
    return list(itertools.takewhile(lambda size: size <= last, (first * times**power for power in itertools.count())))


@with_config(extra="forbid")
class _Steps(TypedDict):
    """The values first, first + step, and so on up to last."""

    first: Annotated[Size, Field(description="the first value")]
    last: Annotated[Size, Field(description="the largest that a value may be")]
    step: Annotated[Size, Field(description="between one value and the next")]


@with_config(extra="forbid")
class _Times(TypedDict):
    """The values first, first * times, and so on up to last."""

    first: Annotated[Size, Field(description="the first value")]
    last: Annotated[Size, Field(description="the largest that a value may be")]
    times: Annotated[int, Field(ge=2, description="by what each value is multiplied for the next")]


def _or_range(values: Any) -> Any:
    """A rule: a list of values, or a range of them."""
    return checked(_range, values | _Steps | _Times)


_SizeList = Annotated[list[Size], Field(min_length=1)]
_RateList = Annotated[list[Rate], Field(min_length=1)]
_KibList = Annotated[list[Kib], Field(min_length=1)]
Sizes = Annotated[_SizeList, _or_range(_SizeList)]
Rates = Annotated[_RateList, _or_range(_RateList)]
Kibs = Annotated[_KibList, _or_range(_KibList)]
