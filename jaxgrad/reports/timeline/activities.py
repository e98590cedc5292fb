"""What each tile does on the array and when: load, stream slots, drain, and the stalls between the streams.

Times are those of the top left PE and its column, in clock cycles from the start of the run. The PE in row r and column
c meets every wavefront r + c cycles later, so it stalls for as long as the top left one does: the streamed words and
the stalls together fill every cycle of a run. Single-buffered tiles follow one another, or load while the one before
drains; the times of double-buffered ones are those of ``passes.timeline``.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from itertools import accumulate
from typing import Literal, NamedTuple

from jaxgrad.array import closed_form
from jaxgrad.array.counts import ACCESSES, Key
from jaxgrad.array.gemm import Gemm
from jaxgrad.array.mapping import Mapping, named
from jaxgrad.array.passes.base import Keeps
from jaxgrad.array.passes.events import Events, SlotEvents
from jaxgrad.array.passes.timeline import double_buffered
from jaxgrad.hardware import Accelerator

Kind = Literal["load", "stream", "drain", "stall"]


class Tile(NamedTuple):
    """One tile of a run.

    Args:
        number: in the order in which the array takes them, from 0.
        p, q: which tile along the rows' and along the columns' axis.
        rows, cols: real rows and columns, in PEs; the others hold padding.
        streamed: streamed rows of the horizontal operand.
        completes: whether it is the last one along the rows' axis, whose partial sums are results.
        completes_right: whether it is the last one along the columns' axis, for sums that leave at the right.
    """

    number: int
    p: int
    q: int
    rows: int
    cols: int
    streamed: int
    completes: bool
    completes_right: bool


class Edges(NamedTuple):
    """Tensors that cross the edges of the array in a stream slot.

    Args:
        left: the operand that streams horizontally, or ``psum``.
        top: the operand that streams vertically, or ``psum``.
        bottom, right: ``psum``, or the result where the sums are complete; None where they do not leave.
    """

    left: str
    top: str
    bottom: str | None = None
    right: str | None = None


class Activity(NamedTuple):
    """One load, stream slot, drain or stall of a tile.

    Args:
        kind: load, stream (of one slot), drain, or a stall: no streamed word enters the top left PE.
        what: the operand that is loaded (``w``), the result that is streamed for or drained (``dx``, ``dw``), or the
            stall's cause.
        tile: the tile; of a stall the one before whose stream it lies, the last one at the end.
        start: first cycle.
        cycles: from the first to the last; a stream slot that alternates with others has every ``stride``-th of them.
        stride: cycles from one streamed row to the next.
        words: SRAM words read and written, by the counter that they add to.
        edges: of a stream slot.
    """

    kind: Kind
    what: str
    tile: Tile
    start: int
    cycles: int
    stride: int
    words: dict[Key, int]
    edges: Edges | None = None

    @property
    def stop(self) -> int:
        return self.start + self.cycles

    @property
    def busy(self) -> int:
        """Cycles in which it occupies the PE or the link: every ``stride``-th."""
        return -(-self.cycles // self.stride)


def tile_count(mappings: Sequence[Mapping], gemm: Gemm, array: Accelerator) -> int:
    """The number of tiles that ``activities`` walks, in closed form."""
    return sum(len(_parts(mapping)) * _tiles_in(mapping.sizes(gemm), array) for mapping in mappings)


def activities(mappings: Sequence[Mapping], gemm: Gemm, array: Accelerator) -> Iterator[Activity]:
    """All that a run does, tile after tile; the last activity ends with the run.

    Args:
        mappings: what runs, in order, as ``choice.backward_mappings`` gives it.
        gemm: the layer's shape.
        array: the hardware.
    """
    start = number = 0
    for mapping in mappings:
        walk = _overlapped if array.double_buffered else _serial
        start = yield from walk(mapping, mapping.sizes(gemm), array, start, number)
        number += tile_count([mapping], gemm, array)


class Stretch(NamedTuple):
    """The cycles in which the tiles of some products follow one another, with their loads and drains.

    Args:
        results: the products, by what they compute.
        tiles: how many.
        start, stop: the first cycle, and the one after the last.
    """

    results: tuple[str, ...]
    tiles: int
    start: int
    stop: int


def stretches(mappings: Sequence[Mapping], gemm: Gemm, array: Accelerator) -> list[Stretch]:
    """A whole run without walking its tiles: its stretches, which follow one another without a gap.

    Double-buffered, a stretch ends when the stream of the next one begins.

    Args:
        mappings, gemm, array: as ``activities`` takes them.
    """
    found: list[Stretch] = []
    start = 0
    for mapping in mappings:
        sizes, parts = mapping.sizes(gemm), _parts(mapping)
        n_p, n_q = _grid(sizes, array)
        tiles = n_p * n_q
        if array.double_buffered:
            timeline = double_buffered(mapping.keeps, mapping.order, sizes[0], (n_p, n_q), array.rows, array.cols)
            # Parts that run in turn have one slot each.
            stops = [*(start + slot.start for slot in timeline.slots[1 : len(parts)]), start + timeline.cycles]
        else:
            spent = [closed_form.cycles(part.keeps, part.order, *sizes, array) for part in parts]
            stops = [start + cycles for cycles in accumulate(spent)]
        for part, stop in zip(parts, stops, strict=True):
            found.append(Stretch(part.results, tiles, start, stop))
            start = stop
    return found


def _parts(mapping: Mapping) -> tuple[Mapping, ...]:
    """The slots that are on the array together, one group after the other."""
    return mapping.split() if mapping.order == "in turn" else (mapping,)


def _grid(sizes: tuple[int, int, int], array: Accelerator) -> tuple[int, int]:
    """Tiles along the rows' axis and along the columns'."""
    _, p, q = sizes
    return -(-p // array.rows), -(-q // array.cols)


def _tiles_in(sizes: tuple[int, int, int], array: Accelerator) -> int:
    n_p, n_q = _grid(sizes, array)
    return n_p * n_q


def _tiles(sizes: tuple[int, int, int], array: Accelerator, number: int) -> Iterator[Tile]:
    s, p, q = sizes
    for at_q in range(0, q, array.cols):
        for at_p in range(0, p, array.rows):
            real = min(array.rows, p - at_p), min(array.cols, q - at_q)
            completes = at_p + array.rows >= p, at_q + array.cols >= q
            yield Tile(number, at_p // array.rows, at_q // array.cols, *real, s, *completes)
            number += 1


def _serial(
    mapping: Mapping, sizes: tuple[int, int, int], array: Accelerator, clock: int, number: int
) -> Generator[Activity, None, int]:
    """Load, stream, wavefront to the far corner, drain; returns the cycle in which the next mapping may start.

    In cycles of a drain that overlaps with the next load the PEs are said to wait for the drain.
    """
    for part in _parts(mapping):
        keeps = part.keeps
        shifts = keeps.count("operand"), keeps.count("result")
        hidden = min(shifts) * array.rows if part.order == "overlapped drain" else 0
        first = number
        for tile in _tiles(sizes, array, number):
            number = tile.number + 1
            drained = clock
            clock -= hidden if tile.number > first else 0
            for slot in _keeping("operand", keeps):
                yield _load(part, slot, tile, clock, array.rows)
                clock += array.rows
            yield from _stall("load", tile, drained, clock)
            for slot in range(len(keeps)):
                yield _stream(part, slot, tile, clock)
            clock += len(keeps) * tile.streamed
            crossed = clock + array.rows + array.cols - 2
            yield from _stall("wavefront", tile, clock, crossed)
            clock = crossed
            for slot in _keeping("result", keeps):
                yield _drain(part, slot, tile, clock, array.rows)
                clock += array.rows
            yield from _stall("drain", tile, crossed, clock)
    return clock


def _overlapped(
    mapping: Mapping, sizes: tuple[int, int, int], array: Accelerator, begin: int, number: int
) -> Generator[Activity, None, int]:
    """Tiles that load and drain through shadow registers while others stream."""
    parts, rows = _parts(mapping), array.rows
    per_part = _tiles_in(sizes, array)
    timeline = double_buffered(mapping.keeps, mapping.order, sizes[0], _grid(sizes, array), rows, array.cols)
    shifting = rows * max(mapping.keeps.count("operand"), mapping.keeps.count("result"))
    waiting = "shadow registers in use" if timeline.period <= shifting else "sums on their way to the right"
    slots = iter(timeline.slots)
    streamed, tile = begin, None
    for index, part in enumerate(parts):
        slot_times = [next(slots) for _ in part.keeps]
        for tile in _tiles(sizes, array, number + index * per_part):
            shift = begin + (tile.number - number - index * per_part) * timeline.period
            for slot in _keeping("operand", part.keeps):
                yield _load(part, slot, tile, shift + slot_times[slot].load, rows)
            start = shift + slot_times[0].start
            cause = "load" if streamed == begin else waiting
            yield from _stall(cause, tile, streamed, start)
            for slot in range(len(part.keeps)):
                yield _stream(part, slot, tile, start)
            streamed = start + len(part.keeps) * tile.streamed
            for slot in _keeping("result", part.keeps):
                yield _drain(part, slot, tile, shift + slot_times[slot].drain + rows - 1, rows)
    end = begin + timeline.cycles
    assert tile is not None, "a GEMM has at least one tile"
    crossed = min(end, streamed + rows + array.cols - 2)
    yield from _stall("wavefront", tile, streamed, crossed)
    yield from _stall("drain", tile, crossed, end)
    return end


def _keeping(kept_part: Keeps, keeps: tuple[Keeps, ...]) -> list[int]:
    return [slot for slot, kept in enumerate(keeps) if kept == kept_part]


def _load(part: Mapping, slot: int, tile: Tile, start: int, rows: int) -> Activity:
    words = _words(part, slot, SlotEvents(operand_reads=tile.rows * tile.cols))
    return Activity("load", part.operand(slot)[0], tile, start, rows, 1, words)


def _stream(part: Mapping, slot: int, tile: Tile, start: int) -> Activity:
    passing = tile.streamed * tile.cols
    result, left = part.result(slot)[0], part.stream[0]
    if part.keeps[slot] == "operand":
        events = SlotEvents(psum_reads=passing if tile.p else 0, psum_writes=passing)
        edges = Edges(left, "psum", result if tile.completes else "psum")
    elif part.keeps[slot] == "result":
        events = SlotEvents(operand_reads=passing)
        edges = Edges(left, part.operand(slot)[0])
    else:
        flowing = tile.streamed * tile.rows
        events = SlotEvents(operand_reads=passing, psum_reads=flowing if tile.q else 0, psum_writes=flowing)
        edges = Edges("psum", part.operand(slot)[0], right=result if tile.completes_right else "psum")
    stride = len(part.keeps)
    # A row is read once, in its first slot, and held for the others.
    words = _words(part, slot, events, 0 if slot else tile.streamed * tile.rows)
    cycles = (tile.streamed - 1) * stride + 1
    return Activity("stream", result, tile, start + slot, cycles, stride, words, edges)


def _drain(part: Mapping, slot: int, tile: Tile, start: int, rows: int) -> Activity:
    words = _words(part, slot, SlotEvents(result_writes=tile.rows * tile.cols))
    return Activity("drain", part.result(slot)[0], tile, start, rows, 1, words)


def _stall(cause: str, tile: Tile, start: int, stop: int) -> Iterator[Activity]:
    if stop > start:
        yield Activity("stall", cause, tile, start, stop - start, 1, {})


def _words(part: Mapping, slot: int, events: SlotEvents, streamed: int = 0) -> dict[Key, int]:
    slots = tuple(events if index == slot else SlotEvents() for index in range(len(part.products)))
    counts = named(Events(0, streamed, 0, slots), part)
    return {key: sum(counts[key]) for key in ACCESSES if key in counts}
