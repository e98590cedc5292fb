"""Memories within memories that are really walked: every element comes, stays and goes, and all is counted meanwhile.

``walker`` has one scratchpad and blocks; here each memory holds a set of elements, and what one wants another one must
have. No formula is shared with ``jaxgrad.costs``. What it does:

- A memory's loops visit the blocks of the region that the memory outside of it works on. For each, all memories inside
  work on that block and are empty again afterwards.
- A memory has room for one block of each tensor that it keeps, and the next block takes its place. Of a held tensor it
  keeps what the loops inside the tensor's reuse visit, until a loop outside of that moves on.
- What is not there comes from the nearest memory outside that keeps the tensor, which must have it. Of sums only those
  come that were begun.
- A sum that has to go before it is complete goes to that memory. Once complete it goes there as a result, and on from
  there, memory by memory, to DRAM.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from jaxgrad.array.counts import Key
from jaxgrad.costs.nests import Nest
from jaxgrad.costs.transfers import Shapes
from tests.costs.walker import HAS, LACKS, NEEDS, Lengths, Step, words

Element = tuple[int, ...]
Region = dict[str, range]


@dataclass
class Store:
    """A memory.

    Args:
        name: of its counts.
        keeps: tensors.
        nest, block: how it cuts what the memory outside of it works on.
    """

    name: str
    keeps: frozenset[str]
    nest: Nest
    block: Lengths
    contents: dict[str, set[Element]] = field(default_factory=dict)
    places: dict[str, Lengths] = field(default_factory=dict)


Moves = Counter[tuple[str, bool]]
"""Elements by (tensor, whether they are unfinished sums)."""


@dataclass
class Walk:
    """What happened.

    Args:
        comes, goes: over each link, (a memory, the one outside of it that it deals with).
        first, last: the part of these of a memory's first block (what it needs) and of its last (its results).
        most: the most elements of each tensor that a memory held at a time.
        steps: for ``walker.array_counts``.
    """

    comes: dict[tuple[str, str], Moves] = field(default_factory=dict)
    goes: dict[tuple[str, str], Moves] = field(default_factory=dict)
    first: dict[tuple[str, str], Moves] = field(default_factory=dict)
    last: dict[tuple[str, str], Moves] = field(default_factory=dict)
    most: dict[str, list[Counter[str]]] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)

    def over(self, inside: str, outside: str, shapes: Shapes) -> dict[Key, int]:
        """Words over a link, as the memory outside counts them."""
        total: dict[Key, int] = {}
        for moves, verb in ((self.comes, "reads"), (self.goes, "writes")):
            for (tensor, partial), elements in moves.get((inside, outside), Counter()).items():
                key = Key(outside, "psum" if partial else tensor, verb)
                total[key] = total.get(key, 0) + math.ceil(words(tensor, elements, shapes))
        return total

    def counts(self, shapes: Shapes) -> dict[Key, int]:
        """All words by memory, tensor and action."""
        total: Counter[Key] = Counter()
        for inside, outside in {**self.comes, **self.goes}:
            for key, count in self.over(inside, outside, shapes).items():
                total[key] += count
                if inside != "sram":
                    total[Key(inside, key.tensor, {"reads": "fills", "writes": "write_backs"}[key.action])] += count
        return {key: count for key, count in total.items() if count}


class Walker:
    """Walks a layer through memories, the scratchpad first, then outwards; DRAM has everything."""

    def __init__(self, stores: Sequence[Store], sizes: Lengths) -> None:
        (self._results,) = {store.nest.results for store in stores}
        self._tensors = list(dict.fromkeys([n for r in self._results for n in NEEDS[r]] + list(self._results)))
        self._stores, self._sizes = stores, sizes
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
        for at, part in _blocks(store.nest.loops, region, store.block):
            self._entered[store.name] += 1
            self._walk.last = {link: moves for link, moves in self._walk.last.items() if link[0] != store.name}
            for tensor in self._tensors:
                if tensor in store.keeps:
                    self._make_room(level, tensor, at, part)
            self._walk.most[store.name].append(Counter({name: len(own) for name, own in store.contents.items()}))
            if level:
                self._visit(level - 1, part)
                self._empty(level - 1)
            else:
                self._compute(part)

    def _make_room(self, level: int, tensor: str, at: Lengths, part: Region) -> None:
        store = self._stores[level]
        wanted = set(itertools.product(*(part[axis] for axis in HAS[tensor])))
        there = store.contents.setdefault(tensor, set())
        outside = store.nest.loops[: store.nest.loops.index(LACKS[tensor])]
        before = store.places.get(tensor)
        stays = tensor in store.nest.held and before is not None and all(before[axis] == at[axis] for axis in outside)
        if not stays and not wanted <= there:
            self._leave(level, tensor)
        store.places[tensor] = at
        missing = wanted - there
        if tensor in self._results:
            begun = {element for element in missing if self._done[tensor][element]}
            self._come(level, tensor, begun, partial=True)
        else:
            self._come(level, tensor, missing, partial=False)
        there |= missing

    def _come(self, level: int, tensor: str, elements: set[Element], *, partial: bool) -> None:
        link, source = self._outwards(level, tensor)
        if source is not None:
            assert elements <= source.contents[tensor], f"{source.name} has what {link[0]} wants of {tensor}"
        self._walk.comes.setdefault(link, Counter())[tensor, partial] += len(elements)
        if self._entered[link[0]] == 1 and not partial:
            self._walk.first.setdefault(link, Counter())[tensor, partial] += len(elements)

    def _leave(self, level: int, tensor: str) -> None:
        there = self._stores[level].contents.get(tensor, set())
        if tensor in self._results:
            needed = self._sizes[LACKS[tensor]]
            unfinished = sum(0 < self._done[tensor][element] < needed for element in there)
            link, _ = self._outwards(level, tensor)
            self._walk.goes.setdefault(link, Counter())[tensor, True] += unfinished
        there.clear()

    def _empty(self, level: int) -> None:
        for tensor in self._stores[level].contents:
            self._leave(level, tensor)
        self._stores[level].places.clear()

    def _compute(self, part: Region) -> None:
        step = Step()
        for tensor in self._results:
            done = self._done[tensor]
            block = set(itertools.product(*(part[axis] for axis in HAS[tensor])))
            if any(done[element] for element in block):
                step.again.add(tensor)
            for element in block:
                done[element] += len(part[LACKS[tensor]])
            finished = sum(done[element] == self._sizes[LACKS[tensor]] for element in block)
            assert finished in (0, len(block))
            level: int | None = 0
            while finished and level is not None:
                link, source = self._outwards(level, tensor)
                for moves in (self._walk.goes, self._walk.last):
                    moves.setdefault(link, Counter())[tensor, False] += finished
                level = None if source is None else self._stores.index(source)
        step.blocks.append((self._results, {axis: len(span) for axis, span in part.items()}))
        self._walk.steps.append(step)

    def _outwards(self, level: int, tensor: str) -> tuple[tuple[str, str], Store | None]:
        """Where a memory gets a tensor from: the link, and the other memory, None for DRAM."""
        inside = self._stores[level].name
        for store in self._stores[level + 1 :]:
            if tensor in store.keeps:
                return (inside, store.name), store
        return (inside, "dram"), None


def _blocks(loops: str, region: Region, block: Lengths) -> Iterator[tuple[Lengths, Region]]:
    """The loops' indices, and what of the region they stand for."""
    starts = {axis: range(region[axis].start, region[axis].stop, block[axis]) for axis in loops}
    for place in itertools.product(*(starts[axis] for axis in loops)):
        at = dict(zip(loops, place, strict=True))
        yield at, {axis: range(start, min(start + block[axis], region[axis].stop)) for axis, start in at.items()}
