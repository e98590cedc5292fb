"""What one plan costs on many machines: the costs' formulas, each term computed once for all nests that share it.

Written for any number system of ``base.arithmetic``: whole numbers under jit, intervals, reals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxgrad.array.closed_form import Array
from jaxgrad.array.counts import CYCLES, DRAM, READS, STALLS, WRITES, Key
from jaxgrad.array.mapping import AXES
from jaxgrad.base.arithmetic import Integer, lookup, together, where
from jaxgrad.costs import blocks
from jaxgrad.costs.nests import Nest, Sizes, resident, traffic, visits
from jaxgrad.costs.search import Alternatives
from jaxgrad.costs.transfers import Shapes, Storage, dram_bytes, dram_words, shared_words, stall_cycles
from jaxgrad.designs.plans import Part
from jaxgrad.hardware import Precision


class Candidate(NamedTuple):
    """What a block offers.

    Args:
        compute: clock cycles of the array.
        needed_bytes, moved_bytes: of each of N nests, in the scratchpad and to and from DRAM, along a new first axis.
            Those of nests that alternate move less, by what the scratchpad has left: see ``alternating_bytes``.
    """

    compute: Integer
    needed_bytes: Any
    moved_bytes: Any


class _Term(NamedTuple):
    """What all nests have one of, and nests of one kind have the same of."""

    by_kind: Mapping[Any, Integer]
    kind: Callable[[Nest], Any]

    def listed(self, nests: Sequence[Nest]) -> list[Integer]:
        return [self.by_kind[self.kind(nest)] for nest in nests]

    def table(self, nests: Sequence[Nest]) -> Any:
        """Along a new first axis."""
        places = {kind: place for place, kind in enumerate(self.by_kind)}
        return together(list(self.by_kind.values()))[np.array([places[self.kind(nest)] for nest in nests])]


def candidate(part: Part, shapes: Shapes, block: Sizes, array: Array, precision: Precision) -> Candidate:
    """Blocks of these lengths, in arrays, whatever the memory and the bandwidth."""
    compute = Alternatives(part.choices).cycles(shapes.sizes, block, array)
    if part.alternates:
        return Candidate(compute, together(needed_by_nest(part, shapes, block, precision)), None)
    nests = [nest for (nest,) in part.nests]
    needed = sum(term.table(nests) for term in _inside(nests, shapes, block, precision))
    return Candidate(compute, needed, sum(term.table(nests) for term in _moved(nests, shapes, block, precision)))


def needed_by_nest(part: Part, shapes: Shapes, block: Sizes, precision: Precision) -> list[Integer]:
    """Bytes that each nest takes in the scratchpad at a time: the same numbers for those that are ``alike``."""
    total: list[Integer] = [0] * len(part.nests)
    for nests in zip(*part.nests, strict=True):
        for term in _inside(nests, shapes, block, precision):
            total = [before + more for before, more in zip(total, term.listed(nests), strict=True)]
    return total


def moved_by_nest(part: Part, shapes: Shapes, block: Sizes, precision: Precision) -> list[Integer]:
    """Bytes that each nest moves to and from DRAM; of nests that do not alternate."""
    nests = [nest for (nest,) in part.nests]
    terms = _moved(nests, shapes, block, precision)
    return [sum(summands) for summands in zip(*(term.listed(nests) for term in terms), strict=True)]


def alike(part: Part) -> list[list[int]]:
    """The numbers of the nests, those that need the same of the scratchpad together."""
    groups: dict[Any, list[int]] = {}
    for number, nests in enumerate(part.nests):
        needs = (*(_kept(nest, name) for nest in nests for name in nest.tensors), part.alternates and number)
        groups.setdefault(needs, []).append(number)
    return list(groups.values())


def alternating_bytes(
    part: Part, shapes: Shapes, block: Sizes, needed: Any, storage: Storage, precision: Precision
) -> list[Integer]:
    """Bytes that each of N pairs of nests moves, of which ``needed`` are in the scratchpad at a time."""
    return [
        dram_bytes(dram_words(nests, shapes, block, precision, storage.usable_bytes - needed[index]), precision)
        for index, nests in enumerate(part.nests)
    ]


def counts(
    part: Part, nest: Integer, block: Sizes, shapes: Shapes, array: Array, storage: Storage, precision: Precision
) -> dict[Key, Integer]:
    """All counters of a run, as ``hierarchy.counts`` has them.

    Args:
        part: what is computed.
        nest: the number of the nest among the part's.
        block: lengths of the blocks.
        shapes: of the layer.
        array, storage, precision: the hardware.
    """
    total: dict[Key, Integer] = {}
    for options in part.choices:
        best, *others = (blocks.counts([mapping], shapes.sizes, block, array) for mapping in options)
        for other in others:
            faster = _faster(other, best)
            best = {key: where(faster, other.get(key, 0), best.get(key, 0)) for key in {**best, **other}}
        for key, value in best.items():
            total[key] = total.get(key, 0) + value
    words: dict[Key, Integer] = {}
    for place, first in enumerate(part.nests[0]):
        options = [nests[place] for nests in part.nests]
        # Which nests move a result equally often, and an operand: only these are told apart.
        for names in (*((name,) for name in first.operands), first.results):
            moved = _by_kind(
                options,
                nest,
                lambda option, names=names: tuple(_again(option, name) for name in names),
                lambda option, names=names: {
                    key: value
                    for key, value in traffic(option, shapes.sizes, block, shapes.words).items()
                    if key.tensor in names or (key.tensor == "psum" and names == option.results)
                },
            )
            for key, value in moved.items():
                words[key] = words.get(key, 0) + value
    if part.alternates:
        spare = storage.usable_bytes - needed(part, nest, shapes, block, precision)
        shared = shared_words(shapes, block, precision, spare)
        reads = Key(DRAM, "dy", READS)
        again = _by_kind(
            [nests[0] for nests in part.nests],
            nest,
            lambda option: _again(option, "dy"),
            lambda option: {reads: visits(option, "dy", shapes.sizes, block)},
        )
        words[reads] = words[reads] - shared * again[reads]
    total |= words
    moved_bytes = dram_bytes(words, precision)
    total[STALLS] = stall_cycles(total[CYCLES], moved_bytes, part.nests[0], shapes, block, storage, precision)
    return total


def needed(part: Part, nest: Integer, shapes: Shapes, block: Sizes, precision: Precision) -> Integer:
    """Bytes that a run of the nest of that number takes in the scratchpad at a time."""
    total = 0
    for place, first in enumerate(part.nests[0]):
        options = [nests[place] for nests in part.nests]
        for name in first.tensors:
            inside = _by_kind(
                options,
                nest,
                lambda option, name=name: _kept(option, name),
                lambda option, name=name: {name: _inside_bytes(option, name, shapes, block, precision)},
            )
            total = total + inside[name]
    return total


def _faster(one: Mapping[Key, Integer], other: Mapping[Key, Integer]) -> Any:
    """Whether it takes fewer cycles, or as many and fewer accesses: as ``Alternatives.best`` chooses."""
    (cycles, accesses), (other_cycles, other_accesses) = map(Alternatives.spent, (one, other))
    return (cycles < other_cycles) | ((cycles == other_cycles) & (accesses < other_accesses))


def _inside_bytes(nest: Nest, name: str, shapes: Shapes, block: Sizes, precision: Precision) -> Integer:
    words = shapes.share(name, resident(nest, name, shapes.sizes, block))
    return precision.bytes("psum" if name in nest.results else name, words)


def _inside(nests: Sequence[Nest], shapes: Shapes, block: Sizes, precision: Precision) -> list[_Term]:
    """By tensor, its bytes in the scratchpad at a time."""

    def of(name: str) -> _Term:
        return _term(
            nests,
            lambda nest: _inside_bytes(nest, name, shapes, block, precision),
            lambda nest: _kept(nest, name),
        )

    return [of(name) for name in nests[0].tensors]


def _moved(nests: Sequence[Nest], shapes: Shapes, block: Sizes, precision: Precision) -> list[_Term]:
    """By operand, and of all results together, the bytes that move."""
    operands, results = nests[0].operands, nests[0].results

    def read(name: str) -> _Term:
        return _term(
            nests,
            lambda nest: precision.bytes(name, shapes.words[name] * visits(nest, name, shapes.sizes, block)),
            lambda nest: _again(nest, name),
        )

    def written(nest: Nest) -> Integer:
        moved = traffic(nest, shapes.sizes, block, shapes.words)
        sums = (Key(DRAM, "psum", READS), Key(DRAM, "psum", WRITES))
        return dram_bytes(
            {key: moved[key] for key in (*sums, *(Key(DRAM, name, WRITES) for name in results))}, precision
        )

    again = _term(nests, written, lambda nest: tuple(_again(nest, name) for name in results))
    return [*map(read, operands), again]


def _term(nests: Sequence[Nest], value: Callable[[Nest], Integer], kind: Callable[[Nest], Any]) -> _Term:
    examples = {kind(nest): nest for nest in nests}
    return _Term({name: value(nest) for name, nest in examples.items()}, kind)


def _by_kind(
    nests: Sequence[Nest],
    number: Integer,
    kind: Callable[[Nest], Any],
    terms: Callable[[Nest], Mapping[Any, Integer]],
) -> dict[Any, Integer]:
    """Terms of the nest of that number, where nests of one kind have the same."""
    kinds = {kind(nest): nest for nest in nests}
    places = [list(kinds).index(kind(nest)) for nest in nests]
    place = places[number] if isinstance(number, int) else lookup(places, number)
    total: dict[Any, Integer] = {}
    for index, nest in enumerate(kinds.values()):
        for key, value in terms(nest).items():
            total[key] = total.get(key, 0) + where(place == index, value, 0)
    return total


def _kept(nest: Nest, tensor: str) -> frozenset[str]:
    """What decides how much of a tensor is resident."""
    return frozenset(nest.inner(tensor)) & frozenset(AXES[tensor]) if tensor in nest.held else frozenset()


def _again(nest: Nest, tensor: str) -> frozenset[str]:
    """What decides how often a tensor moves."""
    return frozenset() if tensor in nest.held else frozenset(nest.inner(tensor))
