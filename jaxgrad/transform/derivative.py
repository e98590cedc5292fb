"""The derivative of an emulated function: JAX's own, traced, planned and run on the array like any function.

A derivative is taken of the plain function and traced with it, as two calls: the forward pass, which hands on the
residuals, and the backward pass, of those and the cotangents. So gradients taken outside of an emulated function are
the same equations, found and run in the same way, as those that a function computes itself.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal, jaxpr_as_fun
from jaxtyping import Float32

from jaxgrad.array.counters import total
from jaxgrad.array.manual_axes import varied, zeros_of
from jaxgrad.autodiff import LayerCounters
from jaxgrad.autodiff.taps import tap_cotangent
from jaxgrad.base.errors import InputError
from jaxgrad.programs.jaxprs import closed
from jaxgrad.programs.tracing import Traced
from jaxgrad.transform.cache import Cache, trace_key
from jaxgrad.transform.calls import Jits, Values
from jaxgrad.transform.interpreter import Interpreter
from jaxgrad.transform.plan import Plan, plan
from jaxgrad.transform.rules import Rules
from jaxgrad.transform.tally import Sites, merged, nothing

Taps = Float32[Array, "2 8 15"] | Mapping[str, Float32[Array, "2 8 15"]]
Run = Callable[[Taps, Sequence[Any], Sequence[Any]], tuple[Values, Sites]]


class Program(NamedTuple):
    """A function's trace, and what runs it.

    Args:
        jaxpr: of the trace.
        interpreter: with its plan, and what it has compiled.
        names: of the jaxpr's operands.
    """

    jaxpr: Jaxpr
    interpreter: Interpreter
    names: Sequence[str]

    @classmethod
    def of(cls, traced: Traced, rules: Rules, cache: Cache) -> Program:
        """The function's program, of an earlier call whose trace was the same if there was one."""
        jaxpr, names = traced.jaxpr.jaxpr, traced.names

        def program(jits: Jits | None) -> Program:
            return cls(jaxpr, Interpreter(plan(traced.jaxpr, rules, names), jits), names)

        return cache.get(trace_key("program", jaxpr, names, rules), program)


def differentiable(jaxpr: Jaxpr, program: Program, rules: Rules, cache: Cache) -> Run:
    """``(taps, consts, operands) -> results and what the products took``, differentiable once, in reverse.

    The cotangents of ``taps`` tell what the forward and the backward pass took: of one tap alone all of it, of taps by
    label what the product of that label took.

    Args:
        jaxpr: of this call's trace, with its own derivative rules.
        program: of the function, maybe from a call before.
        rules: which products run where.
        cache: for the derivative.
    """
    planned = program.interpreter.plan

    @jax.custom_vjp
    def run(taps: Any, consts: Sequence[Any], operands: Sequence[Any]) -> tuple[Values, Sites]:
        return program.interpreter.run(program.jaxpr, (), consts, operands)

    def forward(taps: Any, consts: Sequence[Any], operands: Sequence[Any]) -> tuple[tuple[Values, Sites], Any]:
        values = [*consts, *operands]
        moving = tuple(primal.perturbed for primal in values)
        derivative = cache.get(
            trace_key("derivative", jaxpr, program.names, moving, rules, differentiated=True),
            lambda jits: Derivative.of(jaxpr, rules, values, program.names, jits),
        )
        for note in derivative.plan.notes:
            if note not in planned.notes:  # no tally has it: that of the forward pass is made
                warnings.warn(f"emulated: {note}", stacklevel=2)
        outs, sites, saved = derivative.forward([primal.value for primal in values])
        told = _labelled(sites, derivative.plan.labels((0,)), planned.labels(()))
        wanted = jax.tree.map(lambda tap: tap.value if tap.perturbed else None, taps, is_leaf=_is_primal)
        return (outs, told), (derivative, saved, wanted, sites)

    def backward(residuals: Any, cotangents: tuple[Values, Any]) -> tuple[Any, ...]:
        derivative, saved, taps, before = residuals
        gradients, after = derivative.backward(saved, cotangents[0])
        spent = merged(before, after)
        if isinstance(taps, Mapping):
            spent = _labelled(spent, derivative.plan.labels((0,)), planned.labels(()))
        return _told(taps, spent), gradients[: len(jaxpr.constvars)], gradients[len(jaxpr.constvars) :]

    run.defvjp(forward, backward, symbolic_zeros=True)

    def varying(taps: Any, consts: Sequence[Any], operands: Sequence[Any]) -> tuple[Values, Sites]:
        return run(varied(taps, *consts, *operands), consts, operands)

    return varying


def _is_primal(leaf: Any) -> bool:
    return hasattr(leaf, "perturbed")


def _told(taps: Any, spent: Sites) -> Any:
    """The cotangents of the taps that are asked for."""
    if isinstance(taps, Mapping):
        return {label: _cotangent(tap, [spent[label]] if label in spent else []) for label, tap in taps.items()}
    return _cotangent(taps, list(spent.values()))


def _cotangent(tap: Array | None, spent: list[LayerCounters]) -> Array | None:
    if tap is None:
        return None
    forward, backward = (
        total([counters.forward for counters in spent]),
        total([counters.backward for counters in spent]),
    )
    return varied(tap_cotangent(forward, backward), tap)


