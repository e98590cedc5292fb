"""One equation of a trace: what it calls, and its results as the function itself has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Var, jaxpr_as_fun

_EMPTY = jax.make_jaxpr(lambda: ())().jaxpr


def bind(equation: JaxprEqn, values: dict[Any, Any]) -> list[Any]:
    """An equation's results, by XLA."""
    variables = list(dict.fromkeys(each for each in equation.invars if isinstance(each, Var)))
    alone = _EMPTY.replace(
        constvars=[], invars=variables, outvars=equation.outvars, eqns=[equation], effects=equation.effects
    )
    return jaxpr_as_fun(ClosedJaxpr(alone, ()))(*(values[each] for each in variables))


def called(equation: JaxprEqn) -> list[tuple[Jaxpr, Sequence[Any]]]:
    """The jaxprs that an equation calls, each with its constants, in the order of ``programs.jaxprs.inner``."""
    found: list[tuple[Jaxpr, Sequence[Any]]] = []
    for given in equation.params.values():
        for item in given if isinstance(given, tuple | list) else (given,):
            if isinstance(item, ClosedJaxpr):
                found.append((item.jaxpr, item.consts))
            elif isinstance(item, Jaxpr):
                found.append((item, ()))
    return found
