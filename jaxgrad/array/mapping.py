"""How a layer's products lie on the array: which axis streams, which tensor plays which role in a pass.

A tensor bears four sorts of names on its way from a network into a PE, each in rooms of its own:

- ``lhs``, ``rhs``: where it stands in a traced ``dot_general`` or convolution (``programs``, ``transform``,
  ``autodiff``). ``autodiff``'s contractions turn these into
- ``x``, ``w``, ``dy`` and ``y``, ``dx``, ``dw``: what it is to the layer, a matrix with two of the axes ``b`` (batch),
  ``k`` (in features) and ``n`` (out features), as ``AXES`` has them. All of ``array`` speaks so, but for a pass; so do
  counters and costs. ``Mapping`` turns these into
- ``h``, a slot's ``operand`` and its ``result``: what it is to a pass (``stream``, ``operand``, ``result`` below), with
  the axes ``s`` (streamed), ``p`` (along the rows) and ``q`` (along the columns). ``passes`` speaks so, and
  ``closed_form``. The three letters of ``Mapping.axes`` say which of b, k, n each is; from what a dataflow keeps in the
  PEs follows which two a slot's operand and result have. ``named`` turns a pass's events back into counters by tensor.
- ``h`` and ``v``, and planes such as ``w`` or ``acc``: the links and the registers of a PE (a pass's ``step``).
"""

from __future__ import annotations

from collections.abc import Mapping as Dictionary
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args, runtime_checkable

from jaxgrad.array import dataflows
from jaxgrad.array.counts import ACC_UPDATES, CYCLES, EFFECTUAL_MACS, HOPS, MACS, PE, READS, SRAM, WRITES, Key
from jaxgrad.array.dataflows import Dataflow
from jaxgrad.array.passes.base import Keeps
from jaxgrad.array.passes.events import Count, Events
from jaxgrad.array.passes.timeline import Order
from jaxgrad.base.errors import InputError, one_of

Result = Literal["y", "dx", "dw"]
RESULTS: tuple[Result, ...] = get_args(Result)

AXES: dict[str, str] = {"x": "bk", "w": "kn", "y": "bn", "dy": "bn", "dx": "bk", "dw": "kn"}
OPERANDS: dict[Result, tuple[str, str]] = {"y": ("x", "w"), "dx": ("dy", "w"), "dw": ("x", "dy")}
_OF_SLOT: dict[str, Key] = {
    "macs": MACS,
    "effectual_macs": EFFECTUAL_MACS,
    "psum_reads": Key(SRAM, "psum", READS),
    "psum_writes": Key(SRAM, "psum", WRITES),
    "psum_hops": Key(PE, "psum", HOPS),
    "acc_updates": ACC_UPDATES,
}


_SUMMED: dict[Keeps, tuple[int, str]] = {
    "operand": (1, "it keeps its operand and so adds up along the rows' axis"),
    "result": (0, "it keeps its result and so adds up along the streamed axis"),
    "nothing": (2, "it sends its sums to the right and so adds up along the columns' axis"),
}
"""Which of a mapping's letters is the axis that a product adds up along, and why."""


@runtime_checkable
class Sized(Protocol):
    """A ``Gemm``, or anything else that has the lengths of the axes b, k and n."""

    @property
    def sizes(self) -> Dictionary[str, Any]: ...


@dataclass(frozen=True, init=False)
class Product:
    """One of a layer's products, by one dataflow.

    Args:
        dataflow: a ``Dataflow``, or the name of a registered one.
        result: ``y``, ``dx`` or ``dw``.

    Raises:
        InputError: no dataflow has that name, or there is no such result.
    """

    dataflow: Dataflow
    result: Result

    def __init__(self, dataflow: str | Dataflow, result: Result) -> None:
        one_of("result", result, RESULTS)
        object.__setattr__(self, "dataflow", dataflows.find(dataflow))
        object.__setattr__(self, "result", result)

    @property
    def keeps(self) -> Keeps:
        return self.dataflow.keeps

    @property
    def summed(self) -> str:
        """The axis along which it adds up."""
        first, second = OPERANDS[self.result]
        (axis,) = set(AXES[first]) & set(AXES[second])
        return axis

    @property
    def counted_as(self) -> Literal["psum", "dw"]:
        """What its result counts as on its way to SRAM and back (DESIGN.md section 2): psums, whatever it is, unless it
        is a weight gradient that is drained from the PEs."""
        return "dw" if self.result == "dw" and self.keeps == "result" else "psum"


