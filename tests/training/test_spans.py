"""Times of a run, however they are written."""

from __future__ import annotations

import pytest

from jaxgrad.base.errors import InputError
from jaxgrad.training.spans import Span, span_text, spans_text

WRITTEN = {
    500: ("500", 500),
    "500": ("500", 500),
    "500 steps": ("500", 500),
    "1 step": ("1", 1),
    "5epochs": ("5 epochs", 220),
    " 5  epochs ": ("5 epochs", 220),
    "1 epochs": ("1 epoch", 44),
    "0.25 epochs": ("0.25 epochs", 11),
    "12.5%": ("12.5%", 110),
    "10 %": ("10%", 88),
    "100%": ("100%", 880),
    "0": ("0", 0),
}


@pytest.mark.parametrize("value", WRITTEN)
def test_a_span_is_so_many_steps_and_written_in_one_way(value: str | int) -> None:
    text, steps = WRITTEN[value]
    assert span_text("warmup", value) == text
    assert span_text("warmup", text) == text
    assert Span.of("warmup", value).steps(total=880, per_epoch=44) == steps


@pytest.mark.parametrize("value", ["", "five", "-3", "2.5", "2.5 steps", "101%", "5 years", "nan", True, 2.0, None])
def test_what_is_no_span_is_refused(value: object) -> None:
    with pytest.raises(InputError, match=r"warmup: got .*; give"):
        Span.of("warmup", value)


def test_several_are_separated_by_commas() -> None:
    assert spans_text("decay_at", "30,2 epochs,  75%") == "30, 2 epochs, 75%"
    assert spans_text("decay_at", 30) == "30"
    for text in ("30,", "", ",", "30;40"):
        with pytest.raises(InputError, match="decay_at: got"):
            spans_text("decay_at", text)
