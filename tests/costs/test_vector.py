"""jaxgrad.costs.vector: cycles, words and waiting of work beside the array, by hand."""

from __future__ import annotations

from jaxgrad.array.counts import CYCLES, STALLS, by_name
from jaxgrad.costs.vector import counts
from jaxgrad.hardware import Accelerator, Machine, Memory, Precision, VectorUnit
from tests.keys import keyed

ARRAY, UNIT = Accelerator(2, 2), VectorUnit(8)


def test_without_a_memory_words_are_the_scratchpad_s() -> None:
    assert by_name(counts(100, 30, Machine(ARRAY, vector_unit=UNIT))) == {
        "cycles": 13,
        "vector_operations": 100,
        "vector_words": 30,
    }


def test_with_a_memory_words_are_dram_s_and_the_slower_one_counts() -> None:
    """100 words of 2 bytes at 4 bytes a cycle: 50 cycles; 13 of them the unit works."""
    machine = Machine(ARRAY, Memory(1000, 4.0), Precision.of("bf16"), vector_unit=UNIT)
    expected = keyed({"cycles": 13, "vector_operations": 100, "vector_words": 0, "dram_vector_words": 100})
    assert counts(100, 100, machine) == expected | {STALLS: 37}
    assert counts(100, 20, machine)[STALLS] == 0
    waiting = Machine(ARRAY, Memory(1000, 4.0, double_buffered=False), Precision.of("bf16"), vector_unit=UNIT)
    assert counts(100, 100, waiting) == expected | {STALLS: 50}


def test_cores_share_the_work() -> None:
    machine = Machine(ARRAY, Memory(1000, 4.0), Precision.of("bf16"), vector_unit=UNIT, cores=4)
    assert counts(100, 100, machine)[CYCLES] == 4
    assert counts(100, 100, machine)[STALLS] == 13 - 4
