"""Blocks within blocks: what each memory between the array and DRAM moves, and how long the array waits for them.

A tier cuts the layer into blocks of its own, which its loop nest visits. All that is inside it, the scratchpad last,
works on one such block at a time, as if that were a layer: it begins with nothing, and at the end of the block nothing
stays. A tensor that a tier does not keep passes it by, from the next one outside that keeps it (DRAM keeps all) to the
next one inside (the scratchpad needs all). What crosses where, ``crossings`` tells.

A word that goes from a tier to what is inside it is a read there, one that comes from the inside a write; what a tier
itself gets from the outside is a fill, what it gives back a write-back. A tier that has a width does all of that in
whole accesses, which are counted too, and whose bytes take its time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from jaxgrad.array.closed_form import Array
from jaxgrad.array.counts import (
    CYCLES,
    FILLS,
    PORT_ACCESSES,
    READS,
    SRAM,
    STALLS,
    WRITE_BACKS,
    WRITES,
    Key,
    stalls_of,
)
from jaxgrad.base.arithmetic import last_block
from jaxgrad.costs import blocks
from jaxgrad.costs.crossings import Moves, memories, moved, sources
from jaxgrad.costs.nests import Sizes, trips
from jaxgrad.costs.search import Run
from jaxgrad.costs.tiers import Tier
from jaxgrad.costs.transfers import Shapes, Storage, block_bytes, needed_bytes, window_steps
from jaxgrad.costs.widths import Accesses, Window, Words
from jaxgrad.hardware import Machine, Precision

_OUTWARDS = {READS: FILLS, WRITES: WRITE_BACKS}


class Surroundings(NamedTuple):
    """What a run is embedded in.

    Args:
        array, precision: the array, and its number formats.
        storage: the scratchpad.
        beyond: the tiers outside of those that the run uses, from the inside outwards; the last one is DRAM.
    """

    array: Array
    precision: Precision
    storage: Storage
    beyond: tuple[Tier, ...]

    @classmethod
    def of(cls, machine: Machine, beyond: tuple[Tier, ...]) -> Surroundings:
        assert machine.memory is not None
        return cls(machine.array, machine.precision, Storage.of(machine.memory), beyond)


class _Traffic(NamedTuple):
    """What goes over each link: words, and by the name of each tier that has a width, its accesses."""

    words: Moves
    accesses: Mapping[str, Moves]

    @classmethod
    def of(cls, run: Run, shapes: Shapes, around: Surroundings) -> _Traffic:
        window = _window(run, shapes, around)
        words = moved(run, around.beyond, shapes.sizes, Words(shapes), window)
        accesses: dict[str, Moves] = {}
        for tier in _tiers(run, around).values():
            if tier.width_bytes:
                measure = Accesses(shapes, around.precision, tier.width_bytes)
                links = moved(run, around.beyond, shapes.sizes, measure, window)
                accesses[tier.name] = {link: counts for link, counts in links.items() if tier.name in link}
        return cls(words, accesses)

    def bytes_of(self, tier: Tier, precision: Precision, inside: str | None = None) -> int:
        """What a tier moves to and from one memory inside it, or all of them: whole accesses, if it has a width."""
        total: dict[Key, int] = {}
        for (memory, source), counts in self.accesses.get(tier.name, self.words).items():
            for key, count in counts.items() if source == tier.name and inside in (memory, None) else ():
                total[key] = total.get(key, 0) + count
        if tier.width_bytes:
            return tier.width_bytes * sum(total.values())
        return sum(precision.bytes(key.tensor, count) for key, count in total.items())


def counts(run: Run, shapes: Shapes, around: Surroundings) -> dict[Key, int]:
    """All counters of a run: the array's, words by memory and tensor, stalls of all memories together and of each."""
    cuts = [outer.block for outer in reversed(run.outer)]
    total = blocks.counts(run.mappings, shapes.sizes, run.block, around.array, cuts)
    traffic = _Traffic.of(run, shapes, around)

    def count(key: Key, number: int) -> None:
        total[key] = total.get(key, 0) + number

    for (inside, _), words in traffic.words.items():
        for key, number in words.items():
            count(key, number)
            if inside != SRAM:
                count(Key(inside, key.tensor, _OUTWARDS[key.action]), number)
    for name, links in traffic.accesses.items():
        for accesses in links.values():
            for key, number in accesses.items():
                count(Key(name, key.tensor, PORT_ACCESSES), number)
    tiers = _tiers(run, around)
    total[STALLS] = _time(total[CYCLES], run, shapes, around, traffic, tiers) - total[CYCLES]
    for name, tier in tiers.items():
        total[stalls_of(name)] = _time(total[CYCLES], run, shapes, around, traffic, {name: tier}) - total[CYCLES]
    return total


