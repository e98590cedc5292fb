"""A scratchpad that is really walked: blocks come, stay and go one by one, and all is counted as it happens.

The closed forms of ``jaxgrad.costs`` are held against this, which shares no formula with them. What it does:

- The loops visit the blocks in their order. A block at the end of an axis may be smaller.
- A tensor that is not held has room for one block: the next one takes its place. A held tensor keeps what the loops
  inside its reuse visit, until a loop outside of it moves on.
- An operand's block that is not there is read. A block of sums that has to go before it is complete is spilled, and
  read back when it is needed again. It is written as a result once it is complete.
- Two nests go step by step together: dX's block operations, then dW's. dY has room for a block for each of the two, and
  a block stays after the first of its two uses for a window of steps, a step being a new block of dY for both.

Everything is counted in elements of the matrices; ``words`` and ``size_bytes`` turn them into what memories hold.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from jaxgrad.array import closed_form
from jaxgrad.array.counts import Key
from jaxgrad.array.mapping import Mapping, named
from jaxgrad.costs.nests import Nest
from jaxgrad.costs.transfers import Shapes
from jaxgrad.hardware import Accelerator, Precision

Lengths = dict[str, int]
Place = tuple[int, ...]

HAS = {"x": "bk", "w": "kn", "y": "bn", "dy": "bn", "dx": "bk", "dw": "kn"}
LACKS = {"x": "n", "w": "b", "y": "k", "dy": "k", "dx": "n", "dw": "b"}
NEEDS = {"y": ("x", "w"), "dx": ("dy", "w"), "dw": ("x", "dy")}


@dataclass
class Step:
    """One block operation of each nest.

    Args:
        loads, stores: elements read from and written to DRAM, by (tensor, whether they are partial sums).
        blocks: what each nest computes: its results, and the block's lengths.
        again: results whose sums began in an earlier block.
        rows: what of that is read and written, by (tensor, whether they are partial sums, verb, length of a row).
    """

    loads: Counter[tuple[str, bool]] = field(default_factory=Counter)
    stores: Counter[tuple[str, bool]] = field(default_factory=Counter)
    blocks: list[tuple[tuple[str, ...], Lengths]] = field(default_factory=list)
    again: set[str] = field(default_factory=set)
    rows: Counter[tuple[str, bool, str, int]] = field(default_factory=Counter)


@dataclass
class Walk:
    """What happened.

    Args:
        steps: one after the other.
        reserved: the most elements of each tensor that were there at a time, by (nest's number, tensor).
        present: what was there at a time, each such set once.
        kept: the most blocks of dY that were there for their second use alone.
    """

    steps: list[Step]
    reserved: Counter[tuple[int, str]]
    present: set[tuple[tuple[str, int], ...]]
    kept: int

    def moved(self, shapes: Shapes) -> dict[Key, int]:
        """Words to and from DRAM, ``psum`` for spilled sums; what is 0 is left out."""
        total: dict[Key, Fraction] = {}
        for step in self.steps:
            for moves, verb in ((step.loads, "reads"), (step.stores, "writes")):
                for (tensor, partial), elements in moves.items():
                    key = Key("dram", "psum" if partial else tensor, verb)
                    total[key] = total.get(key, Fraction(0)) + words(tensor, elements, shapes)
        assert all(number.denominator == 1 for number in total.values())
        return {key: int(number) for key, number in total.items() if number}


def walk(nests: Sequence[Nest], sizes: Lengths, block: Lengths, window: int = 0) -> Walk:
    """Walks one nest, or two together with so long a window for dY's blocks."""
    shared = _Window(window) if len(nests) > 1 else None
    rooms = [{tensor: _Room(nest, tensor) for tensor in (*_operands(nest), *nest.results)} for nest in nests]
    done: Counter[tuple[str, Place]] = Counter()
    steps: list[Step] = []
    reserved: Counter[tuple[int, str]] = Counter()
    present: set[tuple[tuple[str, int], ...]] = set()
    for places in zip(*(_places(nest, sizes, block) for nest in nests), strict=True):
        step = Step()
        if shared:
            shared.enter(tuple((at["b"], at["n"]) for at in places))
        for nest, room, at in zip(nests, rooms, places, strict=True):
            lengths = {axis: _length(axis, at[axis], sizes, block) for axis in "bkn"}
            for tensor, own in room.items():
                where = tuple(at[axis] for axis in HAS[tensor])
                height, length = (lengths[axis] for axis in HAS[tensor])
                size = height * length
                needed = _trips(sizes, block)[LACKS[tensor]]
                for gone, elements in own.leave(at, where):
                    if tensor in nest.results and done[tensor, gone] < needed:
                        step.stores[tensor, True] += elements
                        spilled = _length(HAS[tensor][1], gone[1], sizes, block)
                        step.rows[tensor, True, "writes", spilled] += elements // spilled
                if where not in own.blocks:
                    own.blocks[where] = size
                    began = done[tensor, where] > 0
                    if tensor in nest.results:
                        if began:
                            step.loads[tensor, True] += size
                            step.rows[tensor, True, "reads", length] += height
                    elif tensor != "dy" or shared is None or shared.read(where):
                        step.loads[tensor, False] += size
                        step.rows[tensor, False, "reads", length] += height
                if tensor in nest.results:
                    if done[tensor, where]:
                        step.again.add(tensor)
                    done[tensor, where] += 1
                    if done[tensor, where] == needed:
                        step.stores[tensor, False] += size
                        step.rows[tensor, False, "writes", length] += height
            step.blocks.append((nest.results, lengths))
        now = [(number, tensor, own.elements) for number, room in enumerate(rooms) for tensor, own in room.items()]
        for number, tensor, elements in now:
            reserved[number, tensor] = max(reserved[number, tensor], elements)
        present.add(tuple((tensor, elements) for _, tensor, elements in now))
        steps.append(step)
    return Walk(steps, reserved, present, shared.most if shared else 0)


def words(tensor: str, elements: int, shapes: Shapes) -> Fraction:
    """Elements of a matrix as DRAM holds them: patches of X share theirs."""
    return Fraction(elements * shapes.x_words, shapes.b * shapes.k) if tensor in ("x", "dx") else Fraction(elements)


def size_bytes(fmt: str, count: Fraction | int, precision: Precision) -> int:
    """Whole words of one tensor, or of ``psum``, in whole bytes."""
    kind = precision.format(fmt)
    return math.ceil(Fraction(math.ceil(count) * (kind.bits * kind.block + kind.shared_bits), 8 * kind.block))


def held_bytes(tensor: str, elements: int, shapes: Shapes, precision: Precision) -> int:
    """Elements in the scratchpad in bytes; sums are as wide as the accumulators."""
    return size_bytes("psum" if tensor in ("y", "dx", "dw") else tensor, words(tensor, elements, shapes), precision)


def moved_bytes(moved: dict[Key, int], precision: Precision) -> int:
    return sum(size_bytes(key.tensor, count, precision) for key, count in moved.items())


def array_counts(steps: Iterable[Step], mappings: Sequence[Mapping], array: Accelerator) -> dict[Key, int]:
    """The array's counters, block after block; sums that began earlier are read back from the scratchpad."""
    total: Counter[Key] = Counter()
    for step in steps:
        for results, lengths in step.blocks:
            for mapping in mappings:
                if not {product.result for product in mapping.products} <= set(results):
                    continue
                s, p, q = (lengths[axis] for axis in mapping.axes)
                events = closed_form.events(mapping.keeps, mapping.order, s, p, q, array)
                for key, values in named(events, mapping).items():
                    total[key] += sum(values)
                for product in mapping.products:
                    if product.result in step.again:
                        size = math.prod(lengths[axis] for axis in HAS[product.result])
                        drained = product.dataflow.keeps == "result"
                        total[Key("sram", "dw" if drained and product.result == "dw" else "psum", "reads")] += size
    return {key: count for key, count in total.items() if count}


class _Room:
    """The part of the scratchpad that one tensor of a nest has."""

    def __init__(self, nest: Nest, tensor: str) -> None:
        reuse = nest.loops.index(LACKS[tensor])
        self._outside = nest.loops[:reuse] if tensor in nest.held else None
        self._at: Place | None = None
        self.blocks: dict[Place, int] = {}

    @property
    def elements(self) -> int:
        return sum(self.blocks.values())

    def leave(self, at: Lengths, where: Place) -> list[tuple[Place, int]]:
        """Makes room for the block at ``where``, and says what had to go."""
        stays = self._at == tuple(at[axis] for axis in self._outside) if self._outside is not None else False
        self._at = tuple(at[axis] for axis in self._outside) if self._outside is not None else None
        if stays or where in self.blocks:
            return []
        gone = list(self.blocks.items())
        self.blocks.clear()
        return gone


class _Window:
    """Blocks of dY between their two uses."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._now = 0
        self._last: tuple[Place, ...] | None = None
        self._waiting: dict[Place, int] = {}
        self._uses: Counter[Place] = Counter()
        self.most = 0

    def enter(self, places: tuple[Place, ...]) -> None:
        if places != self._last:
            self._now, self._last = self._now + 1, places
            self._waiting = {where: since for where, since in self._waiting.items() if since >= self._now - self._steps}
            self.most = max(self.most, len(self._waiting))

    def read(self, where: Place) -> bool:
        """Whether a block that is wanted has to be read."""
        self._uses[where] += 1
        if self._uses[where] % 2:
            self._waiting[where] = self._now
            return True
        return self._waiting.pop(where, None) is None


def _operands(nest: Nest) -> list[str]:
    return list(dict.fromkeys(name for result in nest.results for name in NEEDS[result]))


def _trips(sizes: Lengths, block: Lengths) -> Lengths:
    return {axis: math.ceil(sizes[axis] / block[axis]) for axis in "bkn"}


def _places(nest: Nest, sizes: Lengths, block: Lengths) -> Iterator[Lengths]:
    trips = _trips(sizes, block)
    for place in itertools.product(*(range(trips[axis]) for axis in nest.loops)):
        yield dict(zip(nest.loops, place, strict=True))


def _length(axis: str, index: int, sizes: Lengths, block: Lengths) -> int:
    return min(block[axis], sizes[axis] - index * block[axis])
