"""Blocks within blocks: what each memory between the array and DRAM moves, and how long the array waits for them.

A tier cuts the layer into blocks of its own, which its loop nest visits. All that is inside it, the scratchpad last,
works on one such block at a time, as if that were a layer: it begins with nothing, and at the end of the block nothing
stays. A tensor that a tier does not keep passes it by, from the next one outside that keeps it (DRAM keeps all) to the
next one inside (the scratchpad needs all).

- An operand's words come into a memory as often as its nest visits them (``nests.visits``), block after block of what
  is outside of it.
- A sum leaves complete once. It leaves unfinished, and comes back, where the nest spills it, and after each outer block
  but the last along the axis that it is summed over: whatever it was begun in is worked on anew by then.

A word that goes from a tier to what is inside it is a read there, one that comes from the inside a write; what a tier
itself gets from the outside is a fill, what it gives back a write-back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from jaxgrad.array.closed_form import Array
from jaxgrad.array.counts import CYCLES, FILLS, READS, SRAM, STALLS, WRITE_BACKS, WRITES, Key, stalls_of
from jaxgrad.array.mapping import AXES
from jaxgrad.base.arithmetic import last_block
from jaxgrad.costs import blocks
from jaxgrad.costs.nests import Nest, Sizes, reused_along, trips, visits
from jaxgrad.costs.search import Run
from jaxgrad.costs.tiers import Tier
from jaxgrad.costs.transfers import Shapes
from jaxgrad.hardware import Machine, Precision

_OUTWARDS = {READS: FILLS, WRITES: WRITE_BACKS}
Link = tuple[str, str]
"""A memory, and the one outside of it that it gets words from."""


class Surroundings(NamedTuple):
    """What a run is embedded in.

    Args:
        array, precision: the array, and its number formats.
        double_buffered: whether the scratchpad fills while the array works.
        beyond: the tiers outside of those that the run uses, from the inside outwards; the last one is DRAM.
    """

    array: Array
    precision: Precision
    double_buffered: bool
    beyond: tuple[Tier, ...]

    @classmethod
    def of(cls, machine: Machine, beyond: tuple[Tier, ...]) -> Surroundings:
        assert machine.memory is not None
        return cls(machine.array, machine.precision, machine.memory.double_buffered, beyond)


def counts(run: Run, shapes: Shapes, around: Surroundings) -> dict[Key, int]:
    """All counters of a run: the array's, words by memory and tensor, stalls of all memories together and of each."""
    cuts = [outer.block for outer in reversed(run.outer)]
    total = blocks.counts(run.mappings, shapes.sizes, run.block, around.array, cuts)
    moved = _moved(run, shapes, around)
    for (inside, _), words in moved.items():
        for key, count in words.items():
            total[key] = total.get(key, 0) + count
            if inside != SRAM:
                outwards = Key(inside, key.tensor, _OUTWARDS[key.action])
                total[outwards] = total.get(outwards, 0) + count
    tiers = {tier.name: tier for tier in (*(outer.tier for outer in run.outer), *around.beyond)}
    total[STALLS] = _time(total[CYCLES], run, shapes, around, moved, tiers) - total[CYCLES]
    for name, tier in tiers.items():
        total[stalls_of(name)] = _time(total[CYCLES], run, shapes, around, moved, {name: tier}) - total[CYCLES]
    return total


def spent(run: Run, shapes: Shapes, around: Surroundings) -> tuple[int, int]:
    """Clock cycles of a run, stalls included, and the bytes that it moves to and from the last tier."""
    cuts = [outer.block for outer in reversed(run.outer)]
    busy = blocks.cycles(run.mappings, shapes.sizes, run.block, around.array, cuts)
    moved = _moved(run, shapes, around)
    tiers = {tier.name: tier for tier in (*(outer.tier for outer in run.outer), *around.beyond)}
    last = around.beyond[-1].name
    return _time(busy, run, shapes, around, moved, tiers), _bytes(_from(last, moved), around.precision)


def _memories(run: Run) -> list[tuple[str, Nest, Sizes]]:
    """Where blocks are: the scratchpad, then the tiers that are used."""
    (nest,) = run.nests
    return [(SRAM, nest, run.block), *((outer.tier.name, outer.nest, outer.block) for outer in run.outer)]


def _sources(run: Run, beyond: Sequence[Tier]) -> Iterator[tuple[int, str, Tier]]:
    """Which tensors cross into which memory, and from where: its place among ``_memories``, a tensor, the tier."""
    tiers = [outer.tier for outer in run.outer]
    for place, (_, nest, _) in enumerate(_memories(run)):
        for name in nest.tensors:
            if place == 0 or name in tiers[place - 1].keeps:
                yield place, name, next(tier for tier in (*tiers[place:], *beyond) if name in tier.keeps)


