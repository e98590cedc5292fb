"""What any JAX function asks of an accelerator: its GEMMs and its vector unit's work, from a trace of it."""

from __future__ import annotations

import functools
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from jax.extend.core import Jaxpr, JaxprEqn

from jaxgrad import costs as evaluate
from jaxgrad.array.emulation import Emulation
from jaxgrad.array.schedules import Schedule
from jaxgrad.autodiff.estimators import EXACT
from jaxgrad.autodiff.estimators.asked import Estimators
from jaxgrad.base.errors import InputError, positive_integer
from jaxgrad.base.tabular import Tabular, of_rows
from jaxgrad.costs import StepCost
from jaxgrad.hardware import Machine
from jaxgrad.programs import Edge, Graph, LayerGemm, ReluMask, VectorWork, collector, jaxprs, vector_work
from jaxgrad.programs.edges import Call, graph
from jaxgrad.programs.kinds import labelled
from jaxgrad.programs.layers import layers
from jaxgrad.programs.lines import where
from jaxgrad.programs.masks import relu_masks
from jaxgrad.programs.names import told_apart
from jaxgrad.programs.numbering import walk
from jaxgrad.programs.operations import LAPACK
from jaxgrad.programs.products import Product, products, tangents
from jaxgrad.programs.shapes import PRODUCTS
from jaxgrad.programs.trace import Trace
from jaxgrad.programs.tracing import Traced, trace_or_refuse
from jaxgrad.programs.whole import record

Trips = int | Mapping[str, int]
_UNSEEN = ("pallas_call", "custom_call", "ffi_call", "pure_callback", "io_callback")


@dataclass(frozen=True)
class Profile(Tabular):
    """What one call of a function asks for.

    Args:
        gemms: of the array; a forward product together with the gradients that were recognised as its own.
        vector: of the vector unit.
        notes: what could not be known, or was taken for what it may not be; a line each.
        graph: which of the GEMMs feeds which, and what crosses.
        masks: of the ReLUs of which a derivative is taken.

    >>> import numpy as np
    >>> from jaxgrad import Accelerator, Emulation, profile
    >>> from jaxgrad.costs import CYCLES
    >>> found = profile(lambda x, w: x @ w, np.ones((8, 9), "f"), np.ones((9, 10), "f"))
    >>> found.cost(Emulation(Accelerator(4, 4)), ["interleaved"]).step("interleaved")[CYCLES]
    162
    """

    gemms: list[LayerGemm]
    vector: list[VectorWork]
    notes: list[str]
    graph: Graph
    masks: Sequence[ReluMask] = ()

    @property
    def edges(self) -> tuple[Edge, ...]:
        """What goes from one GEMM to the next; see ``programs.Edge``."""
        return self.graph.edges

    def columns(self) -> dict[str, list[Any]]:
        """A row for the GEMMs of each shape of each layer: the forward ones, and which gradients are wanted."""
        rows = [
            {
                "layer": gemm.path,
                **asdict(gemm.gemm),
                "times": gemm.times,
                "recomputed": gemm.recomputed,
                "needs_dx": gemm.needs_dx,
                "needs_dw": gemm.needs_dw,
                "macs": gemm.gemm.macs * gemm.times,
            }
            for gemm in self.gemms
        ]
        return of_rows(rows)

    def cost(
        self,
        emulation: Emulation,
        schedules: Sequence[str | Schedule] = evaluate.TRAINING_SCHEDULES,
        *,
        machine: Machine | None = None,
        estimator: Estimators = EXACT,
    ) -> StepCost:
        """The counts under each of the schedules, of the array and, where the machine has one, of its vector unit; see
        ``evaluate.step_cost``."""
        return evaluate.step_cost(
            self.gemms,
            emulation,
            schedules,
            machine=machine,
            vector_work=self.vector,
            estimator=estimator,
            masks=self.masks,
        )


def profile(function: Callable[..., Any], *args: Any, trips: Trips | None = None, **kwargs: Any) -> Profile:
    """Reads what a call of ``function`` asks of an accelerator off a trace of it, without running it.

    The function may be anything JAX traces: a loss, its gradient, a whole training step, with ``jit``, ``scan``,
    ``remat``, ``vmap``, ``custom_vjp``, ``cond`` or ``shard_map`` inside.

    Args:
        function: what to trace.
        args, kwargs: what it is called with. Arrays may be of class ``jax.ShapeDtypeStruct``; what is no array (a
            number of Python, too) is handed on as it is.
        trips: how often while loops run, which no trace tells: one number for all, or one for each by the name that
            the notes have for it, such as ``while@train.py:31``.

    Raises:
        ValueError: the function can't be traced, or ``trips`` names a loop that is not there.

    >>> import jax, jax.numpy as jnp
    >>> loss = lambda w, x: (x @ w).sum()
    >>> found = profile(jax.grad(loss), jnp.ones((9, 10)), jnp.ones((8, 9)))
    >>> [(gemm.gemm.macs, gemm.needs_dx, gemm.needs_dw) for gemm in found.gemms]
    [(720, False, True)]
    """
    with collector.at_rest():
        return _read(_trace(function, args, kwargs), trips)


def _read(traced: Traced, trips: Trips | None) -> Profile:
    notes: list[str] = []
    inner = _with_trips(traced.jaxpr.jaxpr, trips, notes)
    jaxpr = traced.jaxpr.replace(jaxpr=inner)
    walked = walk(jaxpr)
    in_trace = products(walked)
    notes += _remarks(inner, in_trace)
    read = labelled(jaxpr)
    calls = _calls(in_trace, walked, traced.names)
    gradients = [product.site for product in in_trace if product.of is not None]
    gemms = [call.gemm for call in calls]
    edges = graph(inner, walked, calls, gradients)
    return Profile(gemms, vector_work(read), notes, edges, relu_masks(walked))


