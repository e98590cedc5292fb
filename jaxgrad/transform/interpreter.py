"""Runs a trace with its products on the array, and adds up what they take through whatever calls them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jax import Array
from jax.extend.core import Jaxpr, JaxprEqn, Literal, Var

from jaxgrad.array.counters import Counters
from jaxgrad.autodiff import LayerCounters
from jaxgrad.transform import array, calls, estimates
from jaxgrad.transform.calls import Jits, Values
from jaxgrad.transform.equations import bind
from jaxgrad.transform.plan import Backward, Estimated, Forward, Plan, hoisted
from jaxgrad.transform.reading import Path
from jaxgrad.transform.tally import Sites, merged


@dataclass(frozen=True)
class Interpreter:
    """What runs a trace, once or more often; not for differentiating, see ``derivative``.

    Args:
        plan: what to do with its products.
        jits: the jitted functions in it, once they were compiled; None to run their equations one by one.
    """

    plan: Plan
    jits: Jits | None = None
    key = None  # what is random has its key among its operands
    differentiated = False

    @property
    def parameters(self) -> Mapping[str, Any]:
        return {}  # what has some has them among its operands

    def with_key(self, key: Array | None) -> Interpreter:
        return self

    def with_parameters(self, parameters: Mapping[str, Any]) -> Interpreter:
        return self

    def labels(self, path: Path) -> list[str]:
        return self.plan.labels(path)

    def changes(self, path: Path) -> bool:
        return bool(self.labels(path))

    def run(self, jaxpr: Jaxpr, path: Path, consts: Sequence[Any], operands: Sequence[Any]) -> tuple[Values, Sites]:
        """A jaxpr's results, and what its products took."""
        environment: dict[Var, Any] = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*consts, *operands), strict=True))
        sites: Sites = {}
        done: set[int] = set()

        def value(variable: Any) -> Any:
            if isinstance(variable, Literal):
                return jnp.asarray(variable.val, variable.aval.dtype)  # pyright: ignore[reportAttributeAccessIssue]
            return environment[variable]

        def gradients(index: int, step: Backward) -> Sites:
            for earlier in hoisted(jaxpr, index, step.last):
                if earlier not in done:
                    plain(earlier)
            done.add(step.last)
            outs, spent = array.backward(step, value)
            environment.update(outs)
            return {step.label: LayerCounters(Counters.zero(), spent)}

        def plain(index: int) -> None:
            equation = jaxpr.eqns[index]
            done.add(index)
            environment.update(zip(equation.outvars, bind(equation, environment), strict=True))

        for index, equation in enumerate(jaxpr.eqns):
            here = (*path, index)
            if index in done:
                continue
            step = self.plan.steps.get(here)
            if isinstance(step, Backward):
                sites = merged(sites, gradients(index, step))
            elif isinstance(step, Forward):
                out, spent = array.forward(step, equation, *map(value, equation.invars))
                environment[equation.outvars[0]] = out
                sites = merged(sites, {step.label: LayerCounters(spent, Counters.zero())})
            elif isinstance(step, Estimated):
                outs, spent = estimates.run(equation, [value(variable) for variable in equation.invars])
                environment.update(zip(equation.outvars, outs, strict=True))
                sites = merged(sites, {step.label: spent})
            elif self.changes(here):
                outs, inner = self.call(equation, here, [value(variable) for variable in equation.invars])
                environment.update(zip(equation.outvars, outs, strict=True))
                sites = merged(sites, inner)
            else:
                plain(index)
        return [value(variable) for variable in jaxpr.outvars], sites

    def call(self, equation: JaxprEqn, path: Path, operands: Values) -> tuple[Values, Sites]:
        """The results of an equation that calls jaxprs, and what the products in them took."""
        return calls.call(self, equation, path, operands)
