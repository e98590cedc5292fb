"""The registers of a small array after every cycle, seen while the register engines run.

The pass that an engine runs is wrapped so that each ``step`` and ``shift`` also reports its planes: what is recorded is
what the emulator computed. It runs a second time, the same compiled code, on numbers of the operands' elements
(``elements``): so it is known which ones a PE multiplies. Where a value is going follows from the run's activities.
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
from jaxgrad.array.passes.combinators import planes, together
from jaxgrad.base.errors import InputError
from jaxgrad.hardware import Accelerator
from jaxgrad.reports.timeline.elements import Element, Numbering, Term

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
        terms: what each PE multiplied, ``[rows][cols]``; None where it multiplied padding or nothing.
        left, top: which elements entered each row and each column; None for sums and padding.
        loading: which elements entered each column by shifting.
    """

    registers: dict[str, np.ndarray]
    h_in: np.ndarray | None
    h: np.ndarray | None
    v_in: np.ndarray | None
    v: np.ndarray | None
    loaded: np.ndarray | None
    drained: np.ndarray | None
    terms: Sequence[Sequence[Term | None]]
    left: Sequence[Element | None]
    top: Sequence[Element | None]
    loading: Sequence[Element | None]


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
    alone = mapping.alone(shadows=array.double_buffered)
    if len(alone) > 1:
        return record_all(alone, tensors, array)
    parts = [product.dataflow.new_pass() for product in mapping.products]
    seen: list[_Seen] = []
    watched = _watched(together(parts, shadows=array.double_buffered), seen)
    every_cycle = array.double_buffered or mapping.couples_tiles  # is an iteration of the engine
    if every_cycle:
        sizes: Any = {"rows": array.rows, "cols": array.cols, "order": mapping.order}
        engine = partial(overlapped.run, watched, **sizes, shadows=array.double_buffered)
    else:
        engine = partial(serial.run, watched, rows=array.rows, cols=array.cols)
    run: Callable[..., Any] = jax.jit(lambda h, operands: engine(h=h, operands=operands))

    def outcomes(tensors: Dictionary[str, Any]) -> tuple[list[Any], list[_Seen]]:
        name, axes = mapping.stream
        h = oriented(tensors[name], name, axes)
        operands = tuple(oriented(tensors[n], n, a) for n, a in map(mapping.operand, range(len(parts))))
        # One column of tiles at a time, as the array takes them: ``serial`` would emulate several side by side.
        width = operands[0].shape[1]
        starts = [slice(None)] if every_cycle else [slice(at, at + array.cols) for at in range(0, width, array.cols)]
        seen.clear()
        found = [run(h, tuple(operand[:, at] for operand in operands)) for at in starts]
        jax.effects_barrier()
        return found, list(seen)

    numbering = Numbering.of({name: np.asarray(values) for name, values in tensors.items()})
    _, numbered = outcomes(numbering.numbers())
    found, calls = outcomes(tensors)
    spent = Counters.zero()
    for _, events in found:
        spent += execute.counters(events, mapping)
    results: dict[str, np.ndarray] = {}
    for slot, whole in enumerate(zip(*(columns for columns, _ in found), strict=True)):
        name, axes = mapping.result(slot)
        results[name] = np.asarray(oriented(jnp.concatenate(whole, axis=1), name, axes))
    # Every cycle of ``overlapped`` makes the same calls: drains, a step, loads; one of ``serial`` makes one.
    size = mapping.keeps.count("result") + 1 + mapping.keeps.count("operand") if every_cycle else 1
    cycles = [
        _cycle(calls[at : at + size], numbered[at : at + size], mapping, numbering) for at in range(0, len(calls), size)
    ]
    return Recording(cycles, results, spent)


class _Seen(NamedTuple):
    """One call of the pass: a step, or a shift that loads (``top``) or drains (``bottom``).

    A step has its ``links``, h and v as they come in and as they leave, and ``met``: the slots whose MACs these are,
    and what was multiplied by the operand that passes.
    """

    registers: dict[str, np.ndarray]
    links: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None = None
    met: tuple[np.ndarray, np.ndarray] | None = None
    top: np.ndarray | None = None
    bottom: np.ndarray | None = None


