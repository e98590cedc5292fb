"""Register fidelity, double-buffered: one ``lax.scan`` over the clock, tiles overlapping in the array.

Each PE acts on the number of the wave that passes it, so a tile's head, the tail of the one before, the load of the
next and the drain of the last can all be in the array at once. Events are counted in every PE, every cycle. Without
shadow registers two kinds of runs come here: passes that send sums to the right, whose columns of tiles depend on each
other, and those of which a tile loads while the one before drains.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Bool, Int, Num

from jaxgrad.array import wide
from jaxgrad.array.manual_axes import varied, vary_alike
from jaxgrad.array.passes.base import Pass, Registers, Wave, height
from jaxgrad.array.passes.edges import pad_to
from jaxgrad.array.passes.events import Events, SlotEvents
from jaxgrad.array.passes.ports import Setup, drain, far_edge, is_real, left_edge, load, place_of, top_edge
from jaxgrad.array.passes.timeline import Order, timeline
from jaxgrad.array.wide import Wide


class State(NamedTuple):
    """Everything that lasts from one cycle to the next."""

    registers: Registers
    h: Num[Array, "rows cols"]
    v: Num[Array, "rows cols"]
    buffers: tuple[Array, ...]
    events: Any


def run(
    pass_: Pass,
    h: Num[Array, "s p"],
    operands: tuple[Array, ...],
    rows: int,
    cols: int,
    order: Order,
    *,
    shadows: bool = True,
) -> tuple[tuple[Array, ...], Events]:
    """Runs a pass over all tiles, ``q`` outer and ``p`` inner; as ``serial.run``.

    Args:
        order: whether the slots alternate on each streamed row, or run one after the other.
        shadows: whether the pass has shadow registers; without them a tile loads once the one before has drained, or
            while it drains, and the slots alternate.
    """
    h, *rest = vary_alike(h, *operands)
    operands = tuple(rest)
    (s, p), widths = h.shape, tuple(operand.shape[1] for operand in operands)
    n_p, n_q = -(-p // rows), -(-max(widths) // cols)
    when = timeline(pass_.keeps, order, s, (n_p, n_q), rows, cols, shadows=shadows)
    padded = tuple(
        pad_to(operand, height(keeps, s, n_p * rows), n_q * cols)
        for keeps, operand in zip(pass_.keeps, operands, strict=True)
    )
    setup = Setup(pass_, when, pad_to(h, s, n_p * rows), padded, (s, p), widths, rows, cols)
    padded_sizes = {"operand": (s, n_q * cols), "result": (n_p * rows, n_q * cols), "nothing": (s, n_p * rows)}
    links = jnp.zeros((rows, cols), h.dtype)
    zero = Wide(jnp.uint32(0), jnp.uint32(0))
    none = Events(zero, zero, zero, tuple(SlotEvents(*[zero] * len(SlotEvents._fields)) for _ in pass_.keeps))
    state = State(
        pass_.init(rows, cols, h.dtype),
        links,
        links,
        tuple(jnp.zeros(padded_sizes[keeps], h.dtype) for keeps in pass_.keeps),
        none,
    )
    times = jnp.arange(when.cycles)
    state, _ = lax.scan(lambda state, time: (_cycle(setup, state, time), None), varied(state, h), times)
    ends = (
        {"operand": (s, q), "result": (p, q), "nothing": (s, p)}[keeps]
        for keeps, q in zip(pass_.keeps, widths, strict=True)
    )
    results = tuple(buffer[:first, :second] for buffer, (first, second) in zip(state.buffers, ends, strict=True))
    return results, state.events


def _cycle(setup: Setup, state: State, time: Int[Array, ""]) -> State:
    """One clock cycle: drain, MAC, load, all from the registers as they stood at its start."""
    pass_, rows, cols = setup.pass_, setup.rows, setup.cols
    row, col = np.indices((rows, cols))
    wave = time - row - col
    places = [place_of(setup, slot, wave) for slot in setup.timeline.slots]
    registers, buffers, counts = state.registers, list(state.buffers), [dict[str, Any]() for _ in pass_.keeps]

    for slot, keeps in enumerate(pass_.keeps):
        if keeps == "result":
            registers, buffers[slot], counts[slot]["result_writes"] = drain(setup, slot, registers, buffers[slot], time)

    h_edge, h_entered, sums = left_edge(setup, buffers, time)
    v_edge, entered = top_edge(setup, buffers, time)
    h = jnp.concatenate([h_edge[:, None], state.h[:, :-1]], axis=1)
    v = jnp.concatenate([v_edge[None], state.v[:-1]])
    owner = sum(jnp.where(place.busy, slot, 0) for slot, place in enumerate(places))
    first = _any(place.busy & (place.row == 0) for place in places)
    last = _any(place.busy & (place.row == setup.sizes[0] - 1) for place in places)
    done = pass_.step(registers, h, v, Wave(jnp.asarray(owner), first, last))
    registers, h_out = done.registers, h if done.h is None else done.h

    for slot, (keeps, place) in enumerate(zip(pass_.keeps, places, strict=True)):
        buffers[slot], left = far_edge(setup, slot, buffers[slot], h_out[:, -1], done.v[-1], time)
        real = place.busy & is_real(setup, slot, place, row, col)
        moves = _moving(place.busy & is_real(setup, slot, place, None, col))
        met = real.sum(dtype=jnp.uint32)
        passing = v if keeps == "nothing" else h
        useful = (real & wide.nonzero(passing) & wide.nonzero(done.multiplicand)).sum(dtype=jnp.uint32)
        counts[slot] |= {"macs": met, "effectual_macs": useful}
        if keeps == "operand":
            registers, loaded = load(setup, slot, registers, time)
            counts[slot] |= {"operand_reads": loaded, "psum_reads": entered[slot]}
            counts[slot] |= {"psum_writes": left, "psum_hops": moves}
        else:
            counts[slot] |= {"operand_reads": entered[slot], "operand_hops": moves}
        if keeps == "result":
            counts[slot] |= {"acc_updates": met}
        elif keeps == "nothing":
            counts[slot] |= {"psum_reads": sums[slot], "psum_writes": left}
            counts[slot] |= {"psum_hops": _moving(place.busy & is_real(setup, slot, place, row, None))}

    new_values = _any(
        place.busy & is_real(setup, slot, place, row, None)
        for slot, (timing, place) in enumerate(zip(setup.timeline.slots, places, strict=True))
        if timing.offset == 0
    )
    happened = Events(jnp.uint32(1), h_entered, _moving(new_values), tuple(SlotEvents(**count) for count in counts))
    events = jax.tree.map(_accumulate, state.events, happened, is_leaf=lambda leaf: isinstance(leaf, Wide))
    return State(registers, h_out, done.v, tuple(buffers), events)


def _moving(values: Bool[Array, "rows cols"]) -> Array:
    """How many registers take a new value this cycle."""
    return values.sum(dtype=jnp.uint32)


def _any(planes: Any) -> Array:
    result = None
    for plane in planes:
        result = plane if result is None else result | plane
    assert result is not None, "a pass has at least one slot"
    return result


def _accumulate(so_far: Wide, count: Any) -> Wide:
    return wide.add(so_far, Wide(jnp.uint32(0), jnp.asarray(count, jnp.uint32)))
