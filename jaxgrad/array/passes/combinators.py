"""Passes made of passes: ``interleave`` shares a streamed operand, ``transposed`` a stationary one, ``double_buffered``
adds shadow registers.

None knows which dataflows it composes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxgrad.array.passes.base import Pass, Registers, Step, Wave


def interleave(*passes: Pass) -> Pass:
    """Fuses passes that stream the same horizontal operand: it is read once and held for one slot of each.

    Each PE still does one MAC a cycle: the slot's owner does it, the others hold their registers. The vertical link
    carries the owner's values. Source: Unnikrishnan & Parhi, ISCAS 2020, for a weight- and an output-stationary pass.
    A pass that keeps nothing comes last and works on the registers of the one before it.
    """
    starts = [sum(len(p.keeps) for p in passes[:i]) for i in range(len(passes))]
    homes = [(i, slot) for i, p in enumerate(passes) for slot in range(len(p.keeps))]
    borrows = [p.keeps == ("nothing",) for p in passes]
    for part, is_borrowing in enumerate(borrows):
        lends = part > 0 and passes[part - 1].keeps == ("operand",)
        assert not is_borrowing or (lends and part == len(passes) - 1), "it needs the operand of the pass before it"

    def init(rows: int, cols: int, dtype: Any) -> tuple[Registers, ...]:
        return tuple(p.init(rows, cols, dtype) for p in passes)

    def step(registers: tuple[Registers, ...], h: Array, v: Array, wave: Wave) -> Step:
        stepped, sent = list(registers), (v, v, h)
        for index, (part, start) in enumerate(zip(passes, starts, strict=True)):
            local = wave.owner - start
            is_owner = (local >= 0) & (local < len(part.keeps))
            home = index - borrows[index]
            new = part.step(stepped[home], h, v, wave._replace(owner=local))
            stepped[home] = _where(is_owner, new.registers, stepped[home])
            link = (new.v, new.multiplicand, h if new.h is None else new.h)
            sent = link if index == 0 else tuple(_select(is_owner, n, o) for n, o in zip(link, sent, strict=True))
        v_out, multiplicand, h_out = sent
        return Step(tuple(stepped), v_out, multiplicand, h_out)

    def shift(
        registers: tuple[Registers, ...], slot: int, top: Array, enable: Any
    ) -> tuple[tuple[Registers, ...], Array]:
        part, inner = homes[slot]
        moved, bottom = passes[part].shift(registers[part], inner, top, enable)
        return (*registers[:part], moved, *registers[part + 1 :]), bottom

    def tile(h: Array, operands: tuple[Array, ...], psums: tuple[Array | None, ...]) -> tuple[Array, ...]:
        results: tuple[Array, ...] = ()
        for index, (part, start) in enumerate(zip(passes, starts, strict=True)):
            of_part = slice(start, start + len(part.keeps))
            results += part.tile(operands[start - 1] if borrows[index] else h, operands[of_part], psums[of_part])
        return results

    return Pass(tuple(keeps for p in passes for keeps in p.keeps), init, step, shift, tile)


def transposed(inner: Pass) -> Pass:
    """A pass that keeps its operand, the other way: the links change places, so that its sums flow right.

    It keeps nothing of its own: interleaved after ``inner``, it multiplies by the transpose of what that keeps.
    """
    assert inner.keeps == ("operand",), "only an operand that stays can be used both ways"

    def init(rows: int, cols: int, dtype: Any) -> Registers:
        return ()

    def step(registers: Registers, h: Array, v: Array, wave: Wave) -> Step:
        done = inner.step(registers, v, h, wave)
        return done._replace(v=v, h=done.v)

    def tile(kept: Array, operands: tuple[Array, ...], psums: tuple[Array | None, ...]) -> tuple[Array, ...]:
        (operand,) = operands
        return inner.tile(operand, (kept.T,), psums)

    return inner._replace(keeps=("nothing",), init=init, step=step, tile=tile)


class DoubleBuffered(NamedTuple):
    active: Registers
    shadow: Registers


def double_buffered(inner: Pass) -> Pass:
    """Gives a single-slot pass shadow registers, through which it loads or drains while it streams.

    The first row of a tile brings the shadow's operand into use as it passes; the last one leaves the result in the
    shadow and clears the accumulator.
    """
    (keeps,) = inner.keeps

    def init(rows: int, cols: int, dtype: Any) -> DoubleBuffered:
        return DoubleBuffered(inner.init(rows, cols, dtype), inner.init(rows, cols, dtype))

    def step(registers: DoubleBuffered, h: Array, v: Array, wave: Wave) -> Step:
        active, shadow = registers
        if keeps == "operand":
            active = _where(wave.first, shadow, active)
        new = inner.step(active, h, v, wave)
        active = new.registers
        if keeps == "result":
            shadow = _where(wave.last, active, shadow)
            active = _where(wave.last, jax.tree.map(jnp.zeros_like, active), active)
        return new._replace(registers=DoubleBuffered(active, shadow))

    def shift(registers: DoubleBuffered, slot: int, top: Array, enable: Any) -> tuple[DoubleBuffered, Array]:
        shadow, bottom = inner.shift(registers.shadow, slot, top, enable)
        return registers._replace(shadow=shadow), bottom

    return inner._replace(init=init, step=step, shift=shift)


def together(parts: Sequence[Pass], *, shadows: bool) -> Pass:
    """Single-slot passes on the array together, with shadow registers or not."""
    buffered = [double_buffered(part) for part in parts] if shadows else parts
    return buffered[0] if len(buffered) == 1 else interleave(*buffered)


def planes(registers: Registers) -> dict[str, Array]:
    """The planes of a pass's registers by name, in their own order; shadows are ``w_next`` and ``acc_next``.

    Of several slots that have a register of one name, the later ones' are numbered.

    >>> from jaxgrad.array.passes.weight_stationary import weight_stationary
    >>> list(planes(together([weight_stationary()] * 2, shadows=True).init(1, 1, jnp.float32)))
    ['w', 'w_next', 'w2', 'w_next2']
    """
    found: dict[str, Array] = {}
    seen: Counter[str] = Counter()

    def visit(part: Registers, shadow: str) -> None:
        if isinstance(part, DoubleBuffered):
            visit(part.active, "")
            visit(part.shadow, "_next")
        elif hasattr(part, "_asdict"):
            for name, plane in part._asdict().items():
                seen[full := name + shadow] += 1
                found[full if seen[full] == 1 else f"{full}{seen[full]}"] = plane
        else:
            for inner in part:
                visit(inner, shadow)

    visit(registers, "")
    return found


def _where(condition: Any, new: Registers, old: Registers) -> Registers:
    return jax.tree.map(lambda n, o: _select(condition, n, o), new, old)


def _select(condition: Any, new: Array, old: Array) -> Array:
    # A register that a pass leaves alone costs no select.
    return new if new is old else jnp.where(condition, new, old)