def _watched(pass_: Pass, seen: list[_Seen]) -> Pass:
    def step(registers: Registers, h: Array, v: Array, wave: Wave) -> Step:
        done = pass_.step(registers, h, v, wave)

        def report(registers: dict[str, Array], *links: Array) -> None:
            planes = {name: np.asarray(plane) for name, plane in registers.items()}
            in_h, out_h, in_v, out_v, owner, met = (np.asarray(link) for link in links)
            seen.append(_Seen(planes, (in_h, out_h, in_v, out_v), (owner, met)))

        sent = h if done.h is None else done.h
        links = (h, sent, v, done.v, jnp.asarray(wave.owner), done.multiplicand)
        jax.debug.callback(report, planes(done.registers), *links, ordered=True)
        return done

    def shift(registers: Registers, slot: int, top: Array, enable: Any) -> tuple[Registers, Array]:
        moved, bottom = pass_.shift(registers, slot, top, enable)
        loads = pass_.keeps[slot] == "operand"

        def report(registers: dict[str, Array], edge: Array) -> None:
            word = np.asarray(edge)
            planes = {name: np.asarray(plane) for name, plane in registers.items()}
            seen.append(_Seen(planes, top=word) if loads else _Seen(planes, bottom=word))

        jax.debug.callback(report, planes(moved), top if loads else bottom, ordered=True)
        return moved, bottom

    return pass_._replace(step=step, shift=shift)


def _cycle(calls: list[_Seen], numbered: list[_Seen], mapping: Mapping, numbering: Numbering) -> Cycle:
    """One cycle from its calls on values, and the same calls on numbers of elements."""
    h_in, h, v_in, v = next((call.links for call in calls if call.links), (None, None, None, None))
    loaded = next((call.top for call in calls if call.top is not None), None)
    drained = next((call.bottom for call in calls if call.bottom is not None), None)
    met = _met(next((call for call in numbered if call.links), None), mapping, numbering)
    numbers = next((call.top for call in numbered if call.top is not None), ())
    loading = [numbering.element(number) for number in numbers]
    return Cycle(calls[-1].registers, h_in, h, v_in, v, loaded, drained, *met, loading)


def _met(
    step: _Seen | None, mapping: Mapping, numbering: Numbering
) -> tuple[list[list[Term | None]], list[Element | None], list[Element | None]]:
    """Which elements met in each PE, and which ones came to it over the left and the top edge.

    The operand that passes comes along the row, or down the column in a slot that keeps nothing. The other link then
    carries sums, unless the slot keeps its result.
    """
    if step is None or step.links is None or step.met is None:
        return [], [], []
    h, _, v, _ = step.links
    owner, multiplicand = step.met

    def element(number: float, row: int, col: int, *, sums: str) -> Element | None:
        return None if mapping.keeps[owner[row, col]] == sums else numbering.element(number)

    def term(row: int, col: int) -> Term | None:
        slot = owner[row, col]
        passing = (v if mapping.keeps[slot] == "nothing" else h)[row, col]
        first, second = numbering.element(passing), numbering.element(multiplicand[row, col])
        return Term.of(mapping.products[slot].result, first, second) if first and second else None

    rows, cols = h.shape
    return (
        [[term(row, col) for col in range(cols)] for row in range(rows)],
        [element(h[row, 0], row, 0, sums="nothing") for row in range(rows)],
        [element(v[0, col], 0, col, sums="operand") for col in range(cols)],
    )


def _joined(runs: Sequence[Recording]) -> Recording:
    """Runs one after the other; a register that a run does not use is absent from its cycles."""
    spent = Counters.zero()
    for run in runs:
        spent += run.counters
    results = {name: values for run in runs for name, values in run.results.items()}
    return Recording([cycle for run in runs for cycle in run.cycles], results, spent)
