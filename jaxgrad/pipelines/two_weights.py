"""Gradients of a loss whose backward pass has other weights than its forward pass.

A pipeline that stashes no weights computes a batch's activations with the weights of then, and takes its cotangents
back through those of now: ``dx = dy W_now^T``, ``dw = x^T dy`` from the saved x. The loss is traced, and run with each
operation of activations and weights together replaced by one with that derivative rule; all else is differentiated as
it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.extend.core import Jaxpr, JaxprEqn, Literal, Var

from jaxgrad.programs import jaxprs
from jaxgrad.transform.equations import bind

Loss = Callable[[Any, Any], Array]


class _Value(NamedTuple):
    """What a variable is in the forward pass and, where it comes of weights alone, with the backward pass's weights."""

    forward: Any
    backward: Any = None


def gradients(loss: Loss, forward: Any, backward: Any, batch: Any) -> tuple[Array, Any]:
    """The loss with the forward pass's weights, and its gradients by the rule above.

    Args:
        loss: (params, batch) to a scalar.
        forward, backward: the weights of each pass, alike in structure and shapes.
        batch: the data.

    >>> loss = lambda weights, x: x * weights["a"] * weights["b"]
    >>> then, now = {"a": jnp.float32(2), "b": jnp.float32(3)}, {"a": jnp.float32(5), "b": jnp.float32(7)}
    >>> value, grads = gradients(loss, then, now, jnp.float32(1))
    >>> float(value), float(grads["a"]), float(grads["b"])  # b of now, and the activation of then
    (6.0, 7.0, 2.0)
    """
    leaves, tree = jax.tree.flatten(forward)
    data = jax.tree.leaves(batch)
    closed = jax.make_jaxpr(loss)(forward, batch)
    others = jax.tree.leaves(backward)

    def run(weights: list[Any]) -> Array:
        values = [_Value(now, then) for now, then in zip(weights, others, strict=True)]
        (out,) = _run(closed.jaxpr, closed.consts, [*values, *map(_Value, data)])
        return out.forward

    value, grads = jax.value_and_grad(run)(leaves)
    return value, jax.tree.unflatten(tree, grads)


def _run(jaxpr: Jaxpr, consts: Sequence[Any], operands: Sequence[_Value]) -> list[_Value]:
    values: dict[Var, _Value] = dict(zip(jaxpr.constvars, map(_Value, consts), strict=True))
    values.update(zip(jaxpr.invars, operands, strict=True))

    def value(variable: Any) -> _Value:
        if isinstance(variable, Literal):
            constant = jnp.asarray(variable.val, variable.aval.dtype)  # pyright: ignore[reportAttributeAccessIssue]
            return _Value(constant, constant)
        return values[variable]

    for equation in jaxpr.eqns:
        inputs = [value(variable) for variable in equation.invars]
        weights = [
            place
            for place, (variable, operand) in enumerate(zip(equation.invars, inputs, strict=True))
            if operand.backward is not None and not isinstance(variable, Literal)
        ]
        outs = _equation(equation, inputs, weights)
        values.update(zip(equation.outvars, outs, strict=True))
    return [value(variable) for variable in jaxpr.outvars]


def _equation(equation: JaxprEqn, inputs: list[_Value], weights: list[int]) -> list[_Value]:
    forward = [operand.forward for operand in inputs]
    if not weights:
        return [_Value(out) for out in _bound(equation, forward)]
    if all(operand.backward is not None for operand in inputs):
        now = [operand.backward for operand in inputs]
        return [_Value(*pair) for pair in zip(_bound(equation, forward), _bound(equation, now), strict=True)]
    called = jaxprs.called(equation)
    if called is not None:
        return _run(called.jaxpr, called.consts, [inputs[place] for place in called.operands])
    if equation.primitive.name == "scan":
        return _scan(equation, inputs)
    return [_Value(out) for out in _mixed(equation, inputs, weights)]


def _bound(equation: JaxprEqn, operands: Sequence[Any]) -> list[Any]:
    pairs = zip(equation.invars, operands, strict=True)
    return bind(equation, {variable: operand for variable, operand in pairs if isinstance(variable, Var)})


def _mixed(equation: JaxprEqn, inputs: list[_Value], weights: list[int]) -> list[Any]:
    """An operation of activations and weights: its value with the forward pass's, the activations' cotangents with the
    backward pass's."""
    places = [place for place, variable in enumerate(equation.invars) if isinstance(variable, Var)]
    activations = [place for place in places if place not in weights]

    def outs(active: Sequence[Any], held: Sequence[Any]) -> list[Any]:
        operands = dict(zip((*activations, *weights), (*active, *held), strict=True))
        return bind(equation, {equation.invars[place]: operands[place] for place in places})

    @jax.custom_vjp
    def operation(active: list[Any], then: list[Any], now: list[Any]) -> list[Any]:
        return outs(active, then)

    def ahead(active: list[Any], then: list[Any], now: list[Any]) -> tuple[list[Any], Any]:
        return outs(active, then), (active, then, now)

    def back(saved: Any, cotangents: list[Any]) -> tuple[Any, Any, Any]:
        active, then, now = saved
        (of_active,) = jax.vjp(lambda active: outs(active, now), active)[1](cotangents)
        (of_weights,) = jax.vjp(lambda held: outs(active, held), then)[1](cotangents)
        return of_active, of_weights, jax.tree.map(jnp.zeros_like, now)

    operation.defvjp(ahead, back)
    return operation(
        [inputs[place].forward for place in activations],
        [inputs[place].forward for place in weights],
        [inputs[place].backward for place in weights],
    )


def _scan(equation: JaxprEqn, inputs: list[_Value]) -> list[_Value]:
    """A loop, over layers say: its rounds may share weights, or have a slice of them each; what is carried is none."""
    ((jaxpr, consts),) = jaxprs.closed(equation)
    params = equation.params
    shared, carried = jaxprs.scan_counts(equation)
    first = shared + carried
    constants = inputs[:shared]

    def body(carry: list[Any], slices: tuple[list[Any], list[Any]]) -> tuple[list[Any], list[Any]]:
        sliced = [_Value(*pair) for pair in zip(*slices, strict=True)]
        outs = _run(jaxpr, consts, [*constants, *map(_Value, carry), *sliced])
        found = [out.forward for out in outs]
        return found[:carried], found[carried:]

    scanned = inputs[first:]
    carry, stacked = lax.scan(
        body,
        [operand.forward for operand in inputs[shared:first]],
        ([operand.forward for operand in scanned], [operand.backward for operand in scanned]),
        length=params["length"],
        reverse=params["reverse"],
        unroll=params["unroll"],
    )
    return list(map(_Value, [*carry, *stacked]))
