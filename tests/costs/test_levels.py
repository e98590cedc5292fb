"""jaxgrad.costs.levels: blocks within blocks against walking them element by element."""

from __future__ import annotations

import math
from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgrad.array import forwards, schedules
from jaxgrad.array.counts import CYCLES, STALLS, Key, stalls_of
from jaxgrad.array.mapping import Mapping as ArrayMapping
from jaxgrad.costs.levels import Surroundings, counts, spent
from jaxgrad.costs.nests import LOOPS, Nest, holdings
from jaxgrad.costs.orders import families
from jaxgrad.costs.search import Run
from jaxgrad.costs.tiers import Outer, Tier
from jaxgrad.costs.transfers import Shapes, Storage
from jaxgrad.hardware import Accelerator, Precision
from jaxgrad.hardware.level import KEPT
from tests.costs.deep_walker import Link, Store, Walk, Walker, by_tensor, in_accesses
from tests.costs.layers import RESULTS, arrays, precisions
from tests.costs.layers import shapes as layers
from tests.costs.walker import Lengths, array_counts, held_bytes, moved_bytes, size_bytes, walk, words

DX_ALONE = schedules.find("ws").alternatives(dw=False)[0][0]
DW_ALONE = schedules.find("os").alternatives(dx=False)[0][0]
MAPPINGS: dict[tuple[str, ...], tuple[ArrayMapping, ...]] = {
    ("y",): (forwards.find("ws").mapping,),
    ("dx",): (DX_ALONE,),
    ("dw",): (DW_ALONE,),
    ("dx", "dw"): (schedules.find("interleaved").alternatives()[0][0],),
}
DRAM = Tier("dram", frozenset(KEPT), 0, 2, 3)


def walked(run: Run, layer: Shapes, storage: Storage, precision: Precision) -> Walk:
    def window(sizes: Lengths) -> int:
        """Steps for which a block of dY stays in what the scratchpad has left."""
        block = {axis: min(length, sizes[axis]) for axis, length in run.block.items()}
        needed: dict[str, int] = {}
        for (_, tensor), elements in walk(run.nests, sizes, block).reserved.items():
            needed[tensor] = needed.get(tensor, 0) + held_bytes(tensor, elements, layer, precision)
        usable = storage.usable_bytes
        if isinstance(usable, Mapping):
            left = {tensor: usable[tensor] - taken for tensor, taken in needed.items()}
            spare = min(left.values()) if min(left.values()) < 0 else left["dy"]
        else:
            spare = usable - sum(needed.values())
        return max(spare, 0) // (2 * size_bytes("dy", block["b"] * block["n"], precision))

    stores = [Store("sram", frozenset(KEPT), run.nests, run.block)]
    stores += [Store(outer.tier.name, outer.tier.keeps, (outer.nest,), dict(outer.block)) for outer in run.outer]
    return Walker(stores, dict(layer.sizes), window).walk()


def time(busy: int, run: Run, walk: Walk, layer: Shapes, around: Surroundings, tiers: Mapping[str, Tier]) -> int:
    """Clock cycles where only some tiers take time; see ``levels._time``."""
    precision, spans = around.precision, busy

    def size(tier: Tier, link: Link) -> int:
        if not tier.width_bytes:
            return moved_bytes(walk.over(link, layer), precision)
        return (
            sum(
                rows * in_accesses(tensor, "psum" if partial else tensor, length, tier.width_bytes, layer, precision)
                for moves in (walk.comes, walk.goes)
                for (tensor, partial, length), rows in moves.get(link, {}).items()
            )
            * tier.width_bytes
        )

    overlaps = [("sram", around.storage.double_buffered), *((o.tier.name, o.tier.double_buffered) for o in run.outer)]
    for inside, double_buffered in overlaps:
        transfers, ends = [0], 0
        for name, tier in tiers.items():
            transfers.append(tier.transfer_cycles(size(tier, (inside, name))))
            for part in (walk.first, walk.last):
                moves = part.get((inside, name))
                if moves is None:
                    continue
                if tier.width_bytes:
                    ends += tier.transfer_cycles(
                        sum(
                            rows
                            * tier.width_bytes
                            * in_accesses(tensor, tensor, length, tier.width_bytes, layer, precision)
                            for (tensor, _, length), rows in moves.items()
                        )
                    )
                else:
                    ends += tier.transfer_cycles(
                        sum(
                            size_bytes(tensor, math.ceil(words(tensor, elements, layer)), precision)
                            for (tensor, _), elements in by_tensor(moves).items()
                        )
                    )
        spans = max(spans + ends, *transfers) if double_buffered else spans + sum(transfers)
    for name, tier in tiers.items():
        if tier.width_bytes:
            all_bytes = sum(size(tier, link) for link in walk.links if link[1] == name)
        else:
            total = {
                key: count
                for key, count in walk.counts(layer).items()
                if key.level == name and key.action in ("reads", "writes")
            }
            all_bytes = moved_bytes(total, precision)
        spans = max(spans, tier.transfer_cycles(all_bytes))
    return spans


