"""The GEMMs of LSTM, GRU and RNN, by ONNX's shapes: X is (steps, batch, inputs), W (directions, gates H, inputs), R
(directions, gates H, H).

Of each direction, all steps' inputs meet W in one GEMM; at each step the state meets R. All steps count alike, the
first too, whose state is zero unless it is given.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from jaxgrad.array.gemm import Gemm
from jaxgrad.base.errors import InputError

_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
_DIRECTIONS = {b"forward": ("",), b"reverse": ("",), b"bidirectional": (".forward", ".reverse")}


class Recurrence(NamedTuple):
    """One direction.

    Args:
        suffix: of its name.
        steps: how often the state is computed.
        inputs: the GEMM of all inputs.
        states: the GEMMs of one step, one after another: a GRU's candidate meets R after its gates are known, unless
            ``linear_before_reset`` says otherwise.
    """

    suffix: str
    steps: int
    inputs: Gemm
    states: tuple[Gemm, ...]


def recurrences(
    kind: str,
    name: str,
    attributes: Mapping[str, Any],
    x: tuple[int, ...],
    w: tuple[int, ...],
    r: tuple[int, ...],
) -> list[Recurrence]:
    """The directions of an LSTM, a GRU or an RNN.

    Args:
        kind, name, attributes: of the node.
        x, w, r: shapes of its first three operands.

    Raises:
        InputError: the shapes or the direction are not ONNX's.
    """
    gates = _GATES[kind]
    direction = attributes.get("direction", b"forward")
    suffixes = _DIRECTIONS.get(direction)
    if suffixes is None:
        raise InputError("model", direction, f"give one of forward, reverse, bidirectional to {kind} ({name})")
    hidden = r[-1]
    if len(x) != 3 or w != (len(suffixes), gates * hidden, x[2]) or r != (len(suffixes), gates * hidden, hidden):
        problem = f"got X of {x}, W of {w} and R of {r} for {kind} ({name})"
        raise InputError("model", (x, w, r), "give what fits", problem=problem)
    steps, batch = (x[1], x[0]) if attributes.get("layout", 0) else (x[0], x[1])
    parts = (2, 1) if kind == "GRU" and not attributes.get("linear_before_reset", 0) else (gates,)
    inputs = Gemm(steps * batch, x[2], gates * hidden)
    states = tuple(Gemm(batch, hidden, part * hidden) for part in parts)
    return [Recurrence(suffix, steps, inputs, states) for suffix in suffixes]