def _moved(run: Run, shapes: Shapes, around: Surroundings) -> dict[Link, dict[Key, int]]:
    """Words over each link, under the names of the outer memory's counts."""
    memories = _memories(run)
    crossings = _crossings([(nest, block) for _, nest, block in reversed(memories)], shapes.sizes)[::-1]
    moved: dict[Link, dict[Key, int]] = {}
    for place, tensor, source in _sources(run, around.beyond):
        inside, nest, _ = memories[place]
        words = moved.setdefault((inside, source.name), {})
        crossed = shapes.share(tensor, crossings[place][tensor])
        if tensor in nest.operands:
            words[Key(source.name, tensor, READS)] = crossed
            continue
        words[Key(source.name, tensor, WRITES)] = shapes.words[tensor]
        for action in (READS, WRITES):
            key = Key(source.name, "psum", action)
            words[key] = words.get(key, 0) + crossed
    return moved


def _crossings(cuts: Sequence[tuple[Nest, Sizes]], sizes: Sizes) -> list[dict[str, int]]:
    """Elements that come into each memory, the outermost first: of an operand all, of a sum those that come back."""
    (nest, block), *inner = cuts
    elements = {name: sizes[AXES[name][0]] * sizes[AXES[name][1]] for name in nest.tensors}
    here = {name: elements[name] * (visits(nest, name, sizes, block) - (name in nest.results)) for name in nest.tensors}
    if not inner:
        return [here]
    inside = [dict.fromkeys(nest.tensors, 0) for _ in inner]
    for count, part in blocks.parts(sizes, block):
        for total, crossed in zip(inside, _crossings(inner, part), strict=True):
            for name, value in crossed.items():
                total[name] += count * value
    loops = trips(sizes, block)
    for total in inside:
        for name in nest.results:
            total[name] += elements[name] * (loops[reused_along(name)] - 1)
    return [here, *inside]


def _from(tier: str, moved: Mapping[Link, Mapping[Key, int]]) -> dict[Key, int]:
    """All that a tier gives and takes."""
    total: dict[Key, int] = {}
    for (_, source), words in moved.items():
        for key, count in words.items() if source == tier else ():
            total[key] = total.get(key, 0) + count
    return total


def _bytes(words: Mapping[Key, int], precision: Precision) -> int:
    return sum(precision.bytes(key.tensor, count) for key, count in words.items())


def _time(
    busy: int,
    run: Run,
    shapes: Shapes,
    around: Surroundings,
    moved: Mapping[Link, Mapping[Key, int]],
    tiers: Mapping[str, Tier],
) -> int:
    """Clock cycles of a run if only ``tiers`` take time to move anything.

    Memory by memory outwards, as ``transfers.waiting_cycles`` has it for one: the filling of a double-buffered one
    overlaps with all that goes on inside, but for its first operands and its last results; that of another does not.
    """
    exposed = list(_exposed(run, shapes, around, tiers))
    time = busy
    buffered = [around.double_buffered, *(outer.tier.double_buffered for outer in run.outer)]
    for (inside, _, _), overlaps, first_and_last in zip(_memories(run), buffered, exposed, strict=True):
        transfers = [
            tiers[source].transfer_cycles(_bytes(words, around.precision))
            for (memory, source), words in moved.items()
            if memory == inside and source in tiers
        ]
        time = max(time + first_and_last, *transfers, 0) if overlaps else time + sum(transfers)
    return max(
        time, *(tier.transfer_cycles(_bytes(_from(tier.name, moved), around.precision)) for tier in tiers.values())
    )


def _exposed(run: Run, shapes: Shapes, around: Surroundings, tiers: Mapping[str, Tier]) -> Iterator[int]:
    """Of each memory, the cycles in which its first operands come and its last results go."""
    memories = _memories(run)
    last: list[Sizes] = []
    whole = shapes.sizes
    for _, _, block in reversed(memories):
        loops = trips(whole, block)
        whole = {axis: last_block(whole[axis], block[axis], loops[axis]) for axis in "bkn"}
        last.append(whole)
    sources = list(_sources(run, around.beyond))
    for place, ((_, nest, block), edge) in enumerate(zip(memories, reversed(last), strict=True)):
        sizes: dict[tuple[str, bool], int] = {}
        for inside, name, source in sources:
            if inside == place and source.name in tiers:
                comes = name in nest.operands
                lengths = block if comes else edge
                words = shapes.share(name, lengths[AXES[name][0]] * lengths[AXES[name][1]])
                key = source.name, comes
                sizes[key] = sizes.get(key, 0) + around.precision.bytes(name, words)
        yield sum(tiers[source].transfer_cycles(size) for (source, _), size in sizes.items())
