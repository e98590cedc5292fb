"""Which values of a trace are of use: what no result needs, XLA leaves out, and it costs nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from jaxgrad.programs.trace import Site


def needed(sites: Iterable[Site], results: Iterable[int], brings: Mapping[int, Iterable[int]]) -> set[int]:
    """The origins of all values that lead up to some.

    Args:
        sites: the equations of the trace.
        results: the origins of what is needed in any case.
        brings: what else is needed where a value is.
    """
    operands = {out.origin: site.operands for site in sites for out in site.outs}
    found: set[int] = set()
    todo = list(results)
    while todo:
        origin = todo.pop()
        if origin not in found:
            found.add(origin)
            todo += [operand.origin for operand in operands.get(origin, ())]
            todo += brings.get(origin, ())
    return found
