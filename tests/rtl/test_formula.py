"""jaxgrad.rtl.formula: the timeline of a run as expressions, which say what the timeline says."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from jaxgrad import Accelerator
from jaxgrad.array import schedules
from jaxgrad.rtl.datapath import datapath
from jaxgrad.rtl.formula import Formula, maximum, minimum
from jaxgrad.rtl.machine import machine_of

MACHINES = [
    machine_of(schedules.find(name), Accelerator(rows, cols, double_buffered), datapath("int8"))
    for name in ("best", "interleaved_k")
    for rows, cols, double_buffered in ((1, 1, True), (3, 5, True), (4, 2, False))
]


def value(formula: Any, **names: int) -> int:
    """What SystemVerilog makes of it: divisions round down, as all numbers here are at least 0."""
    text = str(formula).replace("/", "//")
    return eval(text, {"larger": max, "smaller": min}, names)  # our own text


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.sampled_from(MACHINES))
def test_expressions_of_a_timeline_have_its_numbers(s: int, n_p: int, n_q: int, machine: Any) -> None:
    names = {"s": s, "n_p": n_p, "n_q": n_q}
    for program in machine.programs:
        numbers = machine.timeline(program, s, (n_p, n_q))
        texts = machine.timeline(program, Formula("s"), (Formula("n_p"), Formula("n_q")))
        assert value(texts.period, **names) == numbers.period
        assert value(texts.cycles, **names) == numbers.cycles
        for text, number in zip(texts.slots, numbers.slots, strict=True):
            assert [value(each, **names) for each in text] == list(number)


@given(st.integers(0, 99), st.integers(1, 99))
def test_arithmetic(a: int, b: int) -> None:
    one = Formula("a")
    for of in (
        lambda x: x + b, lambda x: b + x, lambda x: x * b, lambda x: b * x, lambda x: x + 0, lambda x: x - 0,
        lambda x: x * 1, lambda x: x * 0, lambda x: b + 99 - x, lambda x: maximum(x, b), lambda x: minimum(b, x),
    ):  # fmt: skip
        assert value(of(one), a=a) == (of(a) if isinstance(of(a), int) else None)
    assert value(one.ceil_div(b), a=a) == -(-a // b)
    assert value(Formula("b").ceil_of(a), b=b) == -(-a // b)
    assert str(one * 1 + 0) == "a"