@dataclass(frozen=True)
class Mapping:
    """Products on the array together, sharing the operand that streams horizontally: the one with the first two axes.

    Args:
        products: one a slot.
        axes: the letters of the streamed axis, of that along the rows, and of that along the columns.
        order: whether the slots alternate on each streamed row, or each runs through before the next; alternating, a
            single-buffered tile may also load while the one before drains.

    Raises:
        InputError: the products do not lie on the array that way.
    """

    products: tuple[Product, ...]
    axes: str
    order: Order = "alternate"

    def __post_init__(self) -> None:
        one_of("order", self.order, get_args(Order))
        if not self.products or not all(isinstance(product, Product) for product in self.products):
            raise InputError("products", self.products, "give a tuple of at least one Product")
        if not isinstance(self.axes, str) or sorted(self.axes) != ["b", "k", "n"]:
            raise InputError("axes", self.axes, "give the letters b, k and n, such as 'bnk'")
        for product in self.products:
            place, why = _SUMMED[product.keeps]
            if self.axes[place] != product.summed:
                raise InputError(
                    "axes",
                    self.axes,
                    f"{why}, the {('first', 'second', 'third')[place]} letter: give {product.summed!r} there",
                    problem=f"got {self.axes!r} for {product.result} by {product.dataflow.name!r}",
                )
        self._check_borrowed()

    def _check_borrowed(self) -> None:
        """A product that keeps nothing needs what the one before it keeps; the streamed operand is held for others."""
        for slot, product in enumerate(self.products):
            if product.keeps != "nothing":
                continue
            last, before = slot == len(self.products) - 1, self.products[slot - 1] if slot else None
            if not (last and before and before.keeps == "operand" and self.order != "in turn"):
                raise InputError(
                    "products",
                    [f"{one.result} by {one.dataflow.name!r}" for one in self.products],
                    f"{product.dataflow.name!r} uses the operand that the product before it keeps, at the same time: "
                    "put it last, after one that keeps its operand, such as 'ws', and not in order 'in turn'",
                )

    @property
    def keeps(self) -> tuple[Keeps, ...]:
        return tuple(product.keeps for product in self.products)

    @property
    def results(self) -> tuple[Result, ...]:
        """What it computes, in the order of ``RESULTS``."""
        computed = {product.result for product in self.products}
        return tuple(result for result in RESULTS if result in computed)

    @property
    def fused(self) -> bool:
        """Whether several products go through the array at once."""
        return len(self.products) > 1 and self.order != "in turn"

    @property
    def couples_tiles(self) -> bool:
        """Whether one tile's cycles depend on another's without shadow registers too, so that no engine takes it alone.

        Sums that leave at the right come in again at the left; or a tile loads while the one before drains.
        """
        return "nothing" in self.keeps or self.order == "overlapped drain"

    @property
    def updates_in_array(self) -> bool:
        """Whether w lies in the PEs in which dW is summed, so that the two can meet there."""
        kept = {
            (self.operand if product.keeps == "operand" else self.result)(slot)[0]
            for slot, product in enumerate(self.products)
            if product.keeps != "nothing"
        }
        return self.fused and kept >= {"w", "dw"}

    @property
    def stream(self) -> tuple[str, str]:
        """The horizontal operand: its name, and its axes as ``h[s, p]`` wants them."""
        return _with_axes(OPERANDS[self.products[0].result], self.axes[:2]), self.axes[:2]

    def operand(self, slot: int) -> tuple[str, str]:
        """A slot's own operand: its name, and its axes as the pass wants them."""
        s, p, q = self.axes
        product = self.products[slot]
        axes = p + q if product.keeps == "operand" else s + q
        return _with_axes(OPERANDS[product.result], axes), axes

    def result(self, slot: int) -> tuple[str, str]:
        """A slot's result: its name, and its axes as the pass gives them."""
        s, p, q = self.axes
        product = self.products[slot]
        return product.result, {"operand": s + q, "result": p + q, "nothing": s + p}[product.keeps]

    def sizes(self, gemm: Sized) -> tuple[int, int, int]:
        """Lengths of the streamed, the row and the column axis."""
        s, p, q = (gemm.sizes[axis] for axis in self.axes)
        return s, p, q

    def split(self) -> tuple[Mapping, ...]:
        """The slots as mappings of their own, one after the other.

        One that keeps nothing keeps its operand where it is alone: by the dataflow of the product before it, with rows
        and columns exchanged, so that its sums flow down as others do.
        """
        s, p, q = self.axes
        return tuple(
            Mapping((Product(self.products[slot - 1].dataflow, product.result),), s + q + p)
            if product.keeps == "nothing"
            else Mapping((product,), self.axes)
            for slot, product in enumerate(self.products)
        )

    def alone(self, *, shadows: bool) -> tuple[Mapping, ...]:
        """What the registers run by themselves: without shadows, slots in turn never overlap, and run as mappings."""
        return self.split() if self.order == "in turn" and not shadows else (self,)


def oriented(values: Any, name: str, axes: str) -> Any:
    """A tensor, which has the axes of its name, turned to have ``axes``; also the other way round."""
    return values if AXES[name] == axes else values.T


def named(events: Events, mapping: Mapping) -> dict[Key, list[Count]]:
    """Events by role -> the counters they add to, by key (DESIGN.md section 2, accesses and hops).

    Moves of weights have no counter.
    """
    counts: dict[Key, list[Count]] = {}

    def put(key: Key, count: Count) -> None:
        if not (isinstance(count, int) and count == 0):
            counts.setdefault(key, []).append(count)

    stream, _ = mapping.stream
    put(CYCLES, events.cycles)
    put(Key(SRAM, stream, READS), events.stream_reads)
    if stream != "w":
        put(Key(PE, stream, HOPS), events.stream_hops)
    for slot, slot_events in enumerate(events.slots):
        operand, _ = mapping.operand(slot)
        for field, key in _OF_SLOT.items():
            put(key, getattr(slot_events, field))
        put(Key(SRAM, operand, READS), slot_events.operand_reads)
        if operand != "w":
            put(Key(PE, operand, HOPS), slot_events.operand_hops)
        put(Key(SRAM, mapping.products[slot].counted_as, WRITES), slot_events.result_writes)
    return counts


def _with_axes(names: tuple[str, str], axes: str) -> str:
    return next(name for name in names if set(AXES[name]) == set(axes))
