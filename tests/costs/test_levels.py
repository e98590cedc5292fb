"""jaxgrad.costs.levels: blocks within blocks against walking them element by element."""

from __future__ import annotations

import math
from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgrad.array import forwards, schedules
from jaxgrad.array.counts import CYCLES, STALLS, stalls_of
from jaxgrad.array.mapping import Mapping as ArrayMapping
from jaxgrad.costs.levels import Surroundings, counts, spent
from jaxgrad.costs.nests import LOOPS, holdings
from jaxgrad.costs.search import Run
from jaxgrad.costs.tiers import Outer, Tier
from jaxgrad.costs.transfers import Shapes
from jaxgrad.hardware import Accelerator, Precision
from jaxgrad.hardware.level import KEPT
from tests.costs.deep_walker import Store, Walk, Walker
from tests.costs.layers import RESULTS, arrays, precisions
from tests.costs.layers import shapes as layers
from tests.costs.walker import array_counts, moved_bytes, size_bytes, words

MAPPINGS: dict[tuple[str, ...], tuple[ArrayMapping, ...]] = {
    ("y",): (forwards.find("ws").mapping,),
    ("dx",): (schedules.find("ws").alternatives(dw=False)[0][0],),
    ("dw",): (schedules.find("os").alternatives(dx=False)[0][0],),
    ("dx", "dw"): (schedules.find("interleaved").alternatives()[0][0],),
}
DRAM = Tier("dram", frozenset(KEPT), 0, 2, 3)


def walked(run: Run, layer: Shapes) -> Walk:
    (nest,) = run.nests
    stores = [Store("sram", frozenset(KEPT), nest, run.block)]
    stores += [Store(outer.tier.name, outer.tier.keeps, outer.nest, dict(outer.block)) for outer in run.outer]
    return Walker(stores, dict(layer.sizes)).walk()


def time(busy: int, run: Run, walk: Walk, layer: Shapes, around: Surroundings, tiers: Mapping[str, Tier]) -> int:
    """Clock cycles where only some tiers take time; see ``levels._time``."""
    precision, spans = around.precision, busy
    overlaps = [("sram", around.double_buffered), *((o.tier.name, o.tier.double_buffered) for o in run.outer)]
    for inside, double_buffered in overlaps:
        transfers, ends = [0], 0
        for name, tier in tiers.items():
            transfers.append(tier.transfer_cycles(moved_bytes(walk.over(inside, name, layer), precision)))
            for part in (walk.first, walk.last):
                ends += tier.transfer_cycles(
                    sum(
                        size_bytes(tensor, math.ceil(words(tensor, elements, layer)), precision)
                        for (tensor, _), elements in part.get((inside, name), {}).items()
                    )
                )
        spans = max(spans + ends, *transfers) if double_buffered else spans + sum(transfers)
    totals = {name: {} for name in tiers}
    for key, count in walk.counts(layer).items():
        if key.level in tiers and key.action in ("reads", "writes"):
            totals[key.level][key] = count
    return max(spans, *(tier.transfer_cycles(moved_bytes(totals[name], precision)) for name, tier in tiers.items()))


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
        tier = Tier(name, keeps, 0, draw(st.integers(1, 3)), draw(st.integers(1, 5)), draw(st.booleans()))
        outer.insert(0, Outer(tier, draw(nests), region))
    block = {axis: draw(st.integers(1, length)) for axis, length in region.items()}
    return Run(MAPPINGS[results], (draw(nests),), block, tuple(outer))


@settings(max_examples=300)
@given(data=st.data(), layer=layers(6), array=arrays(3), precision=precisions(), double_buffered=st.booleans())
def test_blocks_within_blocks_count_what_walking_them_counts(
    data: st.DataObject, layer: Shapes, array: Accelerator, precision: Precision, double_buffered: bool
) -> None:
    run = data.draw(runs(layer))
    around = Surroundings(array, precision, double_buffered, (DRAM,))
    found, walk = counts(run, layer, around), walked(run, layer)
    tiers = {tier.name: tier for tier in (*(outer.tier for outer in run.outer), DRAM)}
    busy = found[CYCLES]
    stalls = [(found.pop(STALLS), tiers), *((found.pop(stalls_of(name)), {name: tiers[name]}) for name in tiers)]
    for waited, waited_for in stalls:
        assert waited == time(busy, run, walk, layer, around, waited_for) - busy
    expected = array_counts(walk.steps, run.mappings, array) | walk.counts(layer)
    assert {key: count for key, count in found.items() if count} == expected
    moved = {key: count for key, count in walk.counts(layer).items() if key.level == "dram"}
    assert spent(run, layer, around) == (busy + stalls[0][0], moved_bytes(moved, precision))
