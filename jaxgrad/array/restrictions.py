"""Variants of a schedule that are not registered: one operand always in the PEs, or drains that overlap with loads."""

from __future__ import annotations

from dataclasses import replace

from jaxgrad.array.mapping import Mapping, Result
from jaxgrad.array.passes.base import lender
from jaxgrad.array.schedules import TITLES, Schedule, find
from jaxgrad.base.errors import InputError, one_of

STATIONARY: tuple[str, ...] = ("best", "x", "dy")
"""Which operand of dW lies in the PEs, where dW's dataflow keeps one."""
STATIONARY_DX: tuple[str, ...] = ("best", "w", "dy")
"""The same of dX."""


def restricted(schedule: str | Schedule, stationary: str, *, stationary_dx: str = "best") -> Schedule:
    """A schedule whose gradients have one operand in the PEs, in place of the better of two; it is not registered.

    Args:
        schedule: a ``Schedule``, or the name of a registered one.
        stationary: of dW, one of ``STATIONARY``: ``x``, ``dy``, or ``best``, which restricts nothing.
        stationary_dx: of dX, one of ``STATIONARY_DX``: ``w``, ``dy`` or ``best``.

    Raises:
        InputError: the schedule has no mapping of the gradient that keeps this operand in the PEs.

    >>> restricted("ws_only", "x").name, len(restricted("ws_only", "x").alternatives(dx=False)[0])
    ('ws_only, x stationary', 1)
    """
    one_of("stationary", stationary, STATIONARY)
    one_of("stationary_dx", stationary_dx, STATIONARY_DX)
    record = _keeping(find(schedule), "dw", stationary, "stationary", f"{stationary} stationary")
    return _keeping(record, "dx", stationary_dx, "stationary_dx", f"{stationary_dx} stationary for dX")


def overlapped_drain(schedule: str | Schedule) -> Schedule:
    """A schedule of which a single-buffered tile loads while the one before drains; it is not registered.

    Of its mappings those that load and drain change: T tiles of R rows take (T - 1) R cycles less. Accesses and hops
    stay, and so do the cycles of a double-buffered array, where both are hidden by the stream (DESIGN.md section 2).

    Args:
        schedule: a ``Schedule``, or the name of a registered one.

    Raises:
        InputError: none of its mappings has both an operand to load and a result to drain.

    >>> from jaxgrad import Accelerator, Gemm, count
    >>> gemm, array = Gemm(8, 9, 10), Accelerator(4, 4)  # T = 9
    >>> [count(gemm, array, one).as_dict()["cycles"] for one in ("interleaved", overlapped_drain("interleaved"))]
    [270, 238]
    """
    record = find(schedule)
    runs = tuple(tuple(map(_overlapped, choice)) for choice in record.runs)
    if not any(way.order == "overlapped drain" for choice in runs for way in choice):
        problem = f"got true with schedule {record.name!r}, which has no pass that loads an operand and drains a result"
        raise InputError("overlapped_drain", True, "choose schedule interleaved or interleaved_n", problem=problem)
    if runs == record.runs:
        return record
    description = f"{record.description}; single-buffered, a tile loads while the one before drains"
    label = f"{record.label}, drain overlapped"
    return Schedule(f"{record.name}, drain overlapped", runs, description=description, label=label)


def _overlapped(mapping: Mapping) -> Mapping:
    """The mapping with a drain that overlaps with the next load, where it has both at once."""
    has_both = mapping.fused and {"operand", "result"} <= set(mapping.keeps)
    return replace(mapping, order="overlapped drain") if has_both else mapping


def _keeping(record: Schedule, result: Result, operand: str, field: str, name: str) -> Schedule:
    """The schedule with the mappings alone that keep that operand of one gradient."""
    if operand == "best":
        return record
    title = TITLES[result]
    runs = [tuple(way for way in choice if _kept(way, result) in (None, operand)) for choice in record.runs]
    if not all(runs) or not any(_kept(way, result) == operand for choice in runs for way in choice):
        problem = f"got {operand!r} with schedule {record.name!r}, whose {title} never keeps it in the PEs"
        raise InputError(field, operand, "choose best, or schedule ws_only", problem=problem)
    if tuple(runs) == record.runs:
        return record
    where = f"{operand} stationary for {title}"
    description, label = f"{record.description}; {where}", f"{record.label}, {where}"
    return Schedule(f"{record.name}, {name}", runs, description=description, label=label)


def _kept(mapping: Mapping, result: Result) -> str | None:
    """The operand that lies in the PEs as a gradient is computed, empty where its result does; None without it."""
    for slot, product in enumerate(mapping.products):
        if product.result == result:
            return "" if product.keeps == "result" else mapping.operand(lender(mapping.keeps, slot))[0]
    return None
