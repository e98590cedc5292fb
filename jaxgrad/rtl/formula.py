"""Whole numbers that are expressions of SystemVerilog: a formula of them, of ``timeline``, say, is its own circuit.

A number system of ``base.arithmetic``, like its others: this module has the functions that it looks for.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class Formula:
    """A 32-bit number by its expression; with Python ints, what need not be computed is not.

    >>> size = Formula("size_b")
    >>> (2 * size + 0).text, maximum(size, 4).text, size.ceil_div(4).text
    ('(2 * size_b)', 'larger(size_b, 4)', '((size_b + 3) / 4)')
    """

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text

    def __array_namespace__(self) -> ModuleType:
        return sys.modules[__name__]

    def __add__(self, other: Any) -> Any:
        return self._with("+", other) if _differs(other, 0) else self

    def __radd__(self, other: Any) -> Any:
        return self + other

    def __sub__(self, other: Any) -> Any:
        return self._with("-", other) if _differs(other, 0) else self

    def __rsub__(self, other: Any) -> Formula:
        return Formula(f"({other} - {self.text})")

    def __mul__(self, other: Any) -> Any:
        if not _differs(other, 0):
            return 0
        return Formula(f"({other} * {self.text})") if _differs(other, 1) else self

    __rmul__ = __mul__

    def ceil_div(self, divisor: Any) -> Formula:
        less = divisor - 1
        return self if not _differs(divisor, 1) else Formula(f"(({self.text} + {less}) / {divisor})")

    def ceil_of(self, number: Any) -> Formula:
        return Formula(f"(({number} + {self.text} - 1) / {self.text})")

    def _with(self, sign: str, other: Any) -> Formula:
        return Formula(f"({self.text} {sign} {other})")


def _differs(value: Any, number: int) -> bool:
    return isinstance(value, Formula) or value != number


def maximum(one: Any, other: Any) -> Any:
    return _chosen("larger", max, one, other)


def minimum(one: Any, other: Any) -> Any:
    return _chosen("smaller", min, one, other)


def _chosen(name: str, of_numbers: Any, one: Any, other: Any) -> Any:
    if isinstance(one, int) and isinstance(other, int):
        return of_numbers(one, other)
    return Formula(f"{name}({one}, {other})")
