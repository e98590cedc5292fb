"""What happens while a pass runs, counted by role; ``schedules`` says which tensor plays which role.

An ``Events`` is a pytree. Its leaves are Python ints where shapes alone decide, and exact ``Wide`` pairs where a scan
counted them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

Count = Any
"""A Python int, or a ``wide.Wide``."""


class SlotEvents(NamedTuple):
    """Events of one slot: MACs, words to and from the SRAM, moves between PEs (DESIGN.md section 2)."""

    macs: Count = 0
    effectual_macs: Count = 0
    operand_reads: Count = 0
    operand_hops: Count = 0
    psum_reads: Count = 0
    psum_writes: Count = 0
    psum_hops: Count = 0
    result_writes: Count = 0
    acc_updates: Count = 0


class Events(NamedTuple):
    """Events of a pass: clock cycles, the shared horizontal operand's traffic, and each slot's own."""

    cycles: Count
    stream_reads: Count
    stream_hops: Count
    slots: tuple[SlotEvents, ...]
