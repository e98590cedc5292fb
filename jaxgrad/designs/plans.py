"""The coarse search: for each layer and machine the best of a few blocks, with all loops and all holdings.

The full search of ``costs.search`` tries some two thousand blocks a layer. This one cuts each axis into 1, 4, 16, ...
parts of whole tiles, and into single tiles; nests are the same. A run is chosen by its time before that is rounded up
to whole cycles, then by the bytes it moves, then by its nest and its block as they are listed. All of that is written
for arrays of machines, of memories and of bandwidths, and works for Python ints as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from jaxgrad.array import forwards
from jaxgrad.array.closed_form import Array
from jaxgrad.array.counts import CYCLES, DRAM, READS, STALLS, WRITES, Key
from jaxgrad.array.forwards import Forward
from jaxgrad.array.layers import phase_of
from jaxgrad.array.mapping import AXES, Result
from jaxgrad.array.schedules import Choice, Schedule, find
from jaxgrad.base.arithmetic import Integer, ceil_div, lookup, together, where
from jaxgrad.costs import blocks, transfers
from jaxgrad.costs.hierarchy import can_run, gradients
from jaxgrad.costs.nests import Nest, Sizes, resident, traffic, visits
from jaxgrad.costs.orders import FUSED, Nests, families
from jaxgrad.costs.search import Alternatives
from jaxgrad.costs.transfers import Shapes, Storage, dram_bytes, needed_bytes, stall_cycles
from jaxgrad.designs.splits import Splits, all_splits, block
from jaxgrad.hardware import Precision

NEST_BITS = 7
"""Bits for the number of a nest; no part has more nests."""

ORDERS: tuple[str, ...] = ("separate", *FUSED, "best")
"""Orders that the coarse search knows; its ``best`` is the best of the others, ``alternating`` not among them."""


@dataclass(frozen=True)
class Part:
    """One search: what is computed, by which nests, and what the array can do with a block.

    Args:
        results: ``("y",)``, ``("dx",)``, ``("dw",)`` or ``("dx", "dw")``.
        nests: to choose from.
        choices: mappings, see ``Alternatives``.
    """

    results: tuple[Result, ...]
    nests: tuple[Nests, ...]
    choices: tuple[Choice, ...]

    @property
    def phase(self) -> str:
        return phase_of(self.results)


Plan = tuple[Part, ...]
"""Searches whose runs follow each other."""


class Found(NamedTuple):
    """The outcome of a search.

    Args:
        time: clock cycles before they are rounded up, in units of ``1 / of_bytes`` cycles.
        moved: bytes of DRAM.
        nest: the number of the nest among its part's.
        splits: of the block.
    """

    time: Integer
    moved: Integer
    nest: Integer
    splits: Splits


def forward(how: str | Forward) -> list[Plan]:
    return [(_part(("y",), ("separate",), ((forwards.find(how).mapping,),)),)]


def backward(schedule: str | Schedule, order: str, *, dx: bool, dw: bool) -> list[Plan]:
    """The plans among which the best is taken for a layer's gradients.

    Args:
        schedule: a ``Schedule``, or the name of a registered one.
        order: one of ``ORDERS``; an interleaved pass, which knows no ``separate``, takes the best of its own.
        dx, dw: which gradients are wanted.
    """
    return [
        plan
        for member in find(schedule).members
        for plan in _gradients(member, order if can_run(member, order) else "best", dx=dx, dw=dw)
    ]


def _gradients(schedule: Schedule, order: str, *, dx: bool, dw: bool) -> list[Plan]:
    """Those of a schedule that is no choice among others."""
    choices = schedule.alternatives(dx=dx, dw=dw)
    results = gradients(choices)
    if len(results) < 2:
        return [(_part(results, ("separate",), choices),)] if results else []
    found: list[Plan] = []
    if order in ("separate", "best") and can_run(schedule, "separate"):
        first, second = schedule.alternatives(dw=False), schedule.alternatives(dx=False)
        found.append((_part(("dx",), ("separate",), first), _part(("dw",), ("separate",), second)))
    fused = FUSED if order == "best" else (order,) if order in FUSED else ()
    if fused:
        found.append((_part(results, fused, choices),))
    return found


def _part(results: tuple[Result, ...], orders: Sequence[str], choices: tuple[Choice, ...]) -> Part:
    return Part(results, tuple(nests for order in orders for nests in families(results, order)), choices)


class Candidate(NamedTuple):
    """What one block offers to G arrays, whatever the memory and the bandwidth.

    Args:
        compute: clock cycles of the array, [G].
        needed_bytes, moved_bytes: of each of N nests, in the scratchpad and to and from DRAM: [N, G].
    """

    compute: Integer
    needed_bytes: Any
    moved_bytes: Any


def candidate(part: Part, shapes: Shapes, own: Sizes, array: Array, precision: Precision) -> Candidate:
    """One block, of lengths ``own``, in JAX arrays.

    Nests are made of the same few terms: each is computed once, and nests look up theirs.
    """
    nests = [nest for (nest,) in part.nests]
    operands, results = nests[0].operands, nests[0].results

    def total(size: Callable[[Nest, str], Integer], names: Sequence[str], kind: Callable[[Nest, str], Any]) -> Any:
        def of(name: str) -> Any:
            return _looked_up(nests, lambda nest: size(nest, name), lambda nest: kind(nest, name))

        return sum(map(of, names))

    def inside(nest: Nest, name: str) -> Integer:
        return _inside_bytes(nest, name, shapes, own, precision)

    def read(nest: Nest, name: str) -> Integer:
        return precision.bytes(name, shapes.words[name] * visits(nest, name, shapes.sizes, own))

    def written(nest: Nest) -> Integer:
        moved = traffic(nest, shapes.sizes, own, shapes.words)
        sums = (Key(DRAM, "psum", READS), Key(DRAM, "psum", WRITES))
        return dram_bytes(
            {key: moved[key] for key in (*sums, *(Key(DRAM, name, WRITES) for name in results))}, precision
        )

    again = _looked_up(nests, written, lambda nest: tuple(_again(nest, name) for name in results))
    return Candidate(
        Alternatives(part.choices).cycles(shapes.sizes, own, array),
        total(inside, nests[0].tensors, _kept),
        total(read, operands, _again) + again,
    )


def packed(part: Part, offer: Candidate) -> Any:
    """Bytes moved and the number of the nest in one number, [N, G]: the least one is the nest that moves least."""
    return (offer.moved_bytes << NEST_BITS) + np.arange(len(part.nests)).reshape(
        -1, *(1,) * (offer.moved_bytes.ndim - 1)
    )


def _inside_bytes(nest: Nest, name: str, shapes: Shapes, own: Sizes, precision: Precision) -> Integer:
    words = shapes.share(name, resident(nest, name, shapes.sizes, own))
    return precision.bytes("psum" if name in nest.results else name, words)


def _looked_up(nests: Sequence[Nest], term: Callable[[Nest], Integer], kind: Callable[[Nest], Any]) -> Any:
    """A term of each nest, [N, G], where nests of one kind have the same."""
    kinds = {kind(nest): nest for nest in nests}
    terms = together([term(nest) for nest in kinds.values()])
    numbers = {each: index for index, each in enumerate(kinds)}
    return terms[np.array([numbers[kind(nest)] for nest in nests])]


def _kept(nest: Nest, tensor: str) -> frozenset[str]:
    """What decides how much of a tensor is resident."""
    return frozenset(nest.inner(tensor)) & frozenset(AXES[tensor]) if tensor in nest.held else frozenset()


def _again(nest: Nest, tensor: str) -> frozenset[str]:
    """What decides how often a tensor moves."""
    return frozenset() if tensor in nest.held else frozenset(nest.inner(tensor))


def exposed_cycles(part: Part, shapes: Shapes, own: Sizes, storage: Storage, precision: Precision) -> Integer:
    """Cycles in which transfers cannot overlap with work; 0 where none can, and all of them count as transfers."""
    return transfers.exposed_cycles(part.nests[0], shapes, own, storage, precision)


def time(compute: Integer, exposed: Integer, moved: Integer, storage: Storage) -> Integer:
    """A run's time in units of ``1 / storage.of_bytes`` cycles, not rounded up; no division."""
    if not storage.double_buffered:
        return compute * storage.of_bytes + moved * storage.cycles
    busy, transfers = (compute + exposed) * storage.of_bytes, moved * storage.cycles
    return where(busy > transfers, busy, transfers)


