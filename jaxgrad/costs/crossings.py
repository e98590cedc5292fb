"""What crosses into each memory of a run, and from which memory outside of it.

- An operand comes into a memory as often as its nest visits it (``nests.visits``), block after block of what is outside
  of it.
- A sum leaves complete once. It leaves unfinished, and comes back, where the nest spills it, and after each outer block
  but the last along the axis that it is summed over: whatever it was begun in is worked on anew by then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from jaxgrad.array.counts import READS, SRAM, WRITES, Key
from jaxgrad.costs import blocks
from jaxgrad.costs.nests import Sizes, reused_along, trips
from jaxgrad.costs.orders import Nests
from jaxgrad.costs.search import Run
from jaxgrad.costs.tiers import Tier
from jaxgrad.costs.widths import Measure, Window, arrivals

Link = tuple[str, str]
"""A memory, and the one outside of it that it gets words from."""

Moves = Mapping[Link, Mapping[Key, int]]
"""What goes over each link, under the names of the outer memory's counts."""


def memories(run: Run) -> list[tuple[str, Nests, Sizes]]:
    """Where blocks are: the scratchpad, then the tiers that are used."""
    return [(SRAM, run.nests, run.block), *((outer.tier.name, (outer.nest,), outer.block) for outer in run.outer)]


def sources(run: Run, beyond: Sequence[Tier]) -> Iterator[tuple[int, str, Tier]]:
    """Which tensors cross into which memory, and from where: its place among ``memories``, a tensor, the tier."""
    tiers = [outer.tier for outer in run.outer]
    for place, (_, nests, _) in enumerate(memories(run)):
        for name in dict.fromkeys(name for nest in nests for name in nest.tensors):
            if place == 0 or name in tiers[place - 1].keeps:
                yield place, name, next(tier for tier in (*tiers[place:], *beyond) if name in tier.keeps)


def moved(run: Run, beyond: Sequence[Tier], sizes: Sizes, measure: Measure, window: Window) -> Moves:
    """All that a run moves.

    Args:
        run: with what is used of the memories.
        beyond: the tiers outside of those, from the inside outwards.
        sizes: of the layer.
        measure: what to count.
        window: for two nests that alternate in the scratchpad.
    """
    places = memories(run)
    cuts = [(nests, block) for _, nests, block in reversed(places)]
    crossed = _crossings(cuts, sizes, measure, window)[::-1]
    links: dict[Link, dict[Key, int]] = {}
    for place, tensor, source in sources(run, beyond):
        inside, _, _ = places[place]
        counts = links.setdefault((inside, source.name), {})
        came = measure.total(tensor, crossed[place][tensor])
        if tensor not in run.results:
            counts[Key(source.name, tensor, READS)] = came
            continue
        lengths = [block for _, block in cuts[: len(cuts) - place]]
        counts[Key(source.name, tensor, WRITES)] = measure.total(tensor, measure.whole(tensor, tensor, sizes, lengths))
        for action in (READS, WRITES):
            key = Key(source.name, "psum", action)
            counts[key] = counts.get(key, 0) + came
    return links


def _crossings(
    cuts: Sequence[tuple[Nests, Sizes]], sizes: Sizes, measure: Measure, window: Window
) -> list[dict[str, int]]:
    """What comes into each memory, the outermost first: of an operand all, of a sum what comes back."""
    (nests, block), *inner = cuts
    here = arrivals(nests, sizes, block, measure, window)
    if not inner:
        return [here]
    inside = [dict.fromkeys(here, 0) for _ in inner]
    for count, part in blocks.parts(sizes, block):
        for total, crossed in zip(inside, _crossings(inner, part, measure, window), strict=True):
            for name, value in crossed.items():
                total[name] += count * value
    loops, lengths = trips(sizes, block), [block]
    for total, (_, length) in zip(inside, inner, strict=True):
        lengths.append(length)
        for name in (name for nest in nests for name in nest.results):
            total[name] += measure.whole(name, "psum", sizes, lengths) * (loops[reused_along(name)] - 1)
    return [here, *inside]
