"""One layer's forward and gradients on the array, and what they cost: the core that everything above calls."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import ArrayLike, Float

from jaxgrad.array import choice, execute, forwards, layers, operands, schedules
from jaxgrad.array.counters import Counters, check_count
from jaxgrad.array.counts import Key
from jaxgrad.array.execute import FIDELITIES
from jaxgrad.array.forwards import Forward
from jaxgrad.array.gemm import Gemm
from jaxgrad.array.mapping import Mapping
from jaxgrad.array.partial import parts
from jaxgrad.array.rounding import check_computes, rounded
from jaxgrad.array.schedules import IN_ARRAY, OBJECTIVES, TITLES, TRAINING_SCHEDULES, WEIGHT_UPDATES, Schedule
from jaxgrad.base.errors import InputError, either, one_of
from jaxgrad.hardware import Accelerator, Precision


@dataclass(frozen=True, init=False)
class Emulation:
    """How GEMMs run on the array: hardware, schedule and fidelity. Hashable, so that jit can hold it static.

    Args:
        array: the hardware.
        schedule: how a layer's two gradients run: a ``Schedule``, or the name of a registered one
            (``schedules.SCHEDULES``); ``ws`` computes dX alone, ``os`` dW alone.
        fidelity: ``register`` (every cycle), ``tile`` (a matmul a tile) or ``native`` (XLA's own, closed form).
        forward: how the forward pass runs: a ``Forward``, or the name of a registered one, ``ws``, ``os`` or ``is``.
        weight_update: ``none``, ``separate`` (w and dW read, w written) or ``in_array`` (w and dW meet in the PE, so w
            is written instead of dW; for ``interleaved`` and plain SGD. A layer that computes no dX has no w in the
            array, and one that computes dW of some columns of x has no whole dW: it is counted as ``separate``).
        objective: what a choice among schedules, such as ``auto`` or ``best``, minimises: ``cycles`` or ``accesses``;
            ``energy`` and ``edp`` are for ``costs.step_cost``, whose machine has prices.
        precision: number formats to round to: operands as they enter the array, results as they leave it; sums are
            kept in fp32. None for the operands' own dtype.

    Raises:
        ValueError: a field is none of these, or they do not go together.

    >>> Emulation(Accelerator(4, 4), schedule="interleaved", fidelity="tile").schedule.name
    'interleaved'
    """

    array: Accelerator
    schedule: Schedule
    fidelity: str
    forward: Forward
    weight_update: str
    objective: str
    precision: Precision | None

    def __init__(
        self,
        array: Accelerator,
        schedule: str | Schedule = "interleaved",
        fidelity: str = "native",
        forward: str | Forward = "ws",
        weight_update: str = "none",
        objective: str = "cycles",
        precision: Precision | None = None,
    ) -> None:
        set_field = object.__setattr__
        set_field(self, "array", array)
        set_field(self, "schedule", schedules.find(schedule))
        set_field(self, "fidelity", fidelity)
        set_field(self, "forward", forwards.find(forward))
        set_field(self, "weight_update", weight_update)
        set_field(self, "objective", objective)
        set_field(self, "precision", precision)
        self._check()

    def _check(self) -> None:
        if not isinstance(self.array, Accelerator):
            raise InputError("array", self.array, "give an Accelerator(rows, cols)")
        one_of("fidelity", self.fidelity, FIDELITIES)
        one_of("weight_update", self.weight_update, WEIGHT_UPDATES)
        one_of("objective", self.objective, OBJECTIVES)
        if self.precision is not None:
            check_computes(self.precision)
        if self.weight_update == "in_array" and not self.schedule.updates_in_array:
            raise InputError(
                "weight_update",
                "in_array",
                "w and dW meet in the array only when interleaved, so choose schedule "
                f"{either(map(repr, IN_ARRAY))}, or weight_update 'separate'",
                problem=f"got 'in_array' with schedule {self.schedule.name!r}",
            )


def emulate(
    x: Float[ArrayLike, "b columns"],
    w: Float[ArrayLike, "k n"],
    dy: Float[ArrayLike, "b n"],
    array: Accelerator,
    schedule: str | Schedule = "interleaved",
    fidelity: str = "native",
    *,
    weight_update: str = "none",
    objective: str = "cycles",
    precision: Precision | None = None,
) -> tuple[Float[Array, "b k"] | None, Float[Array, "columns n"] | None, Counters]:
    """The gradients of ``y = x w`` on the array.

    Args:
        x: the layer's input; or its first columns alone, as many as dW is wanted to have rows (DESIGN.md section 2).
        w: its weights.
        dy: the cotangent of its output.
        array: the hardware.
        schedule, fidelity, weight_update, objective, precision: see ``Emulation``.

    Returns:
        ``dx = dy w^T`` (None under ``os``), ``dw = x^T dy`` (None under ``ws``), and the counters of the two. Products
        are summed in float32 at least; the results have the operands' dtype.

    Raises:
        ValueError: a shape, a dtype or a name will not do.

    >>> import jax.numpy as jnp
    >>> x, w, dy = jnp.ones((8, 9)), jnp.ones((9, 10)), jnp.ones((8, 10))
    >>> dx, dw, counters = emulate(x, w, dy, Accelerator(4, 4), "interleaved", "register")
    >>> dx.shape, dw.shape, counters.as_dict()["dy_reads"]
    ((8, 9), (9, 10), 240)
    """
    emulation = Emulation(
        array, schedule, fidelity, weight_update=weight_update, objective=objective, precision=precision
    )
    gives = emulation.schedule.gives
    return backward(x, w, dy, emulation, dx="dx" in gives, dw="dw" in gives)


def forward(
    x: Float[ArrayLike, "b k"], w: Float[ArrayLike, "k n"], emulation: Emulation
) -> tuple[Float[Array, "b n"], Counters]:
    """``y = x w`` on the array, by the emulation's forward dataflow.

    Raises:
        ValueError: a shape or a dtype will not do.

    >>> import jax.numpy as jnp
    >>> y, counters = forward(jnp.ones((8, 9)), jnp.ones((9, 10)), Emulation(Accelerator(4, 4)))
    >>> y.shape, counters.as_dict()["macs"]
    ((8, 10), 720)
    """
    _check_emulation(emulation)
    x, w = operands.matrix("x", x), operands.matrix("w", w)
    operands.check_product(x, w)
    return product(x, w, emulation)


def product(x: Array, w: Array, emulation: Emulation) -> tuple[Array, Counters]:
    """``forward`` of matrices of one type that go together; also of integers as wide as the array's sums, which wrap.

    Raises:
        ValueError: no counter holds what it takes.
    """
    check_countable(Gemm(x.shape[0], *w.shape), emulation.array, (emulation.forward.mapping,))
    return _forward(x, w, emulation)


def backward(
    x: Float[ArrayLike, "b columns"],
    w: Float[ArrayLike, "k n"],
    dy: Float[ArrayLike, "b n"],
    emulation: Emulation,
    *,
    dx: bool = True,
    dw: bool = True,
) -> tuple[Float[Array, "b k"] | None, Float[Array, "columns n"] | None, Counters]:
    """The gradients that are wanted of ``y = x w``, on the array; the others are None and cost nothing.

    Of an x of fewer columns than w has rows, dW is of these columns, the first ones; dX is whole.

    Raises:
        ValueError: a shape or a dtype will not do, or the schedule does not compute what is wanted.

    >>> import jax.numpy as jnp
    >>> x, w, dy = jnp.ones((8, 9)), jnp.ones((9, 10)), jnp.ones((8, 10))
    >>> dx, dw, counters = backward(x, w, dy, Emulation(Accelerator(4, 4)), dx=False)
    >>> dx, dw.shape, counters.as_dict()["macs"]
    (None, (9, 10), 720)
    """
    _check_emulation(emulation)
    x, w, dy = operands.matrix("x", x), operands.matrix("w", w), operands.matrix("dy", dy)
    operands.check_columns(x, w)
    operands.check_cotangent(x, w, dy)
    _can_compute(emulation.schedule, dx=dx, dw=dw)
    gemm, columns = Gemm(x.shape[0], *w.shape), x.shape[1]
    mappings = backward_mappings(gemm, emulation, dx=dx, dw=dw, columns=columns)
    check_countable(gemm, emulation.array, mappings, columns)
    return _backward(x, w, dy, emulation, dx, dw)


@partial(jax.jit, static_argnames=("emulation",))
def _forward(x: Array, w: Array, emulation: Emulation) -> tuple[Array, Counters]:
    dtype = operands.accumulator(x.dtype)
    tensors = {
        "x": rounded("x", x, emulation.precision).astype(dtype),
        "w": rounded("w", w, emulation.precision).astype(dtype),
    }
    outputs, counts = execute.run(emulation.forward.mapping, tensors, emulation.array, emulation.fidelity)
    return rounded("y", outputs["y"], emulation.precision).astype(x.dtype), counts


@partial(jax.jit, static_argnames=("emulation", "dx", "dw"))
def _backward(
    x: Array, w: Array, dy: Array, emulation: Emulation, dx: bool, dw: bool
) -> tuple[Array | None, Array | None, Counters]:
    gemm = Gemm(x.shape[0], *w.shape)
    dtype = operands.accumulator(x.dtype)
    inputs = {"x": x, "w": w, "dy": dy}
    tensors = {name: rounded(name, values, emulation.precision).astype(dtype) for name, values in inputs.items()}
    outputs: dict[str, Array] = {}
    columns = x.shape[1]
    mappings = backward_mappings(gemm, emulation, dx=dx, dw=dw, columns=columns)
    counts = Counters.zero()
    for part in (part for mapping in mappings for part in parts(mapping, gemm.in_features, columns, emulation.array)):
        weights = tensors["w"][part.start : part.start + part.dx]
        results, spent = execute.run(part.mapping, tensors | {"w": weights}, emulation.array, emulation.fidelity)
        if part.start:
            results["dx"] = jnp.concatenate([outputs["dx"], results["dx"]], axis=1)
        outputs |= results
        counts += spent
    counts = _updated(counts, update(gemm, emulation, mappings, columns))
    results = {name: rounded(name, values, emulation.precision).astype(x.dtype) for name, values in outputs.items()}
    return results.get("dx"), results.get("dw"), counts


def backward_mappings(
    gemm: Gemm, emulation: Emulation, *, dx: bool, dw: bool, columns: int | None = None
) -> tuple[Mapping, ...]:
    """What computes the gradients that are wanted of a layer, dW of its first ``columns`` columns of x, or of all."""
    return choice.backward_mappings(
        emulation.schedule, gemm, emulation.array, objective=emulation.objective, dx=dx, dw=dw, columns=columns
    )


def check_countable(gemm: Gemm, array: Accelerator, mappings: tuple[Mapping, ...], columns: int | None = None) -> None:
    """Refuses what no counter holds."""
    closed_form(gemm, array, mappings, columns)


def closed_form(
    gemm: Gemm, array: Accelerator, mappings: tuple[Mapping, ...], columns: int | None = None
) -> dict[Key, int]:
    """The counts of mappings, one after the other.

    Raises:
        ValueError: no counter holds one of them.
    """
    totals = layers.counts(mappings, gemm.sizes, array, columns)
    for key, total in totals.items():
        check_count(key.name, total)
    return totals


def update(
    gemm: Gemm, emulation: Emulation, mappings: tuple[Mapping, ...], columns: int | None = None
) -> dict[Key, int]:
    """What the weight update adds, where the mappings give dW; in the array only where they give all of it."""
    if not any("dw" in mapping.results for mapping in mappings):
        return {}
    whole = columns in (None, gemm.in_features)
    in_array = whole and any(mapping.updates_in_array for mapping in mappings)
    return layers.update(emulation.weight_update, gemm.sizes, in_array=in_array)


def _updated(counts: Counters, update: dict[Key, int]) -> Counters:
    added = Counters.from_counts({key: number for key, number in update.items() if number > 0})
    taken = Counters.from_counts({key: -number for key, number in update.items() if number < 0})
    return counts + added - taken


def _check_emulation(emulation: Any) -> None:
    if not isinstance(emulation, Emulation):
        raise InputError("emulation", emulation, "give an Emulation(array=Accelerator(rows, cols))")


def _can_compute(schedule: Schedule, *, dx: bool, dw: bool) -> None:
    for missing in schedules.lacking(schedule, dx=dx, dw=dw):
        alone = TITLES[schedule.gives[0]]
        raise InputError(
            "schedule",
            schedule.name,
            f"for {missing} too choose {either(TRAINING_SCHEDULES)}",
            problem=f"got {schedule.name!r}, which computes {alone} alone",
        )