def counts(
    part: Part, found: Found, shapes: Shapes, array: Array, storage: Storage, precision: Precision
) -> dict[Key, Integer]:
    """All counters of a run, as ``hierarchy.counts`` has them."""
    own = block(shapes.sizes, found.splits, array)
    total: dict[Key, Integer] = {}
    for options in part.choices:
        best, *others = (blocks.counts([mapping], shapes.sizes, own, array) for mapping in options)
        for other in others:
            faster = other[CYCLES] < best[CYCLES]
            best = {key: where(faster, other.get(key, 0), best.get(key, 0)) for key in {**best, **other}}
        for key, value in best.items():
            total[key] = total.get(key, 0) + value
    words: dict[Key, Integer] = {}
    # Which nests move a result equally often, and an operand: only these are told apart.
    for names in (*((name,) for name in part.nests[0][0].operands), part.results):
        kind_of = [tuple(_again(nest, name) for name in names) for (nest,) in part.nests]
        kinds = list(dict.fromkeys(kind_of))
        kind = _entry([kinds.index(each) for each in kind_of], found.nest)
        for index, each in enumerate(kinds):
            (nest,) = part.nests[kind_of.index(each)]
            for key, value in traffic(nest, shapes.sizes, own, shapes.words).items():
                if key.tensor in names or (key.tensor == "psum" and names == part.results):
                    words[key] = words.get(key, 0) + where(kind == index, value, 0)
    total |= words
    moved = dram_bytes(words, precision)
    total[STALLS] = stall_cycles(total[CYCLES], moved, part.nests[0], shapes, own, storage, precision)
    return total


