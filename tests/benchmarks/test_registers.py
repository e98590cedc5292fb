"""The benchmark's own arithmetic; its figures depend on the machine and are no test."""

from __future__ import annotations

from benchmarks import registers


def test_register_run_counts_the_cycles_it_emulates() -> None:
    run, pe_cycles = registers.register_run(2, 3, 2)
    run()
    # Two tiles of 3R + C + 2B - 2 cycles, on 4 PEs.
    assert pe_cycles == 2 * (6 + 2 + 6 - 2) * 4


def test_memory_grows_with_the_edges_not_with_planes() -> None:
    size, rows = 32, 1000
    growth = registers.temporary_bytes(size, 100 + rows) - registers.temporary_bytes(size, 100)
    assert 0 < growth < rows * (4 * size * size) / 2
