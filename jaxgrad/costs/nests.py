"""What a loop nest over blocks moves between DRAM and the scratchpad, in closed form.

A layer too large for the scratchpad is cut into blocks along its axes b, k and n, and three loops visit them. In each
innermost iteration the array computes one or two products of a block (dX and dW together share their block of dY).
A tensor has two of the three axes. Along its third axis it is used again:

- where that loop is the innermost one, its block stays in the scratchpad meanwhile;
- else the loops inside would push it out, unless it is *held*: the scratchpad keeps all of it that those loops visit;
- else it moves once for each iteration of that loop: an operand is read again, a partial sum is written (spilled) and
  read back.

Blocks are not the array's tiles: a block is cut into tiles once more, by ``closed_form``.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from jaxgrad.array.counts import DRAM, READS, WRITES, Key
from jaxgrad.array.mapping import AXES, OPERANDS, Result
from jaxgrad.base.arithmetic import Integer, ceil_div, minimum

LOOPS: tuple[str, ...] = tuple("".join(order) for order in itertools.permutations("bkn"))
Sizes = Mapping[str, Integer]
"""Lengths of the axes b, k and n."""


class Nest(NamedTuple):
    """Products computed together, block by block.

    Args:
        results: what is computed: ``("y",)``, ``("dx",)``, ``("dw",)`` or ``("dx", "dw")``.
        loops: the axes of the loops, the outermost first.
        held: tensors that the scratchpad keeps across the loops inside their reuse.
    """

    results: tuple[Result, ...]
    loops: str
    held: frozenset[str] = frozenset()

    @property
    def operands(self) -> tuple[str, ...]:
        """Each once, the shared one too."""
        return tuple(dict.fromkeys(name for result in self.results for name in OPERANDS[result]))

    @property
    def tensors(self) -> tuple[str, ...]:
        return self.operands + self.results

    def inner(self, tensor: str) -> str:
        """The loops inside that of the axis which ``tensor`` lacks."""
        return self.loops[self.loops.index(reused_along(tensor)) + 1 :]


def reused_along(tensor: str) -> str:
    """The axis that a tensor lacks: along it an operand is used again, or a sum accumulates."""
    (axis,) = set("bkn") - set(AXES[tensor])
    return axis


def holdings(results: tuple[Result, ...], loops: str) -> Iterator[Nest]:
    """A nest for each choice of what to hold."""
    bare = Nest(results, loops)
    worth = [name for name in bare.tensors if bare.inner(name)]
    for count in range(len(worth) + 1):
        for held in itertools.combinations(worth, count):
            yield bare._replace(held=frozenset(held))


def trips(sizes: Sizes, block: Sizes) -> dict[str, Integer]:
    """Iterations of each loop."""
    return {axis: ceil_div(sizes[axis], block[axis]) for axis in "bkn"}


def visits(nest: Nest, tensor: str, sizes: Sizes, block: Sizes) -> Integer:
    """How often each word of a tensor comes into the scratchpad."""
    return _visits(nest, tensor, trips(sizes, block))


def _visits(nest: Nest, tensor: str, loops: Sizes) -> Integer:
    inner = nest.inner(tensor)
    if not inner or tensor in nest.held:
        return 1
    inside = 1
    for axis in inner:
        inside = inside * loops[axis]
    # Loops of one iteration push nothing out.
    return 1 + (loops[reused_along(tensor)] - 1) * minimum(inside - 1, 1)


def traffic(nest: Nest, sizes: Sizes, block: Sizes, words: Mapping[str, Integer]) -> dict[Key, Integer]:
    """Words read from and written to DRAM, by tensor.

    Partial sums that are spilled are ``psum``; a result that is complete has its own name.

    Args:
        nest: what is computed, in which order.
        sizes: of the layer.
        block: of one block; at most those of the layer.
        words: size of each tensor in words.
    """
    moved: dict[Key, Integer] = {}
    loops = trips(sizes, block)
    for name in nest.operands:
        moved[Key(DRAM, name, READS)] = words[name] * _visits(nest, name, loops)
    spilled = 0
    for name in nest.results:
        moved[Key(DRAM, name, WRITES)] = words[name]
        spilled = spilled + words[name] * (_visits(nest, name, loops) - 1)
    return moved | {Key(DRAM, "psum", READS): spilled, Key(DRAM, "psum", WRITES): spilled}


def resident(nest: Nest, tensor: str, sizes: Sizes, block: Sizes) -> Integer:
    """Words of a tensor in the scratchpad at a time: a block, or what is held of it."""
    kept = nest.inner(tensor) if tensor in nest.held else ""
    words = 1
    for axis in AXES[tensor]:
        words = words * (sizes[axis] if axis in kept else block[axis])
    return words