def needed(part: Part, nest: Integer, shapes: Shapes, own: Sizes, precision: Precision) -> Integer:
    """Bytes that a run of the nest of that number takes in the scratchpad at a time, in blocks of lengths ``own``."""
    total = 0
    for name in part.nests[0][0].tensors:
        kinds = {_kept(each, name): each for (each,) in part.nests}
        kind = _entry([list(kinds).index(_kept(each, name)) for (each,) in part.nests], nest)
        for index, each in enumerate(kinds.values()):
            total = total + where(kind == index, _inside_bytes(each, name, shapes, own, precision), 0)
    return total


def _entry(table: Sequence[int], index: Integer) -> Integer:
    return table[index] if isinstance(index, int) else lookup(table, index)


def tried(
    choices: Sequence[Plan], shapes: Shapes, arrays: Array, usable_bytes: np.ndarray, precision: Precision
) -> tuple[np.ndarray, np.ndarray]:
    """For each layer the splits to try, [layers, most, 3], and how many of them; those that fit nowhere left out.

    Args:
        choices: plans.
        shapes: of the layers.
        arrays: all of them.
        usable_bytes: of the scratchpads.
        precision: number formats.
    """
    rows, cols = np.asarray(arrays.rows), np.asarray(arrays.cols)
    parts = [part for plan in choices for part in plan]
    lists: list[np.ndarray] = []
    for b, k, n, x_words in zip(*shapes.numbers, strict=True):
        one = Shapes(int(b), int(k), int(n), int(x_words))
        tiles = {"b": one.b, "k": ceil_div(one.k, int(cols.min())), "n": ceil_div(one.n, int(rows.min()))}
        every = np.array(list(all_splits(tiles)), np.int64)
        own = block(one.sizes, Splits(*every.T[:, :, None]), arrays)
        needed = [needed_bytes(part.nests[0], one, own, precision) for part in parts]
        least = np.min([np.min(sum(each.values()), 1) for each in needed], 0)
        # A block that is too large without any tensor held is too large for all nests.
        fitting = every[least <= np.max(usable_bytes)]
        lists.append(fitting if len(fitting) else every[-1:])
    most = 64 * -(-max(map(len, lists)) // 64)
    return np.stack([np.resize(own, (most, 3)) for own in lists]), np.array(list(map(len, lists)))