def _trace(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Traced:
    """A call, its modules named, of which what is no array is a part.

    Raises:
        ValueError: the function can't be traced.
    """
    if not callable(function):
        raise InputError("function", function, "give something to call", problem=f"got {type(function).__name__}")

    @functools.wraps(function)
    def named(*args: Any, **kwargs: Any) -> Any:
        _name_modules([*args, *kwargs.values()])
        return function(*args, **kwargs)

    return trace_or_refuse(named, args, kwargs)


def _name_modules(arguments: Iterable[Any]) -> None:
    """Has NNX models among the arguments, which are this trace's own, say who their parts are."""
    if "flax.nnx" in sys.modules:
        from flax import nnx

        from jaxgrad.flax import tracing

        for argument in arguments:
            if isinstance(argument, nnx.Module):
                tracing.write_quickly(argument)
                tracing.name_modules(argument)


def _with_trips(jaxpr: Jaxpr, trips: Trips | None, notes: list[str]) -> Jaxpr:
    loops = _loop_names(jaxpr)
    if isinstance(trips, Mapping):
        for name, number in trips.items():
            positive_integer(f"trips[{name}]", number)
            if name not in loops.values():
                there = ", ".join(dict.fromkeys(loops.values()))
                remedy = f"give one of {there}" if there else "leave it out, the function has no while loop"
                raise InputError("trips", name, remedy)
    elif trips is not None:
        positive_integer("trips", trips)

    def trips_of(equation: JaxprEqn) -> int | None:
        name = loops.get(id(equation), "")
        return trips.get(name) if isinstance(trips, Mapping) else trips

    unknown = dict.fromkeys(
        name for name in loops.values() if trips is None or (isinstance(trips, Mapping) and name not in trips)
    )
    notes += [
        f"{name}: how often it runs is not in the trace; its body counts once, give trips={{{name!r}: N}}"
        for name in unknown
    ]
    return jaxprs.with_trips(jaxpr, trips_of)


def _loop_names(jaxpr: Jaxpr) -> dict[int, str]:
    """The while loops whose bodies are counted, by identity, named by their lines."""
    loops = [equation for equation in _counted(jaxpr) if equation.primitive.name == "while"]
    lines = [f"while@{where(equation)}" for equation in loops]
    return dict(zip(map(id, loops), told_apart(lines), strict=True))


def _counted(jaxpr: Jaxpr) -> Iterator[JaxprEqn]:
    """Those equations that the walk of the trace comes by."""
    for equation in jaxpr.eqns:
        yield equation
        for _, inner in jaxprs.followed(equation):
            yield from _counted(inner)


def _remarks(jaxpr: Jaxpr, in_trace: list[Product]) -> list[str]:
    notes = []
    primitives = Counter(equation.primitive.name for equation in jaxprs.equations(jaxpr))
    if primitives["cond"]:
        notes.append(f"cond: {primitives['cond']} of them; which branch runs is not in the trace, all are counted")
    if primitives["shard_map"]:
        notes.append("shard_map: counts are of all its devices together")
    notes += [
        f"{name}: {primitives[name]} of them; what they compute is not in the trace and not counted"
        for name in _UNSEEN
        if primitives[name]
    ]
    ragged = [product for product in in_trace if product.site.equation.primitive.name == "ragged_dot_general"]
    if ragged:
        notes.append(
            f"ragged: {len(ragged)} products of rows in groups ({_lines(ragged)}); the groups' sizes are not in the "
            "trace, all are taken to be equal"
        )
    notes += [
        f"{name}: {primitives[name]} of them; work of neither the array nor the vector unit, and not counted"
        for name in sorted(LAPACK & primitives.keys())
    ]
    hidden = Counter(equation.primitive.name for equation in jaxprs.equations(jaxpr) if _hides_products(equation))
    notes += [f"{name}: {times} of them; the products inside are not counted" for name, times in hidden.items()]
    other = [product for product in in_trace if product.site.place.backward and product.of is None]
    if other:
        notes.append(
            f"other: {len(other)} products of the backward pass are no layer's dX or dW ({_lines(other)}); each counts "
            "as a forward GEMM"
        )
    forward_mode = tangents(in_trace)
    if forward_mode:
        notes.append(
            f"jvp: {len(forward_mode)} products seem to be derivatives in forward mode, of jax.jvp or jax.linearize "
            f"({_lines(forward_mode)}); each counts as a forward GEMM"
        )
    guessed = [product for product in in_trace if product.guessed]
    if guessed:
        notes.append(
            f"guessed: {len(guessed)} products that JAX did not transpose are taken for gradients, by what they "
            f"contract and what their operands come from ({_lines(guessed)})"
        )
    return notes


def _hides_products(equation: JaxprEqn) -> bool:
    """Whether there are products in what an equation calls, and the walk does not know how they run."""
    if jaxprs.followed(equation):
        return False
    inside = (other for inner in jaxprs.inner(equation) for other in jaxprs.equations(inner))
    return any(other.primitive.name in PRODUCTS for other in inside)


def _lines(in_trace: Iterable[Product]) -> str:
    return ", ".join(dict.fromkeys(product.where for product in in_trace))


def _calls(in_trace: list[Product], walked: Trace, operands: Sequence[str]) -> list[Call]:
    forward = [product for product in in_trace if product.of is None]
    named = layers(forward, walked, operands)
    lines = iter(told_apart([product.where for product in forward if not named[id(product)]]))
    return [
        Call(product.site, record(product, named[id(product)] or next(lines)), product.swapped) for product in forward
    ]
