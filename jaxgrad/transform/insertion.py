"""A function with the products that rules give an estimator computed by it, forward and backward.

An estimator changes what a derivative is, so it takes hold before the derivative is taken: the function is traced, and
run again with those products replaced by ones that have a derivative rule (``estimates``). All else stays as it is in
the trace, loops, ``remat`` and names included.

Keys: a product's is the function's key, folded with its label and with which use of that label it is; each round of a
loop, and each device of ``shard_map``, has another one. Parameters of estimators: a product's are those of its label,
the same ones in each round and on each device.
"""

from __future__ import annotations

import functools
import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from jax import Array
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, Var
from jax.extend.source_info_util import current_name_stack, user_context

from jaxgrad.base.errors import InputError, shown
from jaxgrad.programs import jaxprs
from jaxgrad.programs.tracing import Traced, trace
from jaxgrad.transform import calls, estimates, ragged
from jaxgrad.transform.cache import Cache, trace_key
from jaxgrad.transform.calls import Jits, Values
from jaxgrad.transform.equations import bind
from jaxgrad.transform.estimates import Estimate
from jaxgrad.transform.labels import Path, keep
from jaxgrad.transform.plan import refusal
from jaxgrad.transform.reading import Reading
from jaxgrad.transform.rules import Rules, module_of
from jaxgrad.transform.tally import Sites

Parameters: TypeAlias = Mapping[str, Mapping[str, Array]]
"""Of estimators: by label, or the module that computes it, and by name."""

_KEY = "give put_on_array an nnx.Rngs, Linen's apply an rng named 'estimator', or emulate_function a key"
_PARAMETERS = (
    "call the model that was put on the array, not a part of it, or give emulate_function parameters "
    "(those of its initial_parameters), or put Rule(label, emulation) before the others"
)


def estimated(
    function: Callable[..., Any], rules: Rules, key: Array | None, cache: Cache, parameters: Callable[..., Parameters]
) -> Callable[..., Any]:
    """The function, its gradients those of the rules' estimators; to be traced, and run by an interpreter.

    Args:
        function: any that can be traced; it takes no derivative of a product that has an estimator.
        rules: which products those are.
        key: for estimators that are random.
        cache: for what the traces become.
        parameters: of estimators, from the function's arguments.
    """

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        traced = trace(function, args, kwargs)
        traced_as = trace_key("insertion", traced.jaxpr.jaxpr, traced.names, rules, differentiated=True)
        jaxpr, insertion = cache.get(traced_as, lambda jits: _inserted(traced, rules, jits))
        runner = insertion.with_parameters(parameters(*args, **kwargs)).with_key(key)
        outs, _ = runner.run(jaxpr, (), traced.jaxpr.consts, traced.operands)
        return traced.returned(outs)

    return run


def initial_parameters(traced: Traced, rules: Rules) -> dict[str, dict[str, Array]]:
    """Those of a function's products, as their estimators begin, by what computes each."""
    initial: dict[str, dict[str, Array]] = {}
    for estimate, _ in _products(traced.jaxpr, Reading.of(traced.jaxpr, traced.names), rules).values():
        if estimate.estimator.parameters:
            initial.setdefault(module_of(estimate.label), {}).update(
                jax.tree.map(jnp.asarray, dict(estimate.estimator.parameters))
            )
    return initial


def _inserted(traced: Traced, rules: Rules, jits: Jits | None) -> tuple[Jaxpr, Insertion]:
    """The trace, its products' labels kept, and what runs it with estimators."""
    reading = Reading.of(traced.jaxpr, traced.names)
    kept = {
        reading.paths[id(site)]: reading.names[id(product)]
        for site in reading.sites
        if (product := reading.product(site)) is not None and id(product) in reading.names
    }
    return keep(traced.jaxpr.jaxpr, kept), Insertion(_products(traced.jaxpr, reading, rules), None, {}, jits)


def _products(jaxpr: ClosedJaxpr, reading: Reading, rules: Rules) -> dict[Path, tuple[Estimate, int]]:
    """The products with an estimator, by path, and which use of its label each is.

    Raises:
        ValueError: the function has taken a derivative of one, or defines it.
    """
    estimated_sites: dict[Path, tuple[Estimate, int]] = {}
    uses: Counter[str] = Counter()
    activations = _activations(reading)
    for site in reading.sites:
        product = reading.product(site)
        label = None if product is None else reading.names.get(id(product))
        rule = None if label is None else rules.first(label)
        if product is None or label is None or rule is None or rule.emulation is None or not rule.estimates:
            continue
        if refusal(site.equation) is not None or not product.inexact:
            continue  # it is left to XLA, and said to be; or it has no derivative
        path = reading.paths[id(site)]
        reason = remedy = ""
        if product.gradients:
            reason = "whose derivative the function takes itself"
            remedy = "differentiate from outside: jax.grad(lambda *args: emulate_function(loss, rules)(*args)[0])"
        elif site.equation.primitive.name == ragged.NAME:
            reason = "which is ragged: estimators know none of those"
            remedy = f"put Rule({label!r}, emulation) before the others"
        elif (
            rule.estimator.of_weights
            and not product.weights
            and all(operand.origin in activations for operand in site.operands)
        ):
            reason = "which has no dW: none of its operands comes from outside, as weights do"
            remedy = f"put Rule({label!r}, emulation) before the others"
        elif _own_rule(jaxpr.jaxpr, path):
            reason = "which is within a function with a derivative rule of its own"
            remedy = f"put Rule({label!r}, emulation) before the others"
        if reason:
            problem = f"got {shown(rule.estimator)} for {label} ({product.where}), {reason}"
            raise InputError("estimator", rule.estimator, remedy, problem=problem)
        left, right = (operand.origin not in reading.trace.computed for operand in site.operands)
        if not (left or right):  # weights may be made of what comes from outside: a slice, a norm
            left, right = (operand.origin not in activations for operand in site.operands)
        estimate = Estimate.of(site.equation, label, (left, right), rule.emulation, rule.estimator)
        if rule.emulation.weight_update == "in_array" and not estimate.whole:
            problem = f"got 'in_array', and {shown(rule.estimator)}, which computes {label}, has no whole dW there"
            raise InputError("weight_update", "in_array", "choose 'separate' or 'none'", problem=problem)
        estimated_sites[path] = estimate, uses[label]
        uses[label] += 1
    return estimated_sites


