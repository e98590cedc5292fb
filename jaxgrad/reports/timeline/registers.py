"""The registers of a small array after every cycle, seen while the register engines run.

The pass that an engine runs is wrapped so that each ``step`` and ``shift`` also reports its planes: what is recorded is
what the emulator computed. Where a value is going follows from the run's activities.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Mapping as Dictionary
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxgrad.array import execute
from jaxgrad.array.counters import Counters
from jaxgrad.array.gemm import Gemm
from jaxgrad.array.mapping import Mapping, oriented
from jaxgrad.array.passes import overlapped, serial
from jaxgrad.array.passes.base import Pass, Registers, Step, Wave
from jaxgrad.array.passes.combinators import DoubleBuffered, double_buffered, interleave
from jaxgrad.base.errors import InputError
from jaxgrad.hardware import Accelerator

MAX_LANES = 8  # PEs a side
MAX_CYCLES = 1000


class Cycle(NamedTuple):
    """State of the array after one clock cycle.

    Args:
        registers: each register of the passes by name, ``[rows, cols]``; ``w_next`` and ``acc_next`` are the shadows.
        h_in: what the PE took from the left; None while nothing streams.
        h: what it sends to the right.
        v_in: what the PE took from above.
        v: what it sends down.
        loaded: the words that entered the top by shifting, ``[cols]``; None where no operand is loaded.
        drained: the words that left the bottom by shifting, ``[cols]``; None where no result is drained.
    """

    registers: dict[str, np.ndarray]
    h_in: np.ndarray | None
    h: np.ndarray | None
    v_in: np.ndarray | None
    v: np.ndarray | None
    loaded: np.ndarray | None
    drained: np.ndarray | None


class Recording(NamedTuple):
    """A recorded run: its cycles, its results by name, and the counters the engine ended with."""

    cycles: list[Cycle]
    results: dict[str, np.ndarray]
    counters: Counters


def check_small(gemm: Gemm, array: Accelerator, cycles: int) -> None:
    """Refuses runs too large to animate.

    Raises:
        InputError: the array is larger than 8x8, or the run longer than 1000 cycles.
    """
    if max(array.rows, array.cols) > MAX_LANES:
        raise InputError(
            "animation",
            array,
            f"give --rows and --cols of at most {MAX_LANES}",
            problem=f"got a {array.rows}x{array.cols} array",
        )
    if cycles > MAX_CYCLES:
        sizes = "x".join(map(str, gemm.sizes.values()))
        raise InputError(
            "animation",
            cycles,
            f"give sizes that take at most {MAX_CYCLES:,}",
            problem=f"got {cycles:,} cycles of the GEMM {sizes}",
        )


def record_all(mappings: Sequence[Mapping], tensors: Dictionary[str, Array], array: Accelerator) -> Recording:
    """As ``record``, of mappings that run one after the other."""
    return _joined([record(mapping, tensors, array) for mapping in mappings])


def record(mapping: Mapping, tensors: Dictionary[str, Array], array: Accelerator) -> Recording:
    """Runs a mapping at register fidelity and keeps every cycle.

    Args:
        mapping: what lies where.
        tensors: the operands by name, float32, each with the axes of ``mapping.AXES``.
        array: the hardware; small, since nothing is left out (``check_small``).
    """
    if mapping.order == "in turn" and not array.double_buffered:
        return _joined([record(part, tensors, array) for part in mapping.split()])
    parts = [product.dataflow.new_pass() for product in mapping.products]
    if array.double_buffered:
        parts = [double_buffered(part) for part in parts]
    seen: list[_Seen] = []
    watched = _watched(parts[0] if len(parts) == 1 else interleave(*parts), seen)
    name, axes = mapping.stream
    h = oriented(tensors[name], name, axes)
    operands = tuple(oriented(tensors[n], n, a) for n, a in map(mapping.operand, range(len(parts))))
    every_cycle = array.double_buffered or mapping.couples_tiles  # is an iteration of the engine
    if every_cycle:
        sizes: Any = {"rows": array.rows, "cols": array.cols, "order": mapping.order}
        engine = partial(overlapped.run, watched, **sizes, shadows=array.double_buffered)
        blocks = [operands]
    else:
        # One column of tiles at a time, as the array takes them; the engine would emulate several side by side.
        engine = partial(serial.run, watched, rows=array.rows, cols=array.cols)
        starts = range(0, operands[0].shape[1], array.cols)
        blocks = [tuple(operand[:, at : at + array.cols] for operand in operands) for at in starts]
    run: Callable[..., Any] = jax.jit(lambda h, operands: engine(h=h, operands=operands))
    outcomes = [run(h, block) for block in blocks]
    jax.effects_barrier()
    columns = [results for results, _ in outcomes]
    spent = Counters.zero()
    for _, events in outcomes:
        spent += execute.counters(events, mapping)
    results: dict[str, np.ndarray] = {}
    for slot, whole in enumerate(zip(*columns, strict=True)):
        name, axes = mapping.result(slot)
        results[name] = np.asarray(oriented(jnp.concatenate(whole, axis=1), name, axes))
    drains = mapping.keeps.count("result")
    loads = mapping.keeps.count("operand")
    cycles = _overlapping(seen, drains + 1 + loads) if every_cycle else [_cycle([call]) for call in seen]
    return Recording(cycles, results, spent)


class _Seen(NamedTuple):
    """One call of the pass: a step, or a shift that loads (``top``) or drains (``bottom``)."""

    registers: dict[str, np.ndarray]
    links: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None = None
    top: np.ndarray | None = None
    bottom: np.ndarray | None = None


def _watched(pass_: Pass, seen: list[_Seen]) -> Pass:
    def step(registers: Registers, h: Array, v: Array, wave: Wave) -> Step:
        done = pass_.step(registers, h, v, wave)

        def report(registers: dict[str, Array], *links: Array) -> None:
            planes = {name: np.asarray(plane) for name, plane in registers.items()}
            in_h, out_h, in_v, out_v = (np.asarray(link) for link in links)
            seen.append(_Seen(planes, (in_h, out_h, in_v, out_v)))

        sent = h if done.h is None else done.h
        jax.debug.callback(report, _planes(done.registers), h, sent, v, done.v, ordered=True)
        return done

    def shift(registers: Registers, slot: int, top: Array, enable: Any) -> tuple[Registers, Array]:
        moved, bottom = pass_.shift(registers, slot, top, enable)
        loads = pass_.keeps[slot] == "operand"

        def report(registers: dict[str, Array], edge: Array) -> None:
            word = np.asarray(edge)
            planes = {name: np.asarray(plane) for name, plane in registers.items()}
            seen.append(_Seen(planes, top=word) if loads else _Seen(planes, bottom=word))

        jax.debug.callback(report, _planes(moved), top if loads else bottom, ordered=True)
        return moved, bottom

    return pass_._replace(step=step, shift=shift)


def _planes(registers: Registers) -> dict[str, Array]:
    """The registers of a pass, or of several interleaved, by their names."""
    if isinstance(registers, DoubleBuffered):
        return _planes(registers.active) | {f"{name}_next": a for name, a in _planes(registers.shadow).items()}
    if hasattr(registers, "_asdict"):
        return registers._asdict()
    return {name: plane for part in registers for name, plane in _planes(part).items()}


def _overlapping(seen: list[_Seen], calls: int) -> list[Cycle]:
    """Every cycle of ``overlapped`` makes the same calls: drains, a step, loads."""
    return [_cycle(seen[at : at + calls]) for at in range(0, len(seen), calls)]


def _cycle(calls: list[_Seen]) -> Cycle:
    h_in, h, v_in, v = next((call.links for call in calls if call.links), (None, None, None, None))
    loaded = next((call.top for call in calls if call.top is not None), None)
    drained = next((call.bottom for call in calls if call.bottom is not None), None)
    return Cycle(calls[-1].registers, h_in, h, v_in, v, loaded, drained)


def _joined(runs: Sequence[Recording]) -> Recording:
    """Runs one after the other; a register that a run does not use is absent from its cycles."""
    spent = Counters.zero()
    for run in runs:
        spent += run.counters
    results = {name: values for run in runs for name, values in run.results.items()}
    return Recording([cycle for run in runs for cycle in run.cycles], results, spent)
