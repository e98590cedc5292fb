"""Orders in which blocks of a layer's two gradients are computed, by name.

The named ones are of IGO (Kim, Na, Lee, Lee, Huh: Interleaved Gradient Order, MICRO 2023). Each is a family of loop
nests, of which a search takes the best.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from jaxgrad.array.mapping import Result
from jaxgrad.base.arithmetic import Integer, maximum, minimum, where
from jaxgrad.costs.nests import LOOPS, Nest, holdings

Nests = tuple[Nest, ...]
"""One nest, or two whose block operations alternate."""

SHARED: tuple[str, ...] = ("alternating", "dx_major", "dw_major", "k_major")
"""Orders that interleave the two gradients block by block."""

SINGLE: tuple[str, ...] = ("separate", *SHARED)
CHOICES: dict[str, tuple[str, ...]] = {"best": SINGLE, "best_of_igo": SHARED[:3]}
"""Names for the best of several orders, layer by layer."""

ORDERS: tuple[str, ...] = (*SINGLE, *CHOICES, "rule")
"""``separate``: all of dX, then all of dW. ``rule``: one of IGO's three, by its printed rule."""

FUSED: tuple[str, ...] = ("dx_major", "dw_major", "k_major")
"""Orders in which both gradients of a block are computed together: all that an interleaved pass can do."""

_OUTERMOST = {"dx_major": "b", "dw_major": "n", "k_major": "k"}


def families(results: tuple[Result, ...], order: str) -> Iterator[Nests]:
    """The nests that an order allows.

    Args:
        results: what is computed. One product alone may use any loops, whatever the order.
        order: one of ``SHARED`` for two gradients.
    """
    if len(results) == 2 and order == "alternating":
        yield from _alternating()
        return
    for loops in LOOPS:
        if len(results) == 1 or loops[0] == _OUTERMOST[order]:
            for nest in holdings(results, loops):
                yield (nest,)


def families_around(results: tuple[Result, ...], order: str) -> Iterator[Nest]:
    """The nests by which a memory outside of the scratchpad may be cut under an order, one for both gradients.

    Those that alternate do so within a block of such a memory, whatever loops bring that.
    """
    orders = FUSED if len(results) == 2 and order == "alternating" else (order,)
    for name in orders:
        for (nest,) in families(results, name):
            yield nest


def _alternating() -> Iterator[Nests]:
    """dX row by row of dY's blocks, dW column by column, neither spilling its sums; k innermost or outermost."""
    for w_held, x_held in itertools.product((False, True), repeat=2):
        w, x = {"w"} if w_held else set(), {"x"} if x_held else set()
        yield Nest(("dx",), "bnk", frozenset({"dx"} | w)), Nest(("dw",), "nbk", frozenset({"dw"} | x))
        yield Nest(("dx",), "kbn", frozenset(w)), Nest(("dw",), "knb", frozenset(x))


def rule(b: Integer, k: Integer, n: Integer) -> Integer:
    """IGO's printed rule, as an index into ``SHARED``: alternating where nearly cubic, else by the longest side."""
    cubic = maximum(b, k, n) < 4 * minimum(b, k, n)
    return where(cubic, 0, where((k > n) & (k > b), SHARED.index("dw_major"), SHARED.index("dx_major")))
