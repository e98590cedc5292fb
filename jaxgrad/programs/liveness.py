"""Dead-code elimination: which values of a trace are live. XLA leaves the others out, and they cost nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from jaxgrad.programs.trace import Site


def live(sites: Iterable[Site], roots: Iterable[int], entails: Mapping[int, Iterable[int]]) -> set[int]:
    """The origins of all live values.

    Args:
        sites: the equations of the trace.
        roots: the origins of what is live in any case.
        entails: for a value, others that are live where it is, although it is not computed from them.
    """
    operands = {out.origin: site.operands for site in sites for out in site.outs}

    def needs(origin: int) -> Iterable[int]:
        return [*(operand.origin for operand in operands.get(origin, ())), *entails.get(origin, ())]

    return closure(roots, needs)


def closure(roots: Iterable[int], needs: Callable[[int], Iterable[int]]) -> set[int]:
    """The roots, what they need, what that needs, and so on."""
    reached: set[int] = set()
    pending = list(roots)
    while pending:
        origin = pending.pop()
        if origin not in reached:
            reached.add(origin)
            pending += needs(origin)
    return reached
