"""Einsum formulas of two operands as one ``dot_general``."""

from __future__ import annotations

import string

from jaxgrad.autodiff.dot_general import DimensionNumbers


def as_dot_general(formula: str, lhs_ndim: int, rhs_ndim: int) -> tuple[DimensionNumbers, tuple[int, ...]] | None:
    """The ``dot_general`` that an einsum of two operands is, and the transpose that puts its result in order.

    Args:
        formula: as of ``jnp.einsum``, with an explicit ``->``.
        lhs_ndim, rhs_ndim: axes of the operands, which an ellipsis stands for some of.

    Returns:
        None where more than a contraction is asked for: a diagonal, or a sum over one operand alone.
    """
    operands, out = formula.replace(" ", "").split("->")
    lhs, rhs = operands.split(",")
    spare = [letter for letter in string.ascii_letters if letter not in formula]
    axes = max(lhs_ndim - len(lhs.replace("...", "")), rhs_ndim - len(rhs.replace("...", "")))
    lhs, rhs = (
        term.replace("...", "".join(spare[axes - (ndim - len(term.replace("...", ""))) : axes]))
        for term, ndim in ((lhs, lhs_ndim), (rhs, rhs_ndim))
    )
    out = out.replace("...", "".join(spare[:axes]))
    shared = [letter for letter in lhs if letter in rhs]
    batch = [letter for letter in shared if letter in out]
    contracted = [letter for letter in shared if letter not in out]
    free = [letter for letter in lhs + rhs if letter not in shared]
    if any(len(set(term)) != len(term) for term in (lhs, rhs, out)) or any(letter not in out for letter in free):
        return None

    def positions(letters: list[str]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return tuple(map(lhs.index, letters)), tuple(map(rhs.index, letters))

    got = [*batch, *free]
    return (positions(contracted), positions(batch)), tuple(got.index(letter) for letter in out)
