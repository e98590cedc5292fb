"""Scratchpad and DRAM: what fits, how many bytes move, and how long the array waits for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from typing import NamedTuple

from jaxgrad.array.counts import DRAM, READS, Counts, Key
from jaxgrad.array.mapping import AXES
from jaxgrad.base.arithmetic import Integer, ceil_div, exact, last_block, maximum, minimum, where
from jaxgrad.base.whole import gcd
from jaxgrad.costs.alternating import words_shared
from jaxgrad.costs.nests import Nest, Sizes, resident, traffic, trips, visits
from jaxgrad.hardware import Memory, PerOperand, Precision


class Shapes(NamedTuple):
    """Layers' GEMMs, one or an array of them.

    Args:
        b, k, n: their sizes.
        x_words: elements of X as DRAM holds it; fewer than ``b k`` where a convolution's patches overlap.
        x_share: x_words over ``b k`` as another fraction, if any: in lowest terms, for products of fewer digits.
    """

    b: Integer
    k: Integer
    n: Integer
    x_words: Integer
    x_share: tuple[Integer, Integer] | None = None

    @property
    def numbers(self) -> tuple[Integer, Integer, Integer, Integer]:
        """All but ``x_share``, which follows from them."""
        return self.b, self.k, self.n, self.x_words

    def each(self, function: Callable[[Integer], Integer]) -> Shapes:
        """What ``function`` makes of every number."""
        share = self.x_share and (function(self.x_share[0]), function(self.x_share[1]))
        b, k, n, x_words = map(function, self.numbers)
        return Shapes(b, k, n, x_words, share)

    @classmethod
    def of(cls, layers: Iterable[Sequence[int]]) -> Shapes:
        """Many layers, (b, k, n, x_words) of each, as arrays that cannot overflow (``arithmetic.exact``)."""
        b, k, n, x_words = (exact(column) for column in zip(*layers, strict=True))
        return cls(b, k, n, x_words)

    def reduced(self) -> Shapes:
        """The same, of arrays, their ``x_share`` in lowest terms."""
        patches = exact(self.b) * self.k
        common = gcd(exact(self.x_words), patches)
        return self._replace(x_share=(self.x_words // common, patches // common))

    @property
    def sizes(self) -> Sizes:
        return {"b": self.b, "k": self.k, "n": self.n}

    @property
    def words(self) -> dict[str, Integer]:
        """Size of each tensor in words."""
        sizes = self.sizes
        words = {name: sizes[axes[0]] * sizes[axes[1]] for name, axes in AXES.items()}
        return words | {"x": self.x_words, "dx": self.x_words}

    def share(self, tensor: str, words: Integer) -> Integer:
        """So many elements of a tensor's matrix, in words as memory holds them."""
        if tensor not in ("x", "dx"):
            return words
        some, of = self.x_share or (self.x_words, self.b * self.k)
        return ceil_div(words * some, of)

    def part(self, sizes: Sizes) -> Shapes:
        """A part of the layer, whose X has as large a share of its patches."""
        b, k, n = (sizes[axis] for axis in "bkn")
        return Shapes(b, k, n, self.share("x", b * k), self.x_share or (self.x_words, self.b * self.k))


