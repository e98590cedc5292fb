"""One equation of a trace: its results as the function itself has them."""

from __future__ import annotations

from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, JaxprEqn, Var, jaxpr_as_fun

_EMPTY = jax.make_jaxpr(lambda: ())().jaxpr


def bind(equation: JaxprEqn, values: dict[Any, Any]) -> list[Any]:
    """An equation's results, by XLA."""
    variables = list(dict.fromkeys(variable for variable in equation.invars if isinstance(variable, Var)))
    alone = _EMPTY.replace(
        constvars=[], invars=variables, outvars=equation.outvars, eqns=[equation], effects=equation.effects
    )
    return jaxpr_as_fun(ClosedJaxpr(alone, ()))(*(values[variable] for variable in variables))
