"""``lax.ragged_dot`` on the array: the rows of x fall into groups, each with weights of its own.

How many rows a group has is data. A group is a GEMM of as many rows, one after another; one without rows is none. So
what it takes is looked up, for each group, in the closed forms for every number of rows that there could be. Where the
schedule is a choice (``auto``), it is made for groups of equal size, before their sizes are known.

At tile and register fidelity every group's GEMM is computed on all rows, those of the others zero, which changes no
result of its own; what is counted is the closed form's at every fidelity. An engine is compiled for the rows it gets,
and that of a group would have to be chosen among as many as the product has rows, each compiled for every product. Its
events say no more: for each number of rows they are what the closed form has, which is held by a test.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Int, Num, UInt32

from jaxgrad.array import emulation as core
from jaxgrad.array import layers, wide
from jaxgrad.array.counters import Counters
from jaxgrad.array.counts import KEYS
from jaxgrad.array.emulation import Emulation
from jaxgrad.array.gemm import Gemm
from jaxgrad.array.manual_axes import varied, vary_alike
from jaxgrad.array.mapping import Mapping
from jaxgrad.array.operands import accumulator
from jaxgrad.array.rounding import rounded
from jaxgrad.array.wide import Wide
from jaxgrad.base.arithmetic import exact

_Plain = Callable[..., Array]


@dataclass(frozen=True)
class Ragged:
    """A product of m rows in groups.

    Args:
        rows: m, all groups together.
        in_features, out_features: of each group's weights.
        groups: how many.
        emulation: on what, and how.
    """

    rows: int
    in_features: int
    out_features: int
    groups: int
    emulation: Emulation

    def forward(
        self, x: Num[Array, "m k"], w: Num[Array, "g k n"], sizes: Int[Array, " g"], plain: _Plain
    ) -> tuple[Num[Array, "m n"], Counters]:
        """The product, and what it took.

        Args:
            x, w, sizes: the operands, and the groups' rows.
            plain: the product of x and w as XLA does it.
        """
        x, w, sizes = vary_alike(*self._rounded(x=x, w=w), sizes)
        member = self._members(sizes)
        if self.emulation.fidelity == "native":
            y = plain(x, w)
        else:
            out = jax.eval_shape(plain, x, w).dtype
            dtype = accumulator(x.dtype, w.dtype, out)

            def group(y: Array, operands: tuple[Array, Array]) -> tuple[Array, None]:
                rows, weights = operands
                part, _ = core.product(_only(rows, x.astype(dtype)), weights.astype(dtype), self._array)
                return jnp.where(rows[:, None], part, y), None

            start = varied(jnp.zeros((self.rows, self.out_features), dtype), x)
            y = lax.scan(group, start, (member, w))[0].astype(out)
        effectual = wide.dot(self._nonzero_by_group(member, x), wide.count_nonzero(w, 2))
        mappings = (self.emulation.forward.mapping,)
        return rounded("y", y, self.emulation.precision), self._counters(member, mappings, effectual)

    def backward(
        self,
        x: Num[Array, "m k"],
        w: Num[Array, "g k n"],
        dy: Num[Array, "m n"],
        sizes: Int[Array, " g"],
        plain_dx: _Plain | None,
        plain_dw: _Plain | None,
    ) -> tuple[Array | None, Array | None, Counters]:
        """The gradients that are wanted, by the emulation's schedule, and what they took.

        Args:
            x, w: the operands; anything, of one that no gradient is made of, x for dX and w for dW.
            dy, sizes: the cotangent, and the groups' rows.
            plain_dx, plain_dw: dX of dY and w, and dW of x and dY, as XLA does it; None where it is not wanted.
        """
        dx, dw = plain_dx is not None, plain_dw is not None
        x, w, dy, sizes = vary_alike(*self._rounded(x=x, w=w, dy=dy), sizes)
        member = self._members(sizes)
        if self.emulation.fidelity == "native":
            of_x = None if plain_dx is None else plain_dx(dy, w)
            of_w = None if plain_dw is None else plain_dw(x, dy)
        else:
            of_x, of_w = self._gradients(member, x, w, dy, dx=dx, dw=dw)
        effectual = wide.of(0)
        if dx:
            met = wide.dot(self._nonzero_by_group(member, dy), wide.count_nonzero(w, 1))
            effectual = wide.add(effectual, met)
        if dw:
            live = wide.count_nonzero(x, 1) * member.any(0)
            effectual = wide.add(effectual, wide.dot(live, wide.count_nonzero(dy, 1)))
        even = Gemm(-(-self.rows // self.groups), self.in_features, self.out_features)
        mappings = core.backward_mappings(even, self.emulation, dx=dx, dw=dw)
        precision = self.emulation.precision
        return (
            None if of_x is None else rounded("dx", of_x, precision),
            None if of_w is None else rounded("dw", of_w, precision),
            self._counters(member, mappings, effectual),
        )

    def _gradients(
        self, member: Array, x: Array, w: Array, dy: Array, *, dx: bool, dw: bool
    ) -> tuple[Array | None, Array | None]:
        dtype = accumulator(x.dtype, w.dtype, dy.dtype)
        x, w, dy = (operand.astype(dtype) for operand in (x, w, dy))

        def group(of_x: Array, operands: tuple[Array, Array]) -> tuple[Array, Array | None]:
            rows, weights = operands
            part, of_w, _ = core.backward(_only(rows, x), weights, _only(rows, dy), self._array, dx=dx, dw=dw)
            return of_x if part is None else jnp.where(rows[:, None], part, of_x), of_w

        of_x, of_w = lax.scan(group, varied(jnp.zeros_like(x), dy), (member, w))
        return of_x if dx else None, of_w

    @property
    def _array(self) -> Emulation:
        """One group's, whose operands are rounded already and whose weights are not updated there."""
        return replace(self.emulation, precision=None, weight_update="none")

    def _rounded(self, **operands: Array) -> list[Array]:
        return [rounded(name, values, self.emulation.precision) for name, values in operands.items()]

    def _members(self, sizes: Int[Array, " g"]) -> Array:
        """``[g, m]``: whether a row is of a group. Rows after the last group's are of none."""
        ends = jnp.cumsum(sizes)
        row = jnp.arange(self.rows)
        return (row >= (ends - sizes)[:, None]) & (row < ends[:, None])

    def _nonzero_by_group(self, member: Array, values: Num[Array, "m n"]) -> UInt32[Array, "g n"]:
        """How many elements of each column are other than zero, in each group's rows."""
        return jnp.where(member[:, :, None], wide.nonzero(values), False).sum(1, dtype=jnp.uint32)

    def _counters(self, member: Array, mappings: Sequence[Mapping], effectual: Wide) -> Counters:
        high, low = self._table(tuple(mappings))
        rows = member.sum(1)
        return Counters(jnp.asarray(high)[rows], jnp.asarray(low)[rows]).sum().with_effectual(effectual)

    def _table(self, mappings: tuple[Mapping, ...]) -> tuple[np.ndarray, np.ndarray]:
        """What a group of 0, 1, 2, ... rows takes, in two words a count."""
        gemm = Gemm(self.rows, self.in_features, self.out_features)
        core.check_countable(gemm, self.emulation.array, mappings)
        sizes: dict[str, Any] = gemm.sizes | {"b": exact(np.arange(1, self.rows + 1))}
        counts = layers.counts(mappings, sizes, self.emulation.array)
        for key, number in core.update(gemm, self.emulation, mappings).items():
            counts[key] = counts.get(key, 0) + number
        words = np.zeros((2, self.rows + 1, len(KEYS)), np.uint32)
        for key, numbers in counts.items():
            column = KEYS.index(key)
            of_rows = np.broadcast_to(np.asarray(getattr(numbers, "values", numbers), np.uint64), (self.rows,))
            words[0, 1:, column], words[1, 1:, column] = of_rows >> 32, of_rows & 0xFFFFFFFF
        return words[0], words[1]


def _only(rows: Array, values: Num[Array, "m n"]) -> Num[Array, "m n"]:
    return jnp.where(rows[:, None], values, 0)
