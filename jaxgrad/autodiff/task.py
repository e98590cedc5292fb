"""A contraction on the array: its product, its gradients, and what they take.

At native and tile fidelity the counts are the closed form's, which tile by tile counting equals, and the effectual MACs
are read off the operands as they are: im2col's copies of them are several times as large.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
from jax import Array
from jaxtyping import UInt32

from jaxgrad.array import emulation as core
from jaxgrad.array.counters import Counters
from jaxgrad.array.emulation import Emulation
from jaxgrad.array.rounding import rounded
from jaxgrad.array.wide import add
from jaxgrad.autodiff import lowered
from jaxgrad.autodiff.contraction import Contraction


@dataclass(frozen=True)
class Task:
    """What to compute and on what; static, so that it can be a rule's argument.

    Args:
        contraction: what to compute.
        emulation: on what, and how.
        dx: whether the input's gradient may be wanted; False where only taps, and no weights, lie upstream.
        runs: how often the forward product runs for each backward pass.
    """

    contraction: Contraction
    emulation: Emulation
    dx: bool = True
    runs: int = 1

    def rounded(self, tensor: str, values: Array) -> Array:
        """Values in the number format that the array has for a tensor; operands are to be given so."""
        return rounded(tensor, values, self.emulation.precision)

    def product(self, lhs: Array, rhs: Array) -> tuple[Array, Counters | None]:
        """The product, and at register fidelity what it took."""
        contraction, counters = self.contraction, None
        if self.emulation.fidelity == "native":
            out = contraction.plain(lhs, rhs)
        else:
            out, counters = lowered.forward(contraction, lhs, rhs, self.emulation)
            out = out.astype(jax.eval_shape(contraction.plain, lhs, rhs).dtype)
        return self.rounded("y", out), counters

    def gradients(
        self, lhs: Array, rhs: Array, cotangent: Array, *, dx: bool, dw: bool
    ) -> tuple[Array | None, Array | None, Counters | None]:
        """The gradients that are wanted, in the operands' types or that of the array's sums, and at register fidelity
        what they took."""
        contraction = self.contraction
        dlhs = drhs = counters = None
        if self.emulation.fidelity == "native":
            if dx:
                (dlhs,) = jax.linear_transpose(lambda lhs: contraction.plain(lhs, rhs), lhs)(cotangent)
            if dw:
                (drhs,) = jax.linear_transpose(lambda rhs: contraction.plain(lhs, rhs), rhs)(cotangent)
        else:
            dlhs, drhs, counters = lowered.backward(contraction, lhs, rhs, cotangent, self.emulation, dx=dx, dw=dw)
        return (
            None if dlhs is None else self.rounded("dx", dlhs),
            None if drhs is None else self.rounded("dw", drhs),
            counters,
        )

    def count_product(self, lhs: Array, rhs: Array) -> tuple[Counters, UInt32[Array, "..."]]:
        """What the product takes, and the non-zeros in each row of x, for ``count_gradients``."""
        contraction, emulation = self.contraction, self.emulation
        counters = core.count_forward(contraction.gemm, emulation.array, emulation.forward).times(contraction.groups)
        effectual, live = contraction.effectual_forward(lhs, rhs)
        return counters.with_effectual(effectual), live

    def count_gradients(
        self, live: UInt32[Array, "..."], rhs: Array, cotangent: Array, *, dx: bool, dw: bool
    ) -> Counters:
        """What the gradients that are wanted take, of which there is one at least."""
        contraction, emulation = self.contraction, self.emulation
        counters = core.count(
            contraction.gemm,
            emulation.array,
            emulation.schedule,
            weight_update=emulation.weight_update,
            objective=emulation.objective,
            dx=dx,
            dw=dw,
        ).times(contraction.groups)
        of_dx, of_dw = contraction.effectual_backward(live, rhs, cotangent)
        return counters.with_effectual(add(of_dx, of_dw) if dx and dw else of_dx if dx else of_dw)
