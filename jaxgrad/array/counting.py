"""What a layer takes in closed form, for shapes without data."""

from __future__ import annotations

from typing import Any

from jaxgrad.array.counters import Counters
from jaxgrad.array.emulation import Emulation, backward_mappings, closed_form, update
from jaxgrad.array.forwards import Forward
from jaxgrad.array.gemm import Gemm
from jaxgrad.array.schedules import Schedule
from jaxgrad.base.errors import InputError, whole_number
from jaxgrad.hardware import Accelerator


def count(
    gemm: Gemm,
    array: Accelerator,
    schedule: str | Schedule = "interleaved",
    *,
    weight_update: str = "none",
    objective: str = "cycles",
    dx: bool = True,
    dw: bool = True,
    columns: int | None = None,
) -> Counters:
    """The counters of a layer's gradients in closed form, for shapes without data.

    Args:
        gemm: the layer's shape.
        array: the hardware.
        schedule, weight_update, objective: see ``Emulation``.
        dx, dw: which gradients are wanted; under ``ws`` and ``os`` the other one is never computed.
        columns: of how many columns of x, the first ones, dW is wanted; of all by default.

    Returns:
        What ``emulate`` counts on data of that shape without zeros: ``effectual_macs`` equals ``macs``.

    Raises:
        ValueError: a field will not do.

    >>> gemm = Gemm(batch=8, in_features=9, out_features=10)
    >>> count(gemm, Accelerator(4, 4), "interleaved").as_dict()["cycles"]  # T (3R + C + 2B - 2), T = 9
    270
    >>> count(gemm, Accelerator(4, 4), columns=3).as_dict()["cycles"]  # 3 tiles of the two, 6 (2R + C + B - 2) of dX
    198
    """
    _check_gemm(gemm)
    if columns is not None:
        whole_number("columns", columns, most=gemm.in_features)
    emulation = Emulation(array, schedule, weight_update=weight_update, objective=objective)
    mappings = backward_mappings(gemm, emulation, dx=dx, dw=dw, columns=columns)
    updates = update(gemm, emulation, mappings, columns)
    counts = closed_form(gemm, array, mappings, columns)
    return Counters.from_counts({key: counts.get(key, 0) + updates.get(key, 0) for key in counts | updates})


def count_forward(gemm: Gemm, array: Accelerator, dataflow: str | Forward = "ws") -> Counters:
    """The counters of ``y = x w`` in closed form, by ``ws``, ``os``, ``is`` or another ``Forward``; see ``count``.

    >>> gemm = Gemm(batch=8, in_features=9, out_features=10)
    >>> count_forward(gemm, Accelerator(4, 4), "ws").as_dict()["cycles"]  # T (2R + C + B - 2), T = 9
    162
    """
    _check_gemm(gemm)
    emulation = Emulation(array, forward=dataflow)
    return Counters.from_counts(closed_form(gemm, array, (emulation.forward.mapping,)))


def _check_gemm(gemm: Any) -> None:
    if not isinstance(gemm, Gemm):
        raise InputError("gemm", gemm, "give a Gemm(batch, in_features, out_features)")
