"""What only the derivative of a linear solve computes.

The derivative of ``x = A^-1 b`` is ``A^-1 (db - dA x)``. JAX gets ``dA x`` by taking the derivative of the matrix's own
function at x, and so writes that function, ``A x``, once more: with one derivative more around it than the solve has.
"""

from __future__ import annotations

from jaxgrad.programs.trace import Trace


def of_solves(trace: Trace) -> set[int]:
    """The origins of what derivatives of linear solves compute from their solutions."""
    taken = dict(trace.solutions)  # how many derivatives were taken of the solve, by what comes from it
    added: set[int] = set()
    for site in trace.sites:
        solves = [taken[operand.origin] for operand in site.operands if operand.origin in taken]
        if solves and site.place.derivatives > min(solves):
            for out in site.outs:
                taken[out.origin] = min(solves)
                added.add(out.origin)
    return added