class Storage(NamedTuple):
    """What ``Memory`` says, in the numbers that costs are made of; each may be an array.

    Args:
        usable_bytes: what one set of blocks may take; by part, or of all.
        cycles, of_bytes: DRAM moves ``of_bytes`` bytes in ``cycles`` clock cycles.
        double_buffered: whether transfers overlap with work.
        width_bytes: of an access to the memory outside; 0 where that has no width (see ``widths``).
    """

    usable_bytes: Integer | Mapping[str, Integer]
    cycles: Integer
    of_bytes: Integer
    double_buffered: bool = True
    width_bytes: int = 0

    @classmethod
    def of(cls, memory: Memory) -> Storage:
        halves = 2 if memory.double_buffered else 1
        size = memory.sram_bytes
        usable = (
            {part.name: getattr(size, part.name) // halves for part in fields(size)}
            if isinstance(size, PerOperand)
            else size // halves
        )
        rate = memory.cycles_per_byte
        return cls(usable, rate.numerator, rate.denominator, memory.double_buffered)

    def transfer_cycles(self, size_bytes: Integer) -> Integer:
        return ceil_div(size_bytes * self.cycles, self.of_bytes)

    def spare_bytes(self, needed: Mapping[str, Integer]) -> Integer:
        """What is left, in a divided scratchpad in dY's part; negative where the blocks do not fit."""
        if not isinstance(self.usable_bytes, Mapping):
            return self.usable_bytes - sum(needed.values())
        left = {part: self.usable_bytes[part] - size for part, size in needed.items()}
        least = minimum(*left.values())
        return where(least < 0, least, left.get("dy", least))


def needed_bytes(nests: Sequence[Nest], shapes: Shapes, block: Sizes, precision: Precision) -> dict[str, Integer]:
    """What must be in the scratchpad at a time, by its parts; results as wide as the accumulators."""
    needed: dict[str, Integer] = {}
    for nest in nests:
        for name in nest.tensors:
            words = shapes.share(name, resident(nest, name, shapes.sizes, block))
            size = precision.bytes("psum" if name in nest.results else name, words)
            part = "dx" if name == "y" else name
            needed[part] = needed.get(part, 0) + size
    return needed


def dram_words(
    nests: Sequence[Nest], shapes: Shapes, block: Sizes, precision: Precision, spare_bytes: Integer
) -> dict[Key, Integer]:
    """Words to and from DRAM; of two nests whose block operations alternate, dY's less what they share.

    Args:
        nests: one, or those of dX and of dW.
        shapes, block, precision: what is computed, in which pieces and formats.
        spare_bytes: what the scratchpad has left to keep blocks of dY for their second use.
    """
    moved: dict[Key, Integer] = {}
    for nest in nests:
        for key, words in traffic(nest, shapes.sizes, block, shapes.words).items():
            moved[key] = moved.get(key, 0) + words
    if len(nests) > 1:
        reads = Key(DRAM, "dy", READS)
        shared = shared_words(shapes, block, precision, spare_bytes)
        moved[reads] = moved[reads] - shared * visits(nests[0], "dy", shapes.sizes, block)
    return moved


def shared_words(shapes: Shapes, block: Sizes, precision: Precision, spare_bytes: Integer) -> Integer:
    """Words of dY that two alternating nests read once, each time that dX visits them; see ``alternating``."""
    window = window_steps(block, precision, spare_bytes)
    return words_shared((shapes.b, shapes.n), (block["b"], block["n"]), window)


def window_steps(block: Sizes, precision: Precision, spare_bytes: Integer) -> Integer:
    """Steps for which a block of dY may stay for its second use."""
    # Each step brings one block of dY for dX and one for dW.
    pair_bytes = 2 * precision.bytes("dy", block["b"] * block["n"])
    return maximum(spare_bytes, 0) // pair_bytes


def dram_bytes(counts: Counts, precision: Precision) -> Integer:
    """Bytes to and from DRAM among some counts; the vector unit works on activations."""
    return sum(
        precision.bytes("x" if key.tensor == "vector" else key.tensor, words)
        for key, words in counts.items()
        if key.level == DRAM
    )


def stall_cycles(
    compute: Integer,
    moved_bytes: Integer,
    nests: Sequence[Nest],
    shapes: Shapes,
    block: Sizes,
    storage: Storage,
    precision: Precision,
) -> Integer:
    """Cycles in which the array waits for DRAM: ``waiting_cycles`` and ``exposed_cycles`` together."""
    exposed = exposed_cycles(nests, shapes, block, storage, precision)
    return waiting_cycles(compute, moved_bytes, exposed, storage)


def waiting_cycles(compute: Integer, moved_bytes: Integer, exposed: Integer, storage: Storage) -> Integer:
    """Cycles in which the array waits for DRAM.

    Double-buffered, transfers overlap with work as well as they can: the array waits for its first operands, and at
    the end for its last results to leave, and where DRAM takes longer than all that, for DRAM. This is a lower bound:
    transfers are taken to be spread evenly enough. Without double buffering nothing overlaps.
    """
    transfers = storage.transfer_cycles(moved_bytes)
    return maximum(exposed, transfers - compute) if storage.double_buffered else transfers


def exposed_cycles(
    nests: Sequence[Nest], shapes: Shapes, block: Sizes, storage: Storage, precision: Precision
) -> Integer:
    """Cycles in which transfers cannot overlap with work, whatever the nests' loops; 0 where none can."""
    if not storage.double_buffered:
        return 0
    loops = trips(shapes.sizes, block)
    edge = {axis: last_block(shapes.sizes[axis], block[axis], loops[axis]) for axis in "bkn"}
    first = last = 0
    # Two nests begin with the same block of dY.
    for name in dict.fromkeys(name for nest in nests for name in nest.operands):
        first = first + block_bytes(name, shapes, block, precision, storage.width_bytes)
    for name in (name for nest in nests for name in nest.results):
        last = last + block_bytes(name, shapes, edge, precision, storage.width_bytes)
    return storage.transfer_cycles(first) + storage.transfer_cycles(last)


def block_bytes(tensor: str, shapes: Shapes, block: Sizes, precision: Precision, width_bytes: int) -> Integer:
    """What a block takes on its way; of a memory that has a width whole accesses for each of its rows."""
    first, second = AXES[tensor]
    if width_bytes:
        row = row_accesses(tensor, tensor, shapes, block[second], precision, width_bytes)
        return block[first] * row * width_bytes
    return precision.bytes(tensor, shapes.share(tensor, block[first] * block[second]))


def row_accesses(
    tensor: str, stored: str, shapes: Shapes, length: Integer, precision: Precision, width_bytes: int
) -> Integer:
    """Accesses of a width that a row of so many elements takes, in the format of ``stored``."""
    return ceil_div(precision.bytes(stored, shapes.share(tensor, length)), width_bytes)
