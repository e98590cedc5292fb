"""Throughput of the register engines, in PE-cycles a second on one core, and their memory."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from typing import Any

from benchmarks.figure import Figure, seconds


def figures() -> list[Figure]:
    """PE-cycles a second of one core's own time in the register engine, and how its memory grows with B."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    bounds = {
        128: "second-level cache bandwidth: 5 planes of 64 KB move in every cycle",
        16: "dispatch: about two XLA kernels a cycle, 0.15 us each",
    }
    measured = []
    for size, batch, columns, target in ((128, 8000, 1, 4e9), (16, 4000, 16, 1e9)):
        run, pe_cycles = register_run(size, batch, columns)
        run()
        speed = statistics.median(pe_cycles / seconds(run, time.process_time) for _ in range(7))
        name = f"registers {size}x{size}, interleaved, {columns} tile(s)"
        measured.append(
            Figure(name, speed / 1e9, "G PE-cycles/s", f">= {target / 1e9:g}", speed >= target, bounds[size])
        )
    small, large = temporary_bytes(16, 2_000), temporary_bytes(16, 32_000)
    growth = (large - small) / (30_000 * 16)
    measured.append(
        Figure(
            "registers 16x16, memory a streamed word",
            growth,
            "bytes",
            "<= 64",
            growth <= 64,
            "skewed copies of the edges",
        )
    )
    return measured


def register_run(
    size: int, batch: int, columns: int, *, double_buffered: bool = False
) -> tuple[Callable[[], None], int]:
    """An interleaved pass of some rows over some columns of tiles, compiled, and how many PE-cycles it is."""
    import jax

    from jaxgrad import Accelerator, Gemm, count

    x, w, dy = _operands(size, batch, columns)
    compiled = _compiled(size, batch, columns, double_buffered)
    array = Accelerator(size, size, double_buffered)
    cycles = count(Gemm(batch, size * columns, size), array).as_dict()["cycles"]
    pe_cycles = cycles * size * size
    return lambda: jax.block_until_ready(compiled(x, w, dy)), pe_cycles


def temporary_bytes(size: int, batch: int) -> int:
    return _compiled(size, batch, 1).memory_analysis().temp_size_in_bytes


def _operands(size: int, batch: int, columns: int) -> tuple[Any, Any, Any]:
    import jax

    keys = jax.random.split(jax.random.key(0), 3)
    shapes = ((batch, size * columns), (size * columns, size), (batch, size))
    x, w, dy = (jax.random.normal(key, shape) for key, shape in zip(keys, shapes, strict=True))
    return x, w, dy


def _compiled(size: int, batch: int, columns: int, double_buffered: bool = False) -> Any:
    import jax

    from jaxgrad import Accelerator, Emulation, backward

    emulation = Emulation(Accelerator(size, size, double_buffered), fidelity="register")
    return jax.jit(lambda x, w, dy: backward(x, w, dy, emulation)).lower(*_operands(size, batch, columns)).compile()
