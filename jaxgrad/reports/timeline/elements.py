"""Elements of a layer's operands by numbers, which the emulator moves as it moves values: who met whom, as it ran.

A run of the register engine on numbers in place of values shows at each PE which two elements it multiplies. Its sums
mean nothing, and no sum is asked which one it is: that follows from the two elements and the product that they are for.
"""

from __future__ import annotations

from collections.abc import Mapping as Dictionary
from typing import NamedTuple

import numpy as np

from jaxgrad.array.mapping import AXES, OPERANDS, Result


class Element(NamedTuple):
    """An element of an operand, ``name[row, col]``, with the axes of ``AXES``."""

    name: str
    row: int
    col: int

    @property
    def place(self) -> dict[str, int]:
        return dict(zip(AXES[self.name], (self.row, self.col), strict=True))


class Term(NamedTuple):
    """One MAC: of the operands' elements at (b, k, n), added to the element of ``result`` there."""

    result: Result
    b: int
    k: int
    n: int

    @classmethod
    def of(cls, result: Result, first: Element, second: Element) -> Term:
        """The MAC that multiplies two elements, which are a pair of the result's operands and meet in its sum.

        >>> Term.of("dx", Element("w", 0, 1), Element("dy", 2, 1))
        Term(result='dx', b=2, k=0, n=1)
        """
        place = first.place | second.place
        belong = {first.name, second.name} == set(OPERANDS[result]) and place == second.place | first.place
        assert belong, f"{result}: a PE multiplied {first} by {second}, which do not belong together"
        return cls(result, **place)


class Numbering(NamedTuple):
    """Every element of some operands has a number, from 1; 0 is padding, or nothing at all.

    >>> numbering = Numbering.of({"x": np.zeros((2, 3)), "w": np.zeros((3, 2))})
    >>> numbering.element(7)
    Element(name='w', row=0, col=0)
    """

    shapes: dict[str, tuple[int, int]]

    @classmethod
    def of(cls, tensors: Dictionary[str, np.ndarray]) -> Numbering:
        return cls({name: (values.shape[0], values.shape[1]) for name, values in tensors.items()})

    def numbers(self) -> dict[str, np.ndarray]:
        """The operands with numbers for values."""
        numbered, first = {}, 1
        for name, (rows, cols) in self.shapes.items():
            numbered[name] = np.arange(first, first + rows * cols, dtype=np.float32).reshape(rows, cols)
            first += rows * cols
        return numbered

    def element(self, number: float) -> Element | None:
        """Whose number it is; None for 0."""
        place = int(number) - 1
        if place < 0:
            return None
        for name, (rows, cols) in self.shapes.items():
            if place < rows * cols:
                return Element(name, *divmod(place, cols))
            place -= rows * cols
        raise AssertionError(f"no element has the number {number:g}")
