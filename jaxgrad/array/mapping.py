"""How a layer's products lie on the array: which axis streams, which tensor plays which role in a pass.

The three axes of a layer are ``b`` (batch), ``k`` (in features) and ``n`` (out features). Each tensor has two of them,
so the axes of a pass (``s``, ``p``, ``q``, see ``passes.base``) decide every tensor's place and orientation.
"""

from __future__ import annotations

from collections.abc import Mapping as Dictionary
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

from jaxgrad.array.passes.base import Keeps
from jaxgrad.array.passes.events import Count, Events
from jaxgrad.array.passes.timeline import Order

Dataflow = Literal["ws", "os"]
Result = Literal["y", "dx", "dw"]

AXES: dict[str, str] = {"x": "bk", "w": "kn", "y": "bn", "dy": "bn", "dx": "bk", "dw": "kn"}
OPERANDS: dict[Result, tuple[str, str]] = {"y": ("x", "w"), "dx": ("dy", "w"), "dw": ("x", "dy")}
KEEPS: dict[Dataflow, Keeps] = {"ws": "operand", "os": "result"}


@runtime_checkable
class Sized(Protocol):
    """A ``Gemm``, or anything else that has the lengths of the axes b, k and n."""

    @property
    def sizes(self) -> Dictionary[str, Any]: ...


class Product(NamedTuple):
    """One of a layer's products, by one dataflow."""

    dataflow: Dataflow
    result: Result


class Mapping(NamedTuple):
    """Products on the array together, sharing the operand that streams horizontally.

    Args:
        products: one a slot.
        axes: the letters of the streamed axis, of that along the rows, and of that along the columns.
        order: whether the slots alternate on each streamed row, or each runs through before the next.
    """

    products: tuple[Product, ...]
    axes: str
    order: Order = "alternate"

    @property
    def keeps(self) -> tuple[Keeps, ...]:
        return tuple(KEEPS[product.dataflow] for product in self.products)

    @property
    def stream(self) -> tuple[str, str]:
        """The horizontal operand: its name, and its axes as ``h[s, p]`` wants them."""
        s, p, _ = self.axes
        return _with_axes(OPERANDS[self.products[0].result], s + p), s + p

    def operand(self, slot: int) -> tuple[str, str]:
        """A slot's own operand: its name, and its axes as the pass wants them."""
        s, p, q = self.axes
        product = self.products[slot]
        axes = p + q if product.dataflow == "ws" else s + q
        return _with_axes(OPERANDS[product.result], axes), axes

    def result(self, slot: int) -> tuple[str, str]:
        """A slot's result: its name, and its axes as the pass gives them."""
        s, p, q = self.axes
        product = self.products[slot]
        return product.result, s + q if product.dataflow == "ws" else p + q

    def sizes(self, gemm: Sized) -> tuple[int, int, int]:
        """Lengths of the streamed, the row and the column axis."""
        s, p, q = (gemm.sizes[axis] for axis in self.axes)
        return s, p, q

    def split(self) -> tuple[Mapping, ...]:
        """The slots as mappings of their own, one after the other."""
        return tuple(Mapping((product,), self.axes) for product in self.products)


def oriented(values: Any, name: str, axes: str) -> Any:
    """A tensor, which has the axes of its name, turned to have ``axes``; also the other way round."""
    return values if AXES[name] == axes else values.T


def named(events: Events, mapping: Mapping) -> dict[str, list[Count]]:
    """Events by role -> the counters they add to, by name (DESIGN.md section 2, accesses and hops).

    What a weight-stationary pass puts out is psum traffic whatever it is. What an output-stationary pass drains is
    ``dw_writes`` for a weight gradient, ``psum_writes`` for anything else. Moves of weights have no counter.
    """
    counts: dict[str, list[Count]] = {}

    def put(name: str, count: Count) -> None:
        if not (isinstance(count, int) and count == 0):
            counts.setdefault(name, []).append(count)

    stream, _ = mapping.stream
    put("cycles", events.cycles)
    put(f"{stream}_reads", events.stream_reads)
    if stream != "w":
        put(f"{stream}_hops", events.stream_hops)
    for slot, own in enumerate(events.slots):
        operand, _ = mapping.operand(slot)
        result, _ = mapping.result(slot)
        for name in ("macs", "effectual_macs", "psum_reads", "psum_writes", "psum_hops", "acc_updates"):
            put(name, getattr(own, name))
        put(f"{operand}_reads", own.operand_reads)
        if operand != "w":
            put(f"{operand}_hops", own.operand_hops)
        put("dw_writes" if result == "dw" else "psum_writes", own.result_writes)
    return counts


def _with_axes(names: tuple[str, str], axes: str) -> str:
    return next(name for name in names if set(AXES[name]) == set(axes))
