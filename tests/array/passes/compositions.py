"""Passes that no schedule uses, composed to see that ``interleave`` and the engines know no dataflow by name."""

from __future__ import annotations

from typing import NamedTuple

import jax
import numpy as np
from numpy.typing import NDArray

from jaxgrad.array import closed_form
from jaxgrad.array.passes import overlapped, serial
from jaxgrad.array.passes.base import Pass
from jaxgrad.array.passes.combinators import double_buffered, interleave, transposed
from jaxgrad.array.passes.events import Events
from jaxgrad.array.passes.output_stationary import output_stationary
from jaxgrad.array.passes.timeline import Order
from jaxgrad.array.passes.weight_stationary import weight_stationary
from jaxgrad.array.wide import Wide
from jaxgrad.hardware import Accelerator

Floats = NDArray[np.float32]

COMPOSITIONS = ("ws+ws", "os+os", "os+ws", "ws+os+ws")
DATAFLOWS = {
    "ws": weight_stationary,
    "os": output_stationary,
    "ws_transposed": lambda: transposed(weight_stationary()),
}


class Shape(NamedTuple):
    """A GEMM's streamed, row and column axis, and the array."""

    s: int
    p: int
    q: int
    rows: int
    cols: int


SHAPES = (
    Shape(3, 5, 4, 2, 3),  # ragged tiles both ways
    Shape(2, 7, 5, 3, 1),  # one column; loads and drains nearly as long as the stream
    Shape(1, 5, 3, 3, 2),  # one streamed row: double-buffered, loads and drains alone bound the time
    Shape(9, 2, 3, 2, 2),  # more cycles than the serial engine takes in one iteration
)


def compose(name: str, *, shadows: bool) -> Pass:
    parts = [DATAFLOWS[dataflow]() for dataflow in name.split("+")]
    return interleave(*(double_buffered(part) for part in parts) if shadows else parts)


def data(pass_: Pass, shape: Shape, odd: list[float]) -> tuple[Floats, tuple[Floats, ...]]:
    """The shared operand and each slot's, of small integers, zeros among them, and a few of ``odd``."""
    rng = np.random.default_rng(shape.s)

    def draw(*size: int) -> Floats:
        usual = rng.integers(-3, 4, size)
        return np.where(rng.random(size) < 0.15, rng.choice(odd, size), usual).astype(np.float32)

    s, p, q, *_ = shape
    return draw(s, p), tuple(draw(p if keeps == "operand" else s, q) for keeps in pass_.keeps)


def assert_right(name: str, shape: Shape, *, shadows: bool, order: Order = "alternate") -> None:
    """Results are numpy's, NaN and infinity included, and the events those of the closed form and the data."""
    pass_ = compose(name, shadows=shadows)
    s, p, q, rows, cols = shape

    @jax.jit
    def run(h: jax.Array, operands: tuple[jax.Array, ...]) -> tuple[tuple[jax.Array, ...], Events]:
        if shadows or "nothing" in pass_.keeps or order == "overlapped drain":
            return overlapped.run(pass_, h, operands, rows, cols, order, shadows=shadows)
        return serial.run(pass_, h, operands, rows, cols)

    closed = closed_form.events(pass_.keeps, order, s, p, q, Accelerator(rows, cols, shadows))
    for odd in ([0.0, 5.0], [np.inf, -np.inf, np.nan, 0.0]):
        h, operands = data(pass_, shape, odd)
        results, events = run(h, operands)
        slots = []
        for index, (keeps, result, slot) in enumerate(zip(pass_.keeps, results, closed.slots, strict=True)):
            right = operands[index - 1].T if keeps == "nothing" else operands[index]
            left = {"operand": h, "result": h.T, "nothing": operands[index]}[keeps]
            with np.errstate(invalid="ignore"):
                np.testing.assert_array_equal(result, left @ right)
            met = (left != 0).astype(int) @ (right != 0).astype(int)
            slots.append(slot._replace(effectual_macs=int(met.sum())))
        assert as_ints(events) == closed._replace(slots=tuple(slots))


def as_ints(events: Events) -> Events:
    def as_int(count: Wide) -> int:
        return int(count.high) * 2**32 + int(count.low)

    return jax.tree.map(as_int, events, is_leaf=lambda leaf: isinstance(leaf, Wide))


def temporary_bytes_a_row(pass_: Pass, lanes: int, *, shadows: bool) -> float:
    """How many bytes of temporaries each further streamed row costs a compiled run on one lanes x lanes tile."""

    def compiled(s: int) -> int:
        def run(h: jax.Array, *operands: jax.Array) -> tuple[jax.Array, ...]:
            if shadows:
                return overlapped.run(pass_, h, operands, lanes, lanes, "alternate")[0]
            return serial.run(pass_, h, operands, lanes, lanes)[0]

        heights = [s, *(lanes if keeps == "operand" else s for keeps in pass_.keeps)]
        arguments = [jax.ShapeDtypeStruct((height, lanes), np.float32) for height in heights]
        statistics = jax.jit(run).lower(*arguments).compile().memory_analysis()
        assert statistics is not None
        assert statistics.temp_size_in_bytes > 0
        return statistics.temp_size_in_bytes

    short, long = 128, 1152
    return (compiled(long) - compiled(short)) / (long - short)
