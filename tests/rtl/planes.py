"""Every register of every PE in every cycle: of the hardware, and of the register engine's own carry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad.array.mapping import oriented
from jaxgrad.array.passes import overlapped
from jaxgrad.array.passes.base import Pass, Step, Wave
from jaxgrad.array.passes.combinators import planes, together
from jaxgrad.rtl.datapath import Datapath
from jaxgrad.rtl.machine import Machine, Program
from jaxgrad.rtl.pe import pe_of


def of_engine(
    machine: Machine, program: Program, tensors: dict[str, Any]
) -> tuple[list[str], np.ndarray[Any, np.dtype[Any]]]:
    """Names, and ``[cycle, name, row, column]`` after each cycle: of the scan's own carry, seen as it goes."""
    number = jnp.float32 if machine.datapath.is_float else jnp.int32
    mapping = program.mapping
    parts = [product.dataflow.new_pass() for product in mapping.products]
    inner = together(parts, shadows=machine.array.double_buffered)
    seen: list[dict[str, np.ndarray]] = []

    def tell(registers: Any, **links: jax.Array) -> None:
        def keep(planes: dict[str, Any]) -> None:
            seen.append({**(seen[-1] if seen else {}), **{name: np.asarray(plane) for name, plane in planes.items()}})

        jax.debug.callback(keep, {**planes(registers), **links}, ordered=True)

    def step(registers: Any, h: jax.Array, v: jax.Array, wave: Wave) -> Step:
        done = inner.step(registers, h, v, wave)
        tell(done.registers, h_out=h if done.h is None else done.h, v_out=done.v)
        return done

    def shift(registers: Any, slot: int, top: jax.Array, enable: Any) -> Any:
        moved, bottom = inner.shift(registers, slot, top, enable)
        tell(moved)
        return moved, bottom

    watched: Pass = inner._replace(step=step, shift=shift)
    name, axes = mapping.stream
    operands = {tensor: jnp.asarray(values, number) for tensor, values in tensors.items()}
    others = tuple(oriented(operands[n], n, a) for n, a in map(mapping.operand, range(len(mapping.products))))
    sizes: Any = {"rows": machine.array.rows, "cols": machine.array.cols, "order": mapping.order}
    overlapped.run(
        watched, oriented(operands[name], name, axes), others, **sizes, shadows=machine.array.double_buffered
    )
    jax.effects_barrier()
    calls = mapping.keeps.count("result") + 1 + mapping.keeps.count("operand")
    names = [*sorted(planes(inner.init(1, 1, number))), "h_out", "v_out"]
    ends = seen[calls - 1 :: calls]
    return names, np.array([[cycle[each] for each in names] for cycle in ends])


def of_hardware(file: Path, names: list[str], machine: Machine) -> np.ndarray[Any, np.dtype[Any]]:
    """The same as each cycle begins, from what the testbench wrote: a line a PE, the words of its registers and links.

    Not for weights of one bit: those have no zero, and registers hold zeros before anything is loaded.
    """
    datapath, array = machine.datapath, machine.array
    kinds = pe_of(machine.pass_(), machine.links).kinds
    bits = [datapath.bits(kinds[{"h_out": "h_in", "v_out": "v_in"}.get(name, name)]) for name in names]
    rows = [line.split() for line in file.read_text().splitlines()]
    found = np.zeros((1 + max(int(row[0]) for row in rows), len(names), array.rows, array.cols), np.uint32)
    for now, r, c, *words in rows:
        for index, word in enumerate(words):
            found[int(now), index, int(r), int(c)] = _widened(int(word, 16), bits[index], machine.datapath)
    return found.view(np.float32 if datapath.is_float else np.int32)


def _widened(word: int, bits: int, datapath: Datapath) -> int:
    """A word as one of 32 bits: a float's are the upper ones, a whole number has a sign."""
    if datapath.is_float:
        return word << (32 - bits)
    return (word - (1 << bits if word >> (bits - 1) else 0)) & 0xFFFFFFFF


def same(hardware: np.ndarray[Any, np.dtype[Any]], engine: np.ndarray[Any, np.dtype[Any]]) -> bool:
    """Whether two are equal bit for bit in every cycle, but that any NaN is one: what one has as a cycle begins, the
    other has after the one before."""
    ours, theirs = hardware[1:], engine[:-1]
    if ours.shape != theirs.shape or hardware[0].any():
        return False
    equal = ours.view(np.uint32) == theirs.view(np.uint32)
    if ours.dtype.kind == "f":
        equal |= np.isnan(ours) & np.isnan(theirs)
    return bool(equal.all())