def _activations(reading: Reading) -> set[int]:
    """The origins of what products give, and of all that is computed from it."""
    trace = reading.trace
    activations: set[int] = set()
    before = -1
    while before != len(activations):  # what a loop carries may be made in its body
        before = len(activations)
        for origin, join in trace.joins.items():
            if any(source.origin in activations for source in join.sources):
                activations.add(origin)
        for site in trace.sites:
            if (site.outs and reading.product(site) is not None) or any(
                operand.origin in activations for operand in site.operands
            ):
                activations.update(out.origin for out in site.outs)
    return activations


def _own_rule(jaxpr: Jaxpr, path: Path) -> bool:
    """Whether an equation is within a function that has a derivative rule of its own."""
    equation = jaxpr.eqns[path[0]]
    if len(path) == 1:
        return False
    inner = list(jaxprs.inner(equation))[path[1]]
    return equation.primitive.name.startswith("custom_") or _own_rule(inner, path[2:])


@dataclass(frozen=True)
class Insertion:
    """One run of a trace, to be differentiated, with some products computed by estimators.

    Args:
        products: those, by path, and which use of its label each is.
        key: of the loop's round that runs.
        parameters: of estimators.
        jits: the jitted functions in it, once they were traced; None to run their equations one by one.
    """

    products: dict[Path, tuple[Estimate, int]]
    key: Array | None
    parameters: Parameters
    jits: Jits | None
    differentiated = True

    def with_key(self, key: Array | None) -> Insertion:
        return replace(self, key=key)

    def with_parameters(self, parameters: Parameters) -> Insertion:
        return replace(self, parameters=parameters)

    def labels(self, path: Path) -> list[str]:
        return []  # it counts nothing

    def changes(self, path: Path) -> bool:
        return path in self._around

    @functools.cached_property
    def _around(self) -> set[Path]:
        return {path[:depth] for path in self.products for depth in range(len(path) + 1)}

    def run(self, jaxpr: Jaxpr, path: Path, consts: Sequence[Any], operands: Sequence[Any]) -> tuple[Values, Sites]:
        """A jaxpr's results."""
        values: dict[Var, Any] = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*consts, *operands), strict=True))

        def value(variable: Any) -> Any:
            if isinstance(variable, Literal):
                return jnp.asarray(variable.val, variable.aval.dtype)  # pyright: ignore[reportAttributeAccessIssue]
            return values[variable]

        for index, equation in enumerate(jaxpr.eqns):
            here = (*path, index)
            if self.changes(here):
                source = equation.source_info
                with user_context(source.traceback, name_stack=current_name_stack() + source.name_stack):
                    outs = self._changed(equation, here, [value(variable) for variable in equation.invars])
            else:
                outs = bind(equation, values)
            values.update(zip(equation.outvars, outs, strict=True))
        return [value(variable) for variable in jaxpr.outvars], {}

    def _changed(self, equation: JaxprEqn, path: Path, operands: Values) -> Values:
        if path not in self.products:
            return calls.call(self, equation, path, operands)[0]
        estimate, use = self.products[path]
        key = None
        if estimate.estimator.random:
            if self.key is None:
                problem = f"got none, and {shown(estimate.estimator)}, which computes {estimate.label}, is random"
                raise InputError("key", None, _KEY, problem=problem)
            key = jax.random.fold_in(jax.random.fold_in(self.key, zlib.crc32(estimate.label.encode())), use)
        left, right = operands
        return [estimates.product(estimate, left, right, key, self._parameters(estimate))]

    def _parameters(self, estimate: Estimate) -> dict[str, Array]:
        """Of one product."""
        names, label = tuple(estimate.estimator.parameters), estimate.label
        values = self.parameters.get(label, self.parameters.get(module_of(label), {}))
        if lacking := [name for name in names if name not in values]:
            problem = f"got no {lacking[0]} for {label}, which {shown(estimate.estimator)} computes"
            raise InputError("parameters", None, _PARAMETERS, problem=problem)
        return {name: values[name] for name in names}
