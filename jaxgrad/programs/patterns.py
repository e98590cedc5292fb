"""Functions that leave no name in a trace, told by what they compute: softmax, and activations such as GELU."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jax.extend.core import Jaxpr, JaxprEqn, Var
from jax.extend.core import Literal as Constant

from jaxgrad.programs import jaxprs
from jaxgrad.programs.operations import BARRIERS, MADE, VIEWS

_Makers = dict[Any, int]  # variable -> the number of the equation that makes it
# A function of one tensor with one of these in it is an activation.
_BENDS = frozenset({
    "tanh", "logistic", "erf", "erfc", "exp", "exp2", "expm1", "log1p", "max", "min", "clamp", "select_n", "gt", "ge",
    "lt", "le",
})  # fmt: skip


def softmaxes(jaxpr: Jaxpr) -> set[int]:
    """The equations of softmax and of logsumexp: the exponentials whose sum is divided by, or taken the logarithm of,
    and what takes the maximum off them."""
    makers = _makers(jaxpr)
    found: set[int] = set()
    for index, equation in enumerate(jaxpr.eqns):
        if equation.primitive.name not in ("div", "log"):
            continue
        total = _through_views(jaxpr, makers, equation.invars[-1])
        if total is None or jaxpr.eqns[total].primitive.name != "reduce_sum":
            continue
        exponential = _through_views(jaxpr, makers, jaxpr.eqns[total].invars[0])
        if exponential is None or jaxpr.eqns[exponential].primitive.name != "exp":
            continue
        found |= {index, total, exponential}
        difference = _through_views(jaxpr, makers, jaxpr.eqns[exponential].invars[0])
        if difference is not None and jaxpr.eqns[difference].primitive.name == "sub":
            found.add(difference)
            found.update(_down_to_maximum(jaxpr, makers, jaxpr.eqns[difference].invars[1]))
    return found


def activations(jaxpr: Jaxpr) -> set[int]:
    """The elementwise equations that make a function of one tensor that is not linear."""
    roots: dict[Var, Var] = {}
    functions: dict[Var, set[int]] = {}
    for index, equation in enumerate(jaxpr.eqns):
        name = equation.primitive.name
        variables = {each for each in equation.invars if not isinstance(each, Constant) and _shape(each)}
        own = {roots.get(each, each) for each in variables}
        if name in VIEWS | MADE | BARRIERS or any(True for _ in jaxprs.inner(equation)) or len(own) != 1:
            continue
        (root,) = own
        if _shape(root) == _shape(equation.outvars[0]):
            roots.update(dict.fromkeys(equation.outvars, root))
            functions.setdefault(root, set()).add(index)
    bent = (own for own in functions.values() if any(jaxpr.eqns[index].primitive.name in _BENDS for index in own))
    return {index for own in bent for index in own}


def _down_to_maximum(jaxpr: Jaxpr, makers: _Makers, variable: object) -> Iterator[int]:
    """The equations from a variable down to the ``reduce_max`` that it is of, if it is."""
    trail: list[int] = []
    index = _through_views(jaxpr, makers, variable)
    while index is not None and len(trail) < 4:  # max with -inf, and a test that it is finite
        trail.append(index)
        if jaxpr.eqns[index].primitive.name == "reduce_max":
            yield from trail
            return
        below = (_through_views(jaxpr, makers, each) for each in reversed(jaxpr.eqns[index].invars))
        index = next((each for each in below if each is not None), None)


def _through_views(jaxpr: Jaxpr, makers: _Makers, variable: object) -> int | None:
    """The equation that makes a variable, its views taken off."""
    while not isinstance(variable, Constant) and variable in makers:
        equation: JaxprEqn = jaxpr.eqns[makers[variable]]
        if equation.primitive.name not in VIEWS:
            return makers[variable]
        variable = equation.invars[0]
    return None


def _makers(jaxpr: Jaxpr) -> _Makers:
    return {variable: index for index, equation in enumerate(jaxpr.eqns) for variable in equation.outvars}


def _shape(variable: object) -> tuple[int, ...]:
    return getattr(getattr(variable, "aval", None), "shape", ())
