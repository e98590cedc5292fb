"""A layer's contraction on the array: what an estimator may run there, recorded and counted as it runs.

At native and tile fidelity the counts are the closed form's, which tile by tile counting equals, and the effectual MACs
are read off the operands as they are: im2col's copies of them are several times as large.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import UInt32

from jaxgrad.array.counters import Counters, total
from jaxgrad.array.counting import count, count_forward
from jaxgrad.array.emulation import Emulation
from jaxgrad.array.gemm import Gemm
from jaxgrad.array.layers import update
from jaxgrad.array.manual_axes import vary_alike
from jaxgrad.array.operands import accumulator
from jaxgrad.array.wide import Wide, add
from jaxgrad.autodiff import lowered
from jaxgrad.autodiff.contraction import Contraction
from jaxgrad.autodiff.dot_general import first_columns

Results: TypeAlias = tuple[Literal["y", "dx", "dw"], ...]
Live: TypeAlias = UInt32[Array, "..."]
"""The non-zeros in each row of an x."""
Operand: TypeAlias = Array | jax.ShapeDtypeStruct


class GemmRun(NamedTuple):
    """GEMMs of one size that run on the array together.

    Args:
        gemm: that of one group.
        groups: how many.
        results: ``("y",)``, or the gradients: ``("dx",)``, ``("dw",)``, or both, by the emulation's schedule.
        updates: whether its dW is that of the layer's weights, whose update is counted with it.
        columns: of how many columns of x, the first ones, its dW is; None for all.
    """

    gemm: Gemm
    groups: int
    results: Results
    updates: bool = False
    columns: int | None = None

    def count(self, emulation: Emulation) -> Counters:
        """What it takes in closed form, as for operands without zeros."""
        if self.results == ("y",):
            return count_forward(self.gemm, emulation.array, emulation.forward).times(self.groups)
        return count(
            self.gemm,
            emulation.array,
            emulation.schedule,
            weight_update=emulation.weight_update if self.updates else "none",
            objective=emulation.objective,
            dx="dx" in self.results,
            dw="dw" in self.results,
            columns=self.columns,
        ).times(self.groups)


def update_apart(runs: Sequence[GemmRun], contraction: Contraction, emulation: Emulation, *, dw: bool) -> Counters:
    """What the update of a layer's weights takes where no run has given their whole dW: it is put together beside the
    array, so the update is as ``separate`` has it."""
    if not dw or emulation.weight_update == "none" or any(run.updates for run in runs):
        return Counters.zero()
    return Counters.from_counts(update("separate", contraction.gemm.sizes, in_array=False)).times(contraction.groups)


@jax.tree_util.register_static
@dataclass(frozen=True)
class Wanted:
    """Facts that the forward pass learns and the backward pass needs.

    Args:
        lhs, rhs: the operands' shapes and types.
        dx, dw: which gradients are wanted.
        counts: whether anyone asks what they take.
    """

    lhs: jax.ShapeDtypeStruct
    rhs: jax.ShapeDtypeStruct
    dx: bool = False
    dw: bool = False
    counts: bool = False

    @classmethod
    def of(cls, lhs: Array, rhs: Array, *, dx: bool = False, dw: bool = False, counts: bool = False) -> Wanted:
        shapes = (jax.ShapeDtypeStruct(operand.shape, operand.dtype) for operand in (lhs, rhs))
        return cls(*shapes, dx=dx, dw=dw, counts=counts)


class Layer:
    """The array, as one pass of one layer has it. Its methods are for the rule's own trace: not for a scan or a vmap
    that an estimator makes.

    Args:
        contraction: the layer's own.
        emulation: on what, and how; operands and results stay as they are, whatever its ``precision``.
        wanted: of this layer; whether to count.
        parameters: of the layer's estimator, by name.

    Attributes:
        contraction: the layer's own.
        lhs, rhs: shapes and types of the layer's operands.
        dx, dw: which gradients are wanted.
        parameters: of the layer's estimator, by name; in the forward pass alone.
        cotangents: theirs, which the estimator puts here in the backward pass.
        runs: what has run, in order.
    """

    def __init__(
        self,
        contraction: Contraction,
        emulation: Emulation,
        wanted: Wanted,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        self.contraction = contraction
        self.parameters, self.cotangents = parameters or {}, dict[str, Array]()
        self.lhs, self.rhs, self.dx, self.dw, self._counts = wanted.lhs, wanted.rhs, wanted.dx, wanted.dw, wanted.counts
        self.runs: list[GemmRun] = []
        self._emulation = replace(emulation, precision=None)
        self._spent: list[Counters] = []

    def product(self, contraction: Contraction, lhs: Array, rhs: Array) -> tuple[Array, Live | None]:
        """A product of the layer's contraction or another, and the non-zeros in each row of its x, for ``gradients``
        of that x; None where they are not known.

        The product of two codes, integers that stand for the layer's floats, is summed in int32; at native fidelity in
        floats, which hold it exactly to 2^24. It is returned in floats.
        """
        lhs, rhs = vary_alike(lhs, rhs)
        run, spent, live = GemmRun(contraction.gemm, contraction.groups, ("y",)), None, None
        if self._emulation.fidelity == "native":
            out = contraction.plain(*self._values(lhs, rhs))
        else:
            out, spent = lowered.forward(*self._exact(contraction, lhs, rhs), self._emulation)
            out = out.astype(jax.eval_shape(contraction.plain, *self._values(lhs, rhs)).dtype)
        if self._counts and spent is None:
            effectual, live = contraction.effectual_forward(lhs, rhs)
            spent = run.count(self._emulation).with_effectual(effectual)
        self._add(run, spent)
        return out, live

    def gradients(
        self,
        contraction: Contraction,
        lhs: Operand,
        rhs: Operand,
        cotangent: Array,
        *,
        dx: bool,
        dw: bool,
        live: Live | None = None,
        columns: int | None = None,
    ) -> tuple[Array | None, Array | None]:
        """The gradients that are asked for of a product, by the emulation's schedule, in the operands' types or that
        of the array's sums; None for the others.

        Args:
            contraction: the layer's, or another.
            lhs, rhs: the operands. Of one that no gradient asked for is made of, x for dX and w for dW, shape and type
                will do.
            cotangent: the product's.
            dx, dw: which ones.
            live: what ``product`` said of this lhs; it is read off it where not given.
            columns: of how many columns of x, the first ones, dW is wanted; of all by default. The contraction is a
                ``DotGeneral`` along one axis; lhs and the dW that is returned have that many elements along it.

        Raises:
            ValueError: there are not so many columns, or the contraction is another one.
        """
        if not (dx or dw):
            return None, None
        of_dw = contraction if columns is None or not dw else first_columns(contraction, columns)
        run = self._gradients(contraction, dx=dx, dw=dw, of_dw=of_dw)
        emulation = replace(self._emulation, weight_update=self._emulation.weight_update if run.updates else "none")
        lhs, rhs, cotangent = _arrays(lhs, rhs, cotangent)
        lhs, rhs = self._values(lhs, rhs)
        dlhs = drhs = spent = None
        if emulation.fidelity == "native":
            if dx:
                _, whole = _arrays(cotangent, jax.ShapeDtypeStruct(contraction.lhs_shape, lhs.dtype))
                (dlhs,) = jax.linear_transpose(lambda lhs: contraction.plain(lhs, rhs), whole)(cotangent)
            if dw:
                _, weights = _arrays(cotangent, jax.ShapeDtypeStruct(of_dw.rhs_shape, rhs.dtype))
                (drhs,) = jax.linear_transpose(lambda rhs: of_dw.plain(lhs, rhs), weights)(cotangent)
        else:
            dlhs, drhs, spent = lowered.backward(contraction, lhs, rhs, cotangent, emulation, dx=dx, dw=dw, of_dw=of_dw)
        if self._counts and spent is None:
            if live is None and of_dw != contraction:
                live = of_dw.effectual_forward(lhs, jnp.zeros(of_dw.rhs_shape, rhs.dtype))[1]
            spent = self._counted(run, contraction, lhs, rhs, cotangent, live)
        self._add(run, spent)
        return dlhs, drhs

    def count_gradients(
        self, contraction: Contraction, lhs: Operand, rhs: Operand, cotangent: Array, *, dx: bool, dw: bool
    ) -> None:
        """Counts ``gradients`` that are computed elsewhere, as XLA does it."""
        run = self._gradients(contraction, dx=dx, dw=dw, of_dw=contraction)
        lhs, rhs, cotangent = _arrays(lhs, rhs, cotangent)
        self._add(run, self._counted(run, contraction, lhs, rhs, cotangent, None))

    @property
    def spent(self) -> Counters | None:
        """What all that has run took together; None where no one asks for counts."""
        return total(self._spent) if self._counts else None

    def _codes(self, *operands: Array) -> list[bool]:
        """Which operands are integers that stand for the layer's floats."""
        floats = jnp.issubdtype(self.lhs.dtype, jnp.floating) and jnp.issubdtype(self.rhs.dtype, jnp.floating)
        return [floats and not jnp.issubdtype(operand.dtype, jnp.inexact) for operand in operands]

    def _values(self, lhs: Array, rhs: Array) -> tuple[Array, Array]:
        """Operands, codes and what meets them as floats in which no code is rounded."""
        if not any(self._codes(lhs, rhs)):
            return lhs, rhs
        dtype = accumulator(self.lhs.dtype, self.rhs.dtype)
        return lhs.astype(dtype), rhs.astype(dtype)

    def _exact(self, contraction: Any, lhs: Array, rhs: Array) -> tuple[Contraction, Array, Array]:
        """A product of codes as one of integers; any other one as it is."""
        if not all(self._codes(lhs, rhs)):
            return contraction, *self._values(lhs, rhs)
        integer = replace(contraction, preferred_element_type=jnp.dtype(jnp.int32))
        return integer, lhs.astype(jnp.int32), rhs.astype(jnp.int32)

    def _gradients(self, contraction: Contraction, *, dx: bool, dw: bool, of_dw: Contraction) -> GemmRun:
        results: Results = ("dx", "dw") if dx and dw else ("dx",) if dx else ("dw",)
        updates = dw and of_dw == self.contraction and not any(run.updates for run in self.runs)
        columns = None if of_dw == contraction else of_dw.gemm.in_features
        return GemmRun(contraction.gemm, contraction.groups, results, updates, columns)

    def _counted(
        self, run: GemmRun, contraction: Contraction, lhs: Array, rhs: Array, cotangent: Array, live: Live | None
    ) -> Counters:
        if live is None:
            live = contraction.effectual_forward(lhs, rhs)[1]
        of_dx, of_dw = contraction.effectual_backward(live, rhs, cotangent)
        effectual: dict[Results, Wide] = {("dx",): of_dx, ("dw",): of_dw}
        return run.count(self._emulation).with_effectual(effectual.get(run.results, add(of_dx, of_dw)))

    def _add(self, run: GemmRun, spent: Counters | None) -> None:
        self.runs.append(run)
        if self._counts and spent is not None:
            self._spent.append(spent)


def _arrays(*operands: Operand) -> tuple[Array, ...]:
    """The operands, zeros for those whose shape alone is known."""
    return vary_alike(*(jnp.zeros(o.shape, o.dtype) if isinstance(o, jax.ShapeDtypeStruct) else o for o in operands))
