"""jaxgrad.costs.tiers: what one core has of each memory, by hand."""

from __future__ import annotations

from jaxgrad.array.counts import DRAM, STALLS, stalls_of
from jaxgrad.costs.tiers import Tier, tiers, waits_for_dram
from jaxgrad.hardware import Level, Memory
from jaxgrad.hardware.level import KEPT

LEVELS = (
    Level("near", 1001, 5.0, keeps=("x", "w")),
    Level("far", 8000, width_bits=64, ports=2, double_buffered=False, shared_by=4),
)
MEMORY = Memory(400, 2.0, clock_ghz=0.5, levels=LEVELS)


def test_memories_around_the_scratchpad_in_numbers() -> None:
    assert tiers(MEMORY) == (
        Tier("near", frozenset({"x", "w"}), 500, 1, 10, True, 0),  # half of it, rounded down; 10 bytes a cycle
        Tier("far", frozenset(KEPT), 2000, 1, 4, False, 8),  # a quarter, all of it used; 16 bytes a cycle for four
        Tier(DRAM, frozenset(KEPT), 0, 1, 4),
    )


def test_transfers_end_with_a_cycle() -> None:
    near, _, dram = tiers(MEMORY)
    assert [near.transfer_cycles(size) for size in (0, 1, 10, 11)] == [0, 1, 1, 2]
    assert [dram.transfer_cycles(size) for size in (0, 1, 4, 5)] == [0, 1, 1, 2]
    assert Tier("slow", frozenset(), 0, 3, 2).transfer_cycles(5) == 8


def test_the_array_waits_for_dram_under_a_key_of_its_own_where_there_are_levels() -> None:
    assert waits_for_dram(MEMORY) == (STALLS, stalls_of(DRAM))
    assert waits_for_dram(Memory(400, 2.0)) == (STALLS,)