@jax.tree_util.register_static
@dataclass(frozen=True, eq=False)
class Derivative:
    """A function's forward and backward pass in one trace.

    Args:
        jaxpr: of two equations: a call of the forward pass, on what the function is of, and one of the backward pass,
            on what that hands on and the cotangents of the results that have some.
        moving: which of the function's operands have a gradient.
        floats: which of its results have a cotangent.
        interpreter: with the plan for the products of both.
    """

    jaxpr: ClosedJaxpr
    moving: tuple[bool, ...]
    floats: tuple[bool, ...]
    interpreter: Interpreter

    @property
    def plan(self) -> Plan:
        return self.interpreter.plan

    @classmethod
    def of(
        cls, jaxpr: Jaxpr, rules: Rules, values: Sequence[Any], names: Sequence[str], jits: Jits | None
    ) -> Derivative:
        """The derivative by the ``perturbed`` ones of the values, which are the jaxpr's constants and its operands, of
        these names; ``jits`` are for what it compiles."""
        moving = tuple(primal.perturbed for primal in values)
        floats = tuple(jnp.issubdtype(out.aval.dtype, jnp.inexact) for out in jaxpr.outvars)  # pyright: ignore[reportAttributeAccessIssue]
        consts = len(jaxpr.constvars)

        def first(values: Values) -> tuple[Values, Values, Any]:
            def function(*changing: Any) -> tuple[Values, Values]:
                arguments = _filled(moving, changing, _chosen(values, moving, among=False))
                outs = jaxpr_as_fun(ClosedJaxpr(jaxpr, arguments[:consts]))(*arguments[consts:])
                return _chosen(outs, floats), _chosen(outs, floats, among=False)

            outs, pullback, others = jax.vjp(function, *_chosen(values, moving), has_aux=True)
            return outs, others, pullback

        def both(values: Values, cotangents: Values) -> tuple[Any, ...]:
            outs, others, pullback = jax.jit(first)(values)
            return outs, others, jax.jit(lambda pullback, cotangents: pullback(cotangents))(pullback, cotangents)

        primals = [primal.value for primal in values]
        traced = jax.make_jaxpr(both)(primals, jax.eval_shape(first, primals)[0])
        planned = plan(traced, rules, ("",) * consts + tuple(names))
        return cls(traced, moving, floats, Interpreter(planned, jits))

    def forward(self, values: Sequence[Any]) -> tuple[Values, Sites, Values]:
        """The function's results, what they took, and the residuals: what the backward pass needs."""
        jaxpr = self.jaxpr.jaxpr
        environment = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*self.jaxpr.consts, *values), strict=False))
        sites = self._call(0, environment)
        outs = [_read(out, environment) for out in jaxpr.outvars[: len(self.floats)]]
        split = sum(self.floats)
        return (
            _filled(self.floats, outs[:split], outs[split:]),
            sites,
            [environment[variable] for variable in self._saved],
        )

    def backward(self, saved: Sequence[Any], cotangents: Sequence[Any]) -> tuple[Values, Sites]:
        """The gradients of all operands, None for those without, and what they took."""
        jaxpr = self.jaxpr.jaxpr
        environment = dict(zip(self._saved, saved, strict=True))
        present = _chosen(cotangents, self.floats)
        for variable, cotangent in zip(self._cotangents, present, strict=True):
            zero = isinstance(cotangent, jax.custom_derivatives.SymbolicZero)
            environment[variable] = zeros_of(variable.aval) if zero else cotangent
        sites = self._call(1, environment)
        gradients = [_once(_read(out, environment)) for out in jaxpr.outvars[len(self.floats) :]]
        return _filled(self.moving, gradients, [None] * (len(self.moving) - len(gradients))), sites

    def _call(self, index: int, environment: dict[Any, Any]) -> Sites:
        equation = self.jaxpr.jaxpr.eqns[index]
        operands = [_read(variable, environment) for variable in equation.invars]
        # No function that the program has jitted: what is jitted in it stays so.
        ((inner, consts),) = closed(equation)
        outs, sites = self.interpreter.run(inner, (index, 0), consts, operands)
        environment.update(zip(equation.outvars, outs, strict=True))
        return sites

    @property
    def _cotangents(self) -> list[Any]:
        return list(self.jaxpr.jaxpr.invars[len(self.moving) :])

    @property
    def _saved(self) -> list[Any]:
        """The variables of the forward pass that the backward pass is of, or gives."""
        jaxpr = self.jaxpr.jaxpr
        needed = (*jaxpr.eqns[1].invars, *jaxpr.outvars[len(self.floats) :])
        backward = {*self._cotangents, *jaxpr.eqns[1].outvars}
        return [
            variable
            for variable in dict.fromkeys(needed)
            if not isinstance(variable, Literal) and variable not in backward
        ]


@jax.custom_jvp
def _once(gradient: Array) -> Array:
    """A gradient, which refuses to be differentiated again."""
    return gradient


@_once.defjvp
def _(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    raise InputError(
        "emulate_function",
        None,
        "put the first one inside, emulate_function(jax.grad(...))",
        problem="got a second derivative of one emulated function",
    )


def _labelled(sites: Sites, traced: list[str], planned: list[str]) -> Sites:
    """The counters under the labels that the function has when it is not differentiated.

    Only a derivative rule of its own can have other products than the function itself: theirs go to the last label.
    """
    names = dict(zip(traced, planned, strict=False)) | {label: label for label in planned}
    result = nothing(planned)
    for label, counters in sites.items():
        if planned:
            result = merged(result, {names.get(label, planned[-1]): counters})
    return result


def _read(variable: Any, environment: dict[Any, Any]) -> Any:
    if isinstance(variable, Literal):
        return jnp.asarray(variable.val, variable.aval.dtype)  # pyright: ignore[reportAttributeAccessIssue]
    return environment[variable]


def _chosen(values: Sequence[Any], which: Sequence[bool], *, among: bool = True) -> Values:
    return [value for value, is_one in zip(values, which, strict=True) if is_one == among]


def _filled(which: Sequence[bool], ones: Sequence[Any], others: Sequence[Any]) -> Values:
    """The inverse of choosing."""
    sources = {True: iter(ones), False: iter(others)}
    return [next(sources[is_one]) for is_one in which]
