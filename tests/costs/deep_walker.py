"""Memories within memories that are really walked: every element comes, stays and goes, and all is counted meanwhile.

``walker`` has one scratchpad and blocks; here each memory holds a set of elements, and what one wants another one must
have. No formula is shared with ``jaxgrad.costs``. What it does:

- A memory's loops visit the blocks of the region that the memory outside of it works on. For each, all memories inside
  work on that block and are empty again afterwards.
- A memory has room for one block of each tensor that it keeps, and the next block takes its place. Of a held tensor it
  keeps what the loops inside the tensor's reuse visit, until a loop outside of that moves on.
- What is not there comes from the nearest memory outside that keeps the tensor, which must have it. Of sums only those
  come that were begun.
- A sum that has to go before it is complete goes to that memory. Once complete it goes there as a result; from there on
  once that memory's block is complete, memory by memory, to DRAM.
- Two nests whose block operations alternate in the scratchpad go step by step as ``walker`` has it.

All that moves does so in rows of a block, a row being what lies along a tensor's second axis: a memory of some width
takes whole accesses for each.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from jaxgrad.array.counts import Key
from jaxgrad.costs.nests import Nest
from jaxgrad.costs.transfers import Shapes
from jaxgrad.hardware import Precision
from tests.costs.walker import HAS, LACKS, NEEDS, Lengths, Step, size_bytes, walk, words

Element = tuple[int, ...]
Region = dict[str, range]
Link = tuple[str, str]
"""A memory, and the one outside of it that it deals with."""


@dataclass
class Store:
    """A memory.

    Args:
        name: of its counts.
        keeps: tensors.
        nests, block: how it cuts what the memory outside of it works on; two nests where dX and dW alternate.
    """

    name: str
    keeps: frozenset[str]
    nests: tuple[Nest, ...]
    block: Lengths
    contents: dict[str, list[set[Element]]] = field(default_factory=dict)
    places: dict[str, Lengths] = field(default_factory=dict)

    @property
    def alternates(self) -> bool:
        return len(self.nests) > 1

    def has(self, tensor: str) -> set[Element]:
        return set().union(*self.contents.get(tensor, []))


Rows = Counter[tuple[str, bool, int]]
"""Rows by (tensor, whether they are unfinished sums, length)."""


@dataclass
class Walk:
    """What happened.

    Args:
        comes, goes: over each link.
        first, last: the part of these of a memory's first block (what it needs) and of its last (its results).
        most: the most elements of each tensor that a memory held at a time.
        steps: for ``walker.array_counts``.
    """

    comes: dict[Link, Rows] = field(default_factory=dict)
    goes: dict[Link, Rows] = field(default_factory=dict)
    first: dict[Link, Rows] = field(default_factory=dict)
    last: dict[Link, Rows] = field(default_factory=dict)
    most: dict[str, list[Counter[str]]] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)

    @property
    def links(self) -> Iterable[Link]:
        return {**self.comes, **self.goes}

    def over(self, link: Link, shapes: Shapes) -> dict[Key, int]:
        """Words over a link, as the memory outside counts them."""
        total: dict[Key, int] = {}
        for moves, verb in ((self.comes, "reads"), (self.goes, "writes")):
            for (tensor, partial), elements in by_tensor(moves.get(link, Counter())).items():
                key = Key(link[1], "psum" if partial else tensor, verb)
                total[key] = total.get(key, 0) + math.ceil(words(tensor, elements, shapes))
        return total

    def counts(self, shapes: Shapes) -> dict[Key, int]:
        """All words by memory, tensor and action."""
        total: Counter[Key] = Counter()
        for inside, outside in self.links:
            for key, count in self.over((inside, outside), shapes).items():
                total[key] += count
                if inside != "sram":
                    total[Key(inside, key.tensor, {"reads": "fills", "writes": "write_backs"}[key.action])] += count
        return {key: count for key, count in total.items() if count}

    def accesses(self, widths: Mapping[str, int], shapes: Shapes, precision: Precision) -> dict[Key, int]:
        """Accesses of the memories that have a width, in bytes, by memory and tensor."""
        total: Counter[Key] = Counter()
        for name, width in widths.items():
            for link in self.links:
                for moves in (self.comes, self.goes) if name in link else ():
                    for (tensor, partial, length), rows in moves.get(link, Counter()).items():
                        kind = "psum" if partial else tensor
                        total[Key(name, kind, "accesses")] += rows * in_accesses(
                            tensor, kind, length, width, shapes, precision
                        )
        return {key: count for key, count in total.items() if count}


def by_tensor(moves: Rows) -> Counter[tuple[str, bool]]:
    """Elements."""
    total: Counter[tuple[str, bool]] = Counter()
    for (tensor, partial, length), rows in moves.items():
        total[tensor, partial] += rows * length
    return total


def in_accesses(tensor: str, kind: str, length: int, width: int, shapes: Shapes, precision: Precision) -> int:
    """A row in accesses of so many bytes."""
    return math.ceil(size_bytes(kind, math.ceil(words(tensor, length, shapes)), precision) / width)


class Walker:
    """Walks a layer through memories, the scratchpad first, then outwards; DRAM has everything.

    Args:
        stores: the memories.
        sizes: of the layer.
        window: for two nests that alternate: steps for which a block of dY stays, by the region's sizes.
    """

    def __init__(
        self, stores: Sequence[Store], sizes: Lengths, window: Callable[[Lengths], int] = lambda sizes: 0
    ) -> None:
        self._results = [result for nest in stores[0].nests for result in nest.results]
        self._tensors = list(dict.fromkeys([n for r in self._results for n in NEEDS[r]] + self._results))
        self._stores, self._sizes, self._window = stores, sizes, window
        self._done: dict[str, Counter[Element]] = {name: Counter() for name in self._results}
        self._walk = Walk(most={store.name: [] for store in stores})
        self._entered: Counter[str] = Counter()

    def walk(self) -> Walk:
        self._visit(len(self._stores) - 1, {axis: range(size) for axis, size in self._sizes.items()})
        for tensor, done in self._done.items():
            assert set(done.values()) == {self._sizes[LACKS[tensor]]}, "every sum is complete"
        return self._walk

    def _visit(self, level: int, region: Region) -> None:
        store = self._stores[level]
        if store.alternates:
            self._alternate(region)
            return
        for at, part in _blocks(store.nests[0].loops, region, store.block):
            self._enter(store)
            for tensor in self._tensors:
                if tensor in store.keeps:
                    self._make_room(level, tensor, at, part)
            self._walk.most[store.name].append(Counter({name: len(store.has(name)) for name in store.contents}))
            if level:
                self._visit(level - 1, part)
                self._empty(level - 1)
            else:
                self._compute(part)
            for tensor in self._results:
                block = _elements(tensor, part)
                if tensor in store.keeps and self._is_complete(tensor, block):
                    self._go(level, tensor, _rows(block), partial=False, is_last=True)

    def _enter(self, store: Store) -> None:
        self._entered[store.name] += 1
        self._walk.last = {link: moves for link, moves in self._walk.last.items() if link[0] != store.name}

    def _make_room(self, level: int, tensor: str, at: Lengths, part: Region) -> None:
        store = self._stores[level]
        nest = store.nests[0]
        wanted, there = _elements(tensor, part), store.has(tensor)
        outside = nest.loops[: nest.loops.index(LACKS[tensor])]
        before = store.places.get(tensor)
        stays = tensor in nest.held and before is not None and all(before[axis] == at[axis] for axis in outside)
        if not stays and not wanted <= there:
            self._leave(level, tensor)
            there = set()
        store.places[tensor] = at
        missing = wanted - there
        if not missing:
            return
        if tensor in self._results:
            begun = {element for element in missing if self._done[tensor][element]}
            self._come(level, tensor, begun, partial=True)
        else:
            self._come(level, tensor, missing, partial=False)
        store.contents.setdefault(tensor, []).append(missing)

    def _come(self, level: int, tensor: str, elements: set[Element], *, partial: bool) -> None:
        link, source = self._outwards(level, tensor)
        if source is not None:
            assert elements <= source.has(tensor), f"{source.name} has what {link[0]} wants of {tensor}"
        self._count(self._walk.comes, link, tensor, _rows(elements), partial=partial)
        if self._entered[link[0]] == 1 and not partial:
            self._count(self._walk.first, link, tensor, _rows(elements), partial=partial)

    def _go(
        self, level: int, tensor: str, rows: Iterable[tuple[int, int]], *, partial: bool, is_last: bool = False
    ) -> None:
        link, _ = self._outwards(level, tensor)
        for moves in (self._walk.goes, self._walk.last) if is_last else (self._walk.goes,):
            self._count(moves, link, tensor, rows, partial=partial)

    def _leave(self, level: int, tensor: str) -> None:
        blocks = self._stores[level].contents.get(tensor, [])
        if tensor in self._results:
            needed = self._sizes[LACKS[tensor]]
            for block in blocks:
                unfinished = {element for element in block if 0 < self._done[tensor][element] < needed}
                self._go(level, tensor, _rows(unfinished), partial=True)
        blocks.clear()

    def _empty(self, level: int) -> None:
        for tensor in self._stores[level].contents:
            self._leave(level, tensor)
        self._stores[level].places.clear()

    def _compute(self, part: Region) -> None:
        step = Step()
        for tensor in self._results:
            block = _elements(tensor, part)
            if any(self._done[tensor][element] for element in block):
                step.again.add(tensor)
            self._add(tensor, part)
        step.blocks.append((tuple(self._results), {axis: len(span) for axis, span in part.items()}))
        self._walk.steps.append(step)

    def _alternate(self, region: Region) -> None:
        """The scratchpad's two nests, step by step; sums that were begun come first, and go again if need be."""
        store = self._stores[0]
        lengths = {axis: len(span) for axis, span in region.items()}
        block = {axis: min(length, lengths[axis]) for axis, length in store.block.items()}
        inner = walk(store.nests, lengths, block, self._window(lengths))
        begun = {tensor for tensor in self._results if any(self._done[tensor][e] for e in _elements(tensor, region))}
        for tensor in self._results:
            self._add(tensor, region)
        complete = {tensor for tensor in self._results if self._is_complete(tensor, _elements(tensor, region))}
        for tensor in self._tensors:
            link, source = self._outwards(0, tensor)
            assert source is None or tensor in self._results or _elements(tensor, region) <= source.has(tensor)
        held: Counter[str] = Counter()
        for (_, tensor), elements in inner.reserved.items():
            held[tensor] += elements
        held["dy"] += inner.kept * block["b"] * block["n"]
        self._walk.most[store.name].append(held)
        for step in inner.steps:
            self._enter(store)
            for (tensor, partial, verb, length), rows in step.rows.items():
                assert not partial, "neither spills its sums"
                link, _ = self._outwards(0, tensor)
                if verb == "reads":
                    self._count(self._walk.comes, link, tensor, [(length, rows)], partial=False)
                    if self._entered[store.name] == 1:
                        self._count(self._walk.first, link, tensor, [(length, rows)], partial=False)
                    continue
                if tensor in begun:
                    self._count(self._walk.comes, link, tensor, [(length, rows)], partial=True)
                self._go(0, tensor, [(length, rows)], partial=tensor not in complete, is_last=tensor in complete)
            step.again |= begun
            self._walk.steps.append(step)

    def _add(self, tensor: str, part: Region) -> None:
        for element in _elements(tensor, part):
            self._done[tensor][element] += len(part[LACKS[tensor]])

    def _is_complete(self, tensor: str, block: set[Element]) -> bool:
        finished = sum(self._done[tensor][element] == self._sizes[LACKS[tensor]] for element in block)
        assert finished in (0, len(block))
        return bool(finished)

    def _count(
        self, moves: dict[Link, Rows], link: Link, tensor: str, rows: Iterable[tuple[int, int]], *, partial: bool
    ) -> None:
        into = moves.setdefault(link, Counter())
        for length, count in rows:
            into[tensor, partial, length] += count

    def _outwards(self, level: int, tensor: str) -> tuple[Link, Store | None]:
        """Where a memory gets a tensor from: the link, and the other memory, None for DRAM."""
        inside = self._stores[level].name
        for store in self._stores[level + 1 :]:
            if tensor in store.keeps:
                return (inside, store.name), store
        return (inside, "dram"), None


def _elements(tensor: str, part: Region) -> set[Element]:
    return set(itertools.product(*(part[axis] for axis in HAS[tensor])))


def _rows(block: set[Element]) -> list[tuple[int, int]]:
    """Of a block's elements the lengths of its rows, each with how many there are."""
    return list(Counter(Counter(first for first, _ in block).values()).items())


def _blocks(loops: str, region: Region, block: Lengths) -> Iterator[tuple[Lengths, Region]]:
    """The loops' indices, and what of the region they stand for."""
    starts = {axis: range(region[axis].start, region[axis].stop, block[axis]) for axis in loops}
    for place in itertools.product(*(starts[axis] for axis in loops)):
        at = dict(zip(loops, place, strict=True))
        yield at, {axis: range(start, min(start + block[axis], region[axis].stop)) for axis, start in at.items()}
