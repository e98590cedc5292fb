"""Watches a pass as an engine runs it: the registers of every PE after every cycle."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np
from jax import Array

from jaxgrad.array.passes.base import Pass, Registers, Step, Wave


class Cycle(NamedTuple):
    """What a cycle of MACs left in the registers: ``h`` and ``v``, which each PE sends on, and the pass's own."""

    h: np.ndarray
    v: np.ndarray
    registers: Any


class Shift(NamedTuple):
    """A cycle of loading or draining one slot: what came out at the bottom, and the registers afterwards."""

    slot: int
    bottom: np.ndarray
    registers: Any


def watched(pass_: Pass) -> tuple[Pass, list[Cycle | Shift]]:
    """The same pass, and the list to which it adds as it runs; complete after ``jax.effects_barrier()``."""
    seen: list[Cycle | Shift] = []

    def step(registers: Registers, h: Array, v: Array, wave: Wave) -> Step:
        done = pass_.step(registers, h, v, wave)

        def record(h: Array, v: Array, registers: Registers) -> None:
            seen.append(Cycle(np.asarray(h), np.asarray(v), jax.tree.map(np.asarray, registers)))

        jax.debug.callback(record, h if done.h is None else done.h, done.v, done.registers, ordered=True)
        return done

    def shift(registers: Registers, slot: int, top: Array, enable: Any) -> tuple[Registers, Array]:
        moved, bottom = pass_.shift(registers, slot, top, enable)

        def record(bottom: Array, registers: Registers) -> None:
            seen.append(Shift(slot, np.asarray(bottom), jax.tree.map(np.asarray, registers)))

        jax.debug.callback(record, bottom, moved, ordered=True)
        return moved, bottom

    return pass_._replace(step=step, shift=shift), seen


def macs(seen: list[Cycle | Shift]) -> list[Cycle]:
    return [one for one in seen if isinstance(one, Cycle)]


def shifts(seen: list[Cycle | Shift], slot: int) -> list[Shift]:
    return [one for one in seen if isinstance(one, Shift) and one.slot == slot]
