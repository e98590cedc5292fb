"""Register fidelity: a pass on the registers by ``lax.scan``, or by a kernel that gives the same bits sooner.

The scan is the golden model, runs everywhere, and is what a kernel is held against before it is used. A kernel is C++
made from the pass's own functions and compiled once a machine; it is for CPUs, and for passes whose waves can be taken
row by row (``kernel.cell``). ``JAXGRAD_REGISTERS`` chooses, as a program is traced.
"""

from __future__ import annotations

import os
from typing import Any, Literal, get_args

import jax
from jax import Array, lax
from jaxtyping import Num

from jaxgrad.array.kernel.engine import Engine, Outcome
from jaxgrad.array.manual_axes import is_varying
from jaxgrad.base.errors import one_of

VARIABLE = "JAXGRAD_REGISTERS"
Choice = Literal["auto", "kernel", "scan"]
"""A kernel where it pays; wherever there can be one; nowhere."""

_PAYS_FROM = {False: 10**9, True: 10**8}
"""PE-cycles, without shadow registers and with them: up to some seconds by the scan, about as long as a kernel takes to
be compiled, once a machine."""


def run(engine: Engine, h: Num[Array, "s p"], operands: tuple[Array, ...], rows: int, cols: int) -> Outcome:
    """Runs a pass over all tiles; as ``passes.serial.run``.

    Raises:
        InputError: ``JAXGRAD_REGISTERS`` is none of ``auto``, ``kernel``, ``scan``.
    """

    def scan(h: Array, *operands: Array) -> Outcome:
        return engine.scan(h, operands, rows, cols)

    target = _target(engine, h, operands, rows, cols)
    if target is None:
        return scan(h, *operands)
    by_kernel = engine.by(target)

    @jax.custom_jvp
    def kernel(h: Array, *operands: Array) -> Outcome:
        return by_kernel(h, operands, rows, cols)

    @kernel.defjvp
    def _(primals: tuple[Array, ...], tangents: tuple[Any, ...]) -> tuple[Outcome, Any]:
        return jax.jvp(scan, primals, tangents)

    return lax.platform_dependent(h, *operands, cpu=kernel, default=scan)


def _target(engine: Engine, h: Array, operands: tuple[Array, ...], rows: int, cols: int) -> str | None:
    """The kernel to take; None for the scan."""
    choice = one_of(VARIABLE, os.environ.get(VARIABLE, "auto"), get_args(Choice))
    if choice == "scan" or jax.default_backend() != "cpu":
        return None
    if is_varying(h, *operands) or any(operand.dtype != h.dtype for operand in operands):
        return None
    (s, p), widths = h.shape, [operand.shape[1] for operand in operands]
    if choice == "auto" and engine.pe_cycles((s, p), widths, rows, cols) < _PAYS_FROM[engine.shadows]:
        return None
    return engine.kernel(h.dtype.name)