@st.composite
def runs(draw: st.DrawFn, layer: Shapes) -> Run:
    """Any, whether or not it fits: two memories around the scratchpad at most, the outermost cutting first."""
    results = draw(st.sampled_from(RESULTS))
    nests = st.sampled_from(LOOPS).flatmap(lambda loops: st.sampled_from(list(holdings(results, loops))))
    region = dict(layer.sizes)
    outer: list[Outer] = []
    for name in draw(st.sampled_from([(), ("buffer",), ("buffer",), ("shared", "buffer")])):
        region = {axis: draw(st.integers(1, length)) for axis, length in region.items()}
        keeps = frozenset(draw(st.sets(st.sampled_from(KEPT)) | st.just(set(KEPT))))
        rate = draw(st.integers(1, 3)), draw(st.integers(1, 5))
        tier = Tier(name, keeps, 0, *rate, draw(st.booleans()), draw(st.sampled_from([0, 0, 1, 6, 16])))
        outer.insert(0, Outer(tier, draw(nests), region))
    block = {axis: draw(st.integers(1, length)) for axis, length in region.items()}
    if len(results) == 2 and draw(st.booleans()):
        alternating: tuple[Nest, ...] = draw(st.sampled_from(list(families(results, "alternating"))))
        return Run((DX_ALONE, DW_ALONE), alternating, block, tuple(outer))
    return Run(MAPPINGS[results], (draw(nests),), block, tuple(outer))


@settings(max_examples=300)
@given(
    data=st.data(),
    layer=layers(6),
    array=arrays(3),
    precision=precisions(),
    storage=st.builds(Storage, st.integers(0, 900), st.just(1), st.just(1), st.booleans()),
)
def test_blocks_within_blocks_count_what_walking_them_counts(
    data: st.DataObject, layer: Shapes, array: Accelerator, precision: Precision, storage: Storage
) -> None:
    run = data.draw(runs(layer))
    around = Surroundings(array, precision, storage, (DRAM,))
    found, walk = counts(run, layer, around), walked(run, layer, storage, precision)
    tiers = {tier.name: tier for tier in (*(outer.tier for outer in run.outer), DRAM)}
    busy = found[CYCLES]
    stalls = [(found.pop(STALLS), tiers), *((found.pop(stalls_of(name)), {name: tiers[name]}) for name in tiers)]
    for waited, waited_for in stalls:
        assert waited == time(busy, run, walk, layer, around, waited_for) - busy
    widths = {name: tier.width_bytes for name, tier in tiers.items() if tier.width_bytes}
    expected = array_counts(walk.steps, run.mappings, array) | walk.counts(layer)
    expected |= walk.accesses(widths, layer, precision)
    assert {key: count for key, count in found.items() if count} == expected
    moved = {key: count for key, count in walk.counts(layer).items() if key.level == "dram"}
    assert spent(run, layer, around) == (busy + stalls[0][0], moved_bytes(moved, precision))


def test_regions_at_the_edge_leave_more_room_for_dy() -> None:
    """Of k there is 1 left there, where blocks are 4 long elsewhere."""
    layer, precision = Shapes(8, 5, 8, 40), Precision()
    nests = next(nests for nests in families(("dx", "dw"), "alternating"))
    outer = Outer(Tier("buffer", frozenset(KEPT), 0, 1, 1), Nest(("dx", "dw"), "bkn"), {"b": 8, "k": 4, "n": 8})
    run = Run((DX_ALONE, DW_ALONE), nests, {"b": 2, "k": 4, "n": 2}, (outer,))
    reads: set[int] = set()
    for usable in range(0, 800, 16):
        storage = Storage(usable, 1, 1)
        found = counts(run, layer, Surroundings(Accelerator(2, 2), precision, storage, (DRAM,)))
        walk = walked(run, layer, storage, precision)
        assert {key: count for key, count in found.items() if key in walk.counts(layer)} == walk.counts(layer)
        reads.add(found[Key("buffer", "dy", "reads")])
    assert len(reads) > 4
