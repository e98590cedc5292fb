"""What one PE computes in a cycle, as a graph of gates: a function of JAX, traced on one PE.

A pass's functions work on planes of PEs alike, so on a plane of one they say what each does. Only what hardware has a
gate for can be in them: sums, products, selections, comparisons, bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgrad.array.passes.base import product
from jaxgrad.base.errors import InputError

_SAME = (
    *("broadcast_in_dim", "reshape", "squeeze", "expand_dims", "slice", "dynamic_slice", "rev", "transpose", "copy"),
    *("concatenate", "stop_gradient", "optimization_barrier"),
)
"""Of one element they give that element."""

_FOLDED: dict[str, Callable[..., Any]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "neg": lambda a: -a,
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "not": lambda a: not a,
}
"""Gates, and what they give of constants."""


ROUNDED = "rounded"
"""The value of a ``mul`` that is ``passes.base.product``: of any other the rounding is XLA's to choose."""


_PRODUCT: str = getattr(product, "__name__")  # noqa: B009 (a jitted function's, which its type does not have)


class Node(NamedTuple):
    """A value in a PE: an ``input``, a ``constant``, or what a gate makes of others.

    Args:
        gate: ``input``, ``constant``, ``select`` (condition, where true, where false), or a gate of ``_FOLDED``.
        of: what it is made of.
        value: a constant's number, an input's name, whether a product is ``ROUNDED``.
    """

    gate: str
    of: tuple[Node, ...] = ()
    value: Any = None


def constant(value: Any) -> Node:
    number = np.asarray(value).reshape(-1)[0].item()
    return Node("constant", (), number)


def inputs(*names: str) -> tuple[Node, ...]:
    return tuple(Node("input", (), name) for name in names)


def traced(function: Callable[..., Any], arguments: Any) -> Any:
    """A function of planes of one PE, as nodes.

    Args:
        function: of planes, any pytree of them.
        arguments: as many of ``(Node, plane)``: what each stands for, and a plane of its shape and type.

    Returns:
        What the function returns, each array a ``Node``.

    Raises:
        InputError: it does what no gate does.
    """
    pairs, tree = jax.tree.flatten(arguments, is_leaf=_is_pair)
    planes = jax.tree.unflatten(tree, [plane for _, plane in pairs])
    closed, shape = jax.make_jaxpr(function, return_shape=True)(*planes)
    found = _run(closed.jaxpr, closed.consts, [node for node, _ in pairs])
    return jax.tree.unflatten(jax.tree.structure(shape), found)


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], Node)


def _run(jaxpr: Any, constants: Sequence[Any], arguments: Sequence[Node]) -> list[Node]:
    known: dict[Any, Node] = dict(zip(jaxpr.invars, arguments, strict=True))
    known |= dict(zip(jaxpr.constvars, map(constant, constants), strict=True))

    def read(atom: Any) -> Node:
        return constant(atom.val) if hasattr(atom, "val") else known[atom]

    for equation in jaxpr.eqns:
        name, params = equation.primitive.name, equation.params
        sized = [atom for atom in equation.invars if np.size(atom.aval) or atom.aval.shape == ()]
        if params.get("name") == _PRODUCT:
            found = [Node("mul", tuple(map(read, equation.invars)), ROUNDED)]
        elif inner := params.get("jaxpr") or params.get("call_jaxpr"):
            found = _run(getattr(inner, "jaxpr", inner), getattr(inner, "consts", ()), list(map(read, equation.invars)))
        elif name in _SAME or (name == "convert_element_type" and _keeps_value(equation, read)):
            found = [read(next(atom for atom in equation.invars if 0 not in atom.aval.shape))]
        elif all(0 in out.aval.shape for out in equation.outvars):
            found = [constant(0)] * len(equation.outvars)
        else:
            found = [_gate(name, tuple(map(read, sized)))]
        known |= dict(zip(equation.outvars, found, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _keeps_value(conversion: Any, read: Callable[[Any], Node]) -> bool:
    """A constant may be of any type; a word that becomes another type may be rounded, which no gate does."""
    (atom,), (out,) = conversion.invars, conversion.outvars
    return atom.aval.dtype == out.aval.dtype or read(atom).gate == "constant"


def _gate(name: str, of: tuple[Node, ...]) -> Node:
    if name == "select_n" and len(of) == 3:
        condition, false, true = of
        return select(condition, true, false)
    if name not in _FOLDED:
        remedy = f"a PE has gates for select_n, {', '.join(_FOLDED)}"
        raise InputError("dataflow", name, remedy, problem=f"got a pass whose step uses {name}")
    if all(node.gate == "constant" for node in of):
        return constant(_FOLDED[name](*(node.value for node in of)))
    for one, other in (of, of[::-1]) if len(of) == 2 else ():
        if name == "and" and one.gate == "constant":
            return other if one.value else one
        if name == "or" and one.gate == "constant":
            return one if one.value else other
    return Node(name, of)


def select(condition: Node, true: Node, false: Node) -> Node:
    if condition.gate == "constant":
        return true if condition.value else false
    return true if true == false else Node("select", (condition, true, false))


def gates(roots: Sequence[Node]) -> Iterator[Node]:
    """Every node that roots are made of, once, those first that others are made of."""
    seen: set[Node] = set()

    def visit(node: Node) -> Iterator[Node]:
        if node in seen:
            return
        seen.add(node)
        for part in node.of:
            yield from visit(part)
        yield node

    for root in roots:
        yield from visit(root)
