"""Pattern matching for functions that leave no name in a trace: softmax, and activations such as GELU."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jax.extend.core import Jaxpr, JaxprEqn, Var
from jax.extend.core import Literal as Constant

from jaxgrad.programs import jaxprs
from jaxgrad.programs.operations import BARRIERS, MADE, VIEWS, shape_of

_Makers = dict[Any, int]  # variable -> the index of the equation that computes it
# An elementwise function of one tensor is an activation if it contains one of these.
_NONLINEAR = frozenset({
    "tanh", "logistic", "erf", "erfc", "exp", "exp2", "expm1", "log1p", "max", "min", "clamp", "select_n", "gt", "ge",
    "lt", "le",
})  # fmt: skip


def softmaxes(jaxpr: Jaxpr) -> set[int]:
    """The equations of softmax and of logsumexp: exponentials, their sum, the division by it or its logarithm, and the
    subtraction of the maximum from the exponents."""
    makers = _makers(jaxpr)
    indices: set[int] = set()
    for index, equation in enumerate(jaxpr.eqns):
        if equation.primitive.name not in ("div", "log"):
            continue
        total = _through_views(jaxpr, makers, equation.invars[-1])
        if total is None or jaxpr.eqns[total].primitive.name != "reduce_sum":
            continue
        exponential = _through_views(jaxpr, makers, jaxpr.eqns[total].invars[0])
        if exponential is None or jaxpr.eqns[exponential].primitive.name != "exp":
            continue
        indices |= {index, total, exponential}
        difference = _through_views(jaxpr, makers, jaxpr.eqns[exponential].invars[0])
        if difference is not None and jaxpr.eqns[difference].primitive.name == "sub":
            indices.add(difference)
            indices.update(_down_to_maximum(jaxpr, makers, jaxpr.eqns[difference].invars[1]))
    return indices


def activations(jaxpr: Jaxpr) -> set[int]:
    """The elementwise equations of nonlinear functions of one tensor."""
    roots: dict[Var, Var] = {}
    functions: dict[Var, set[int]] = {}
    for index, equation in enumerate(jaxpr.eqns):
        name = equation.primitive.name
        tensors = {operand for operand in equation.invars if not isinstance(operand, Constant) and shape_of(operand)}
        arguments = {roots.get(tensor, tensor) for tensor in tensors}
        if name in VIEWS | MADE | BARRIERS or any(True for _ in jaxprs.inner(equation)) or len(arguments) != 1:
            continue
        (root,) = arguments
        if shape_of(root) == shape_of(equation.outvars[0]):
            roots.update(dict.fromkeys(equation.outvars, root))
            functions.setdefault(root, set()).add(index)
    return {
        index
        for indices in functions.values()
        if any(jaxpr.eqns[index].primitive.name in _NONLINEAR for index in indices)
        for index in indices
    }


def _down_to_maximum(jaxpr: Jaxpr, makers: _Makers, variable: object) -> Iterator[int]:
    """The equations from a variable back to the ``reduce_max`` that computes it, if one does."""
    trail: list[int] = []
    index = _through_views(jaxpr, makers, variable)
    while index is not None and len(trail) < 4:  # max with -inf, and a test that it is finite
        trail.append(index)
        if jaxpr.eqns[index].primitive.name == "reduce_max":
            yield from trail
            return
        below = (_through_views(jaxpr, makers, operand) for operand in reversed(jaxpr.eqns[index].invars))
        index = next((operand for operand in below if operand is not None), None)


def _through_views(jaxpr: Jaxpr, makers: _Makers, variable: object) -> int | None:
    """The index of the equation that computes a variable, seen through views."""
    while not isinstance(variable, Constant) and variable in makers:
        equation: JaxprEqn = jaxpr.eqns[makers[variable]]
        if equation.primitive.name not in VIEWS:
            return makers[variable]
        variable = equation.invars[0]
    return None


def _makers(jaxpr: Jaxpr) -> _Makers:
    return {variable: index for index, equation in enumerate(jaxpr.eqns) for variable in equation.outvars}
