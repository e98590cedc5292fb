"""The register engines by a kernel: what ``passes.serial.run`` and ``passes.overlapped.run`` give, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Num

from jaxgrad.array.kernel import compiled
from jaxgrad.array.kernel.cell import cell_of, is_rounded, loads_beside
from jaxgrad.array.kernel.source import WORDS, source
from jaxgrad.array.passes import overlapped, serial
from jaxgrad.array.passes.base import Pass, height
from jaxgrad.array.passes.edges import pad_to
from jaxgrad.array.passes.events import Events
from jaxgrad.array.passes.tallies import as_events, no_tallies
from jaxgrad.array.passes.timeline import Order, Timeline, timeline
from jaxgrad.array.wide import Wide
from jaxgrad.base.arithmetic import ceil_div
from jaxgrad.base.errors import InputError

Outcome = tuple[tuple[Array, ...], Events]


class Engine(NamedTuple):
    """A pass on the registers.

    Args:
        pass_: with shadow registers, if ``shadows``.
        order: of its slots.
        shadows: whether tiles overlap through shadow registers.
        coupled: whether, without, one tile's cycles depend on another's.
    """

    pass_: Pass
    order: Order
    shadows: bool
    coupled: bool

    def scan(self, h: Num[Array, "s p"], operands: tuple[Array, ...], rows: int, cols: int) -> Outcome:
        """By ``lax.scan``: the golden model."""
        if self.shadows or self.coupled:
            return overlapped.run(self.pass_, h, operands, rows, cols, self.order, shadows=self.shadows)
        return serial.run(self.pass_, h, operands, rows, cols)

    def kernel(self, dtype: str) -> str | None:
        """The FFI target that does the same on words of a type; None where there can't be one."""
        if dtype not in WORDS or (self.coupled and not self.shadows):
            return None
        try:
            cell = cell_of(self.pass_, dtype)
        except InputError:  # something that no gate does
            return None
        if cell is None or (self.shadows and not loads_beside(cell)):
            return None
        if jnp.issubdtype(dtype, jnp.floating) and not is_rounded(cell):
            return None
        stride = 1 if self.order == "in turn" else len(cell.keeps)
        text = source(cell, dtype, "overlapped" if self.shadows else "serial", stride)
        return compiled.target_of(text, lambda target: self._is_right(target, dtype))

    def by(self, target: str) -> Callable[..., Outcome]:
        """The same as ``scan``, by a kernel."""

        def run(h: Num[Array, "s p"], operands: tuple[Array, ...], rows: int, cols: int) -> Outcome:
            keeps, (s, p), widths = self.pass_.keeps, h.shape, [operand.shape[1] for operand in operands]
            n_p, n_q = ceil_div(p, rows), ceil_div(max(widths), cols)
            padded = [
                pad_to(each, height(kept, s, n_p * rows), n_q * cols)
                for kept, each in zip(keeps, operands, strict=True)
            ]
            ends = [(s, q) if kept == "operand" else (p, q) for kept, q in zip(keeps, widths, strict=True)]
            sizes = [(s if kept == "operand" else n_p * rows, n_q * cols) for kept in keeps]
            counts = no_tallies(self.pass_).low.shape[0]
            call = jax.ffi.ffi_call(
                target,
                [
                    *(jax.ShapeDtypeStruct(size, h.dtype) for size in sizes),
                    jax.ShapeDtypeStruct((counts, 2), jnp.uint32),
                ],
                vmap_method="sequential",
            )
            numbers = self._numbers((s, p), widths, rows, cols)
            *results, tallies = call(pad_to(h, s, n_p * rows), *padded, numbers=np.asarray(numbers, np.int64))
            cut = tuple(result[:first, :second] for result, (first, second) in zip(results, ends, strict=True))
            return cut, as_events(self.pass_, Wide(tallies[:, 0], tallies[:, 1]))

        return run

    def pe_cycles(self, sizes: tuple[int, int], widths: list[int], rows: int, cols: int) -> int:
        """Cycles of all PEs, of a run with these sizes of ``h`` and columns of the operands."""
        return self._timeline(sizes, widths, rows, cols).cycles * rows * cols

    def _timeline(self, sizes: tuple[int, int], widths: list[int], rows: int, cols: int) -> Timeline:
        (s, p), q = sizes, max(widths)
        tiles = ceil_div(p, rows), ceil_div(q, cols)
        return timeline(self.pass_.keeps, self.order, s, tiles, rows, cols, shadows=self.shadows)

    def _numbers(self, sizes: tuple[int, int], widths: list[int], rows: int, cols: int) -> list[int]:
        """Sizes and times in the order in which the kernel reads them (``templates/engine.h``)."""
        when = self._timeline(sizes, widths, rows, cols)
        numbers = [rows, cols, *sizes, when.period, when.cycles]
        for width, slot in zip(widths, when.slots, strict=True):
            numbers += [width, slot.start, slot.offset, slot.load, slot.drain]
        return numbers

    def _is_right(self, target: str, dtype: str) -> bool:
        """Whether a kernel gives the scan's bits and counts.

        Of several tiles each way, more columns than a vector has lanes, more streamed rows than are taken at once.
        """
        rng = np.random.default_rng(0)
        s, p, q, rows, cols = 27, 7, 40, 3, 18

        def draw(*size: int) -> np.ndarray:
            words = rng.integers(-(1 << 31), 1 << 31, size) if dtype == "int32" else rng.standard_normal(size)
            return np.where(rng.random(size) < 0.2, 0, words).astype(dtype)

        operands = tuple(draw(p if kept == "operand" else s, q) for kept in self.pass_.keeps)
        arguments = (draw(s, p), operands)
        ways = (self.scan, self.by(target))
        with jax.ensure_compile_time_eval():
            found = [
                jax.jit(lambda h, operands, way=way: way(h, operands, rows, cols))
                .lower(*arguments)
                .compile()(*arguments)
                for way in ways
            ]
        return all(
            np.asarray(one).tobytes() == np.asarray(other).tobytes()
            for one, other in zip(*map(jax.tree.leaves, found), strict=True)
        )