def spent(run: Run, shapes: Shapes, around: Surroundings) -> tuple[int, int]:
    """Clock cycles of a run, stalls included, and the bytes that it moves to and from the last tier."""
    cuts = [outer.block for outer in reversed(run.outer)]
    busy = blocks.cycles(run.mappings, shapes.sizes, run.block, around.array, cuts)
    traffic = _Traffic.of(run, shapes, around)
    cycles = _time(busy, run, shapes, around, traffic, _tiers(run, around))
    return cycles, traffic.bytes_of(around.beyond[-1], around.precision)


def _tiers(run: Run, around: Surroundings) -> dict[str, Tier]:
    """The tiers that a run uses, and those beyond, by name."""
    return {tier.name: tier for tier in (*(outer.tier for outer in run.outer), *around.beyond)}


def _window(run: Run, shapes: Shapes, around: Surroundings) -> Window:
    """How long blocks of dY stay where dX and dW alternate: what the scratchpad has left as it works on a region."""

    def steps(sizes: Sizes) -> int:
        region = shapes.part(sizes)
        block = {axis: min(run.block[axis], sizes[axis]) for axis in "bkn"}
        spare = around.storage.spare_bytes(needed_bytes(run.nests, region, block, around.precision))
        return window_steps(block, around.precision, spare)

    return steps


def _time(
    busy: int,
    run: Run,
    shapes: Shapes,
    around: Surroundings,
    traffic: _Traffic,
    tiers: Mapping[str, Tier],
) -> int:
    """Clock cycles of a run if only ``tiers`` take time to move anything.

    Memory by memory outwards, as ``transfers.waiting_cycles`` has it for one: the filling of a double-buffered one
    overlaps with all that goes on inside, but for its first operands and its last results; that of another does not.
    """
    exposed = list(_exposed(run, shapes, around, tiers))
    time = busy
    buffered = [around.storage.double_buffered, *(outer.tier.double_buffered for outer in run.outer)]
    for (inside, _, _), overlaps, first_and_last in zip(memories(run), buffered, exposed, strict=True):
        transfers = [
            tiers[source].transfer_cycles(traffic.bytes_of(tiers[source], around.precision, inside))
            for memory, source in traffic.words
            if memory == inside and source in tiers
        ]
        time = max(time + first_and_last, *transfers, 0) if overlaps else time + sum(transfers)
    return max(time, *(tier.transfer_cycles(traffic.bytes_of(tier, around.precision)) for tier in tiers.values()))


def _exposed(run: Run, shapes: Shapes, around: Surroundings, tiers: Mapping[str, Tier]) -> Iterator[int]:
    """Of each memory, the cycles in which its first operands come and its last results go."""
    places = memories(run)
    last: list[Sizes] = []
    whole = shapes.sizes
    for _, _, block in reversed(places):
        loops = trips(whole, block)
        whole = {axis: last_block(whole[axis], block[axis], loops[axis]) for axis in "bkn"}
        last.append(whole)
    links = list(sources(run, around.beyond))
    for place, ((_, _, block), edge) in enumerate(zip(places, reversed(last), strict=True)):
        sizes: dict[tuple[str, bool], int] = {}
        for inside, name, source in links:
            if inside == place and source.name in tiers:
                is_result = name in run.results
                key = source.name, is_result
                lengths = edge if is_result else block
                size = block_bytes(name, shapes, lengths, around.precision, source.width_bytes)
                sizes[key] = sizes.get(key, 0) + size
        yield sum(tiers[source].transfer_cycles(size) for (source, _), size in sizes.items())
