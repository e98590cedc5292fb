"""The GEMMs of an ``Einsum``: its operands meet two at a time, from the left."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from jaxgrad.array.gemm import Gemm
from jaxgrad.base.errors import InputError

Term = tuple[str, ...]  # a label an axis; those of an ellipsis are numbered from the last


class Pair(NamedTuple):
    """The product of two operands: as many GEMMs of one shape as the axes that they share and keep have places."""

    gemm: Gemm
    times: int

    @property
    def turned(self) -> Pair:
        """The same with W as X."""
        batch, inner, outer = self.gemm.batch, self.gemm.in_features, self.gemm.out_features
        return Pair(Gemm(outer, inner, batch), self.times)


def pairs(equation: str, shapes: Sequence[tuple[int, ...]]) -> Iterator[Pair | None]:
    """What each operand from the second on asks of the array when it meets those before it.

    None where no axis is summed and none is an operand's own on either side: a product element by element.

    Raises:
        InputError: the equation is none, or doesn't fit the shapes.

    >>> [pair.gemm for pair in pairs("bhqd,bhkd->bhqk", [(2, 4, 5, 8), (2, 4, 6, 8)])]
    [Gemm(batch=5, in_features=8, out_features=6)]
    """
    terms, output = _terms(equation, shapes)
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=True):
        for label, size in zip(term, shape, strict=True):
            if 1 not in (size, sizes.setdefault(label, size)) and size != sizes[label]:
                problem = f"got equation {equation!r} for operands of {', '.join(map(str, shapes))}"
                raise InputError("model", equation, "give one that fits", problem=problem)
            sizes[label] = max(size, sizes[label])
    # An axis of size 1 that is broadcast is none of its operand's.
    kept = [
        {label for label, size in zip(term, shape, strict=True) if size == sizes[label]}
        for term, shape in zip(terms, shapes, strict=True)
    ]
    left = kept[0]
    for place, right in enumerate(kept[1:], start=1):
        needed = set(output).union(*kept[place + 1 :])
        inner = (left & right) - needed
        rows, columns, stack = (left - right) & needed, (right - left) & needed, left & right & needed
        if inner or (rows and columns):
            b, k, n, times = (math.prod(sizes[label] for label in labels) for labels in (rows, inner, columns, stack))
            yield Pair(Gemm(b, k, n), times)
        else:
            yield None
        left = (left | right) & needed


def _terms(equation: str, shapes: Sequence[tuple[int, ...]]) -> tuple[list[Term], Term]:
    left, arrow, right = equation.replace(" ", "").partition("->")
    written = left.split(",")
    letters = [text.replace("...", "") for text in (*written, right)]
    if len(written) != len(shapes) or not all(text.isalpha() or not text for text in letters):
        problem = f"got equation {equation!r} for {len(shapes)} operands"
        raise InputError("model", equation, "give one that fits", problem=problem)
    terms = [_term(text, len(shape)) for text, shape in zip(written, shapes, strict=True)]
    if any(len(term) != len(shape) for term, shape in zip(terms, shapes, strict=True)):
        problem = f"got equation {equation!r} for operands of {', '.join(map(str, shapes))}"
        raise InputError("model", equation, "give one that fits", problem=problem)
    dots = max((term for text, term in zip(written, terms, strict=True) if "..." in text), key=len, default=())
    hidden = tuple(label for label in dots if label.startswith("."))
    if arrow:
        return terms, (*hidden, *right.replace("...", ""))
    counts = "".join(written)
    return terms, (*hidden, *(label for label in sorted(set(counts)) if label != "." and counts.count(label) == 1))


def _term(text: str, rank: int) -> Term:
    before, dots, after = text.partition("...")
    many = rank - len(before) - len(after) if dots else 0
    return (*before, *(f".{place}" for place in range(many, 0, -1)), *after)
