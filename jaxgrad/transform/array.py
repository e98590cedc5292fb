"""The products of a trace on the array, and its gradients: each with what it took."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jax import Array
from jax.extend.core import JaxprEqn, Var

from jaxgrad.array.counters import Counters
from jaxgrad.array.manual_axes import vary_alike
from jaxgrad.array.rounding import rounded
from jaxgrad.autodiff.layer import Layer, Wanted
from jaxgrad.autodiff.task import Task
from jaxgrad.transform import matrices, ragged
from jaxgrad.transform.plan import Backward, Forward
from jaxgrad.transform.posed import Posed, check_computes


def forward(step: Forward, equation: JaxprEqn, lhs: Array, rhs: Array, *sizes: Array) -> tuple[Array, Counters]:
    """A product, and what it took.

    Args:
        step: what to do with it.
        equation: the product.
        lhs, rhs: its operands.
        sizes: of a ragged product's groups.
    """
    aval: Any = equation.outvars[0].aval
    if sizes:
        out, spent = ragged.forward(step.emulation, equation, lhs, rhs, *sizes)
        return out.astype(aval.dtype), spent
    posed = Posed.of(equation, swapped=step.swapped)
    x, w = vary_alike(*posed.operands(*posed.taken(lhs, rhs)))
    out, _, spent = Task(posed.contraction, step.emulation).product(x, w, None, Wanted.of(x, w, counts=True))
    assert spent is not None  # it is asked for
    return posed.result(out).astype(aval.dtype), spent


def backward(step: Backward, value: Callable[[Any], Any]) -> tuple[dict[Var, Any], Counters]:
    """The results of the equations that are a product's gradients, and what they took together.

    Args:
        step: the equations.
        value: of a variable.

    Raises:
        ValueError: the schedule leaves out one of them.
    """
    dx, dw, emulation = step.dx, step.dw, step.emulation
    wanted = {"dx": dx is not None, "dw": dw is not None}
    check_computes(emulation.schedule, **wanted)
    first = dx or dw
    assert first is not None  # there is one at least

    if step.forward.primitive.name == ragged.NAME:
        return _ragged(step, value)

    def operand(tensor: str, variable: Any) -> Array:
        return rounded(tensor, value(variable), emulation.precision)

    dy = operand("dy", first.equation.invars[first.cotangent])
    x = None if dw is None else operand("x", dw.equation.invars[dw.operand])
    w = None if dx is None else operand("w", dx.equation.invars[dx.operand])
    dots = step.forward.primitive.name == "dot_general"
    avals: list[Any] = [variable.aval for variable in step.forward.invars]
    left, right = (aval.dtype for aval in avals)
    types = (right, left) if step.swapped else (left, right)
    layer = matrices.dots(types, dx, dw, x, w, dy) if dots else matrices.convolutions(step.forward, x, w, dy)
    operands = vary_alike(layer.x, layer.w, layer.dy)
    run = Layer(layer.contraction, emulation, Wanted.of(*operands[:2], **wanted, counts=True))
    results: dict[Var, Any] = {}
    if emulation.fidelity == "native":
        run.count_gradients(layer.contraction, *operands, **wanted)
        for name, gradient, other in (("dx", dx, w), ("dw", dw, x)):
            if gradient is not None:
                equation = gradient.equation
                pair = (dy, other) if gradient.cotangent == 0 else (other, dy)
                plain = equation.primitive.bind(*pair, **equation.params)
                results[equation.outvars[0]] = rounded(name, plain, emulation.precision)
    else:
        of_x, of_w = run.gradients(layer.contraction, *operands, **wanted)
        for name, gradient, other, result in (("dx", dx, dw, of_x), ("dw", dw, dx, of_w)):
            if gradient is not None and result is not None:
                result = rounded(name, result, emulation.precision)
                if dots:
                    result = matrices.dot_result(gradient, other, result, dw=gradient is dw)
                aval: Any = gradient.equation.outvars[0].aval
                results[gradient.equation.outvars[0]] = result.astype(aval.dtype)
    assert run.spent is not None  # it is asked for
    return results, run.spent


def _ragged(step: Backward, value: Callable[[Any], Any]) -> tuple[dict[Var, Any], Counters]:
    dx, dw = step.dx, step.dw
    first = dx or dw
    assert first is not None  # there is one at least
    dy, sizes = (value(variable) for variable in (first.equation.invars[first.cotangent], first.equation.invars[2]))
    x = None if dw is None else value(dw.equation.invars[dw.operand])
    w = None if dx is None else value(dx.equation.invars[dx.operand])
    *values, spent = ragged.backward(step.emulation, (step.forward, dx, dw), x, w, dy, sizes)
    results: dict[Var, Any] = {}
    for gradient, result in zip((dx, dw), values, strict=True):
        if gradient is not None and result is not None:
            (out,) = gradient.equation.outvars
            aval: Any = out.aval
            results[out] = result.astype(aval.dtype)
    return results, spent
