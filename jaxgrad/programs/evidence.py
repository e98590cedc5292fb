"""Evidence that a product is the gradient of another where JAX's names don't say so: the axes that it contracts, and
where its cotangent comes from.

With ``Y = X W``, ``dX = dY W^T`` contracts the axes that W brings to Y, and ``dW = X^T dY`` those that X brings;
products that merely share operands, as powers and commutators do, contract others. A cotangent comes from the result
whose it is, or, one layer after another, from the gradients of the layers behind.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, Literal

from jax.extend.core import JaxprEqn

from jaxgrad.programs.trace import Site, Trace, View

_Axes = list[tuple[int, ...]]  # for each axis, those of another array that it holds


class Evidence:
    """What one trace says.

    Args:
        trace: as the walk finds it.
        products: the sites of its products.
    """

    def __init__(self, trace: Trace, products: Iterable[Site]) -> None:
        self._trace = trace
        self._bits = {id(site): 1 << index for index, site in enumerate(products)}

    def comes_from(self, origin: int, product: Site) -> bool:
        """Whether a value depends on a product's result."""
        return bool(self._above.get(origin, 0) & self._bits[id(product)])

    def transposed(self, role: Literal["dx", "dw"], forward: Site, gradient: Site, cotangent: int) -> bool | None:
        """Whether a product contracts what the gradient of ``forward`` by the left (dx) or right (dw) operand would:
        the axes that the other operand brings to the result, of that operand and of the cotangent. The cotangent is
        taken to lie as the result does. None where the axes can't be told."""
        if {forward.equation.primitive.name, gradient.equation.primitive.name} != {"dot_general"}:
            return None
        other = 1 if role == "dx" else 0
        at = 0 if gradient.operands[0].origin == cotangent else 1
        kept = _kept(forward.equation, other)
        shared = self._held(forward, other, kept)
        contracted = self._held(gradient, 1 - at, _summed(gradient.equation, 1 - at))
        if shared is None or contracted is None:
            return None
        if shared != contracted:
            return False
        if self._shape(gradient, at) != _shape(forward.equation.outvars[0]):
            return True  # the sizes fit, so that it lies the other way round
        batch = len(forward.equation.params["dimension_numbers"][1][0])
        first = batch if other == 0 else batch + len(_kept(forward.equation, 0))
        contracted = self._held(gradient, at, _summed(gradient.equation, at))
        return None if contracted is None else contracted == set(range(first, first + len(kept)))

    @cached_property
    def _above(self) -> dict[int, int]:
        """The products that each value depends on, as bits."""
        above: dict[int, int] = {}
        while self._raise(above) and self._trace.joins:  # a loop's end is known once its body is
            pass
        return above

    def _raise(self, above: dict[int, int]) -> bool:
        """Goes through the trace once; whether something was added to what loops carry."""
        for site in self._trace.sites:
            bits = self._bits.get(id(site), 0)
            for operand in site.operands:
                bits |= above.get(operand.origin, 0)
            for out in site.outs:
                above[out.origin] = above.get(out.origin, 0) | bits
        changed = False
        for origin, join in self._trace.joins.items():
            before = above.get(origin, 0)
            for source in join.sources:
                above[origin] = above.get(origin, 0) | above.get(source.origin, 0)
            changed |= above.get(origin, 0) != before
        return changed

    def _held(self, site: Site, index: int, axes: Sequence[int]) -> set[int] | None:
        """Axes of an operand, as those of the value whose elements it shows; None where they can't be told."""
        groups: _Axes | None = [(axis,) for axis in axes]
        rank, number = len(_shape(site.equation.invars[index])), site.operands[index].number
        while number in self._trace.views:
            view = self._trace.views[number]
            below = _below(view) if len(view.outside) == rank else None
            if below is None:
                return None
            groups = [tuple(inner for axis in held for inner in below[axis]) for held in groups]
            rank, number = len(view.inside), view.value.number
        return {axis for held in groups for axis in held}

    def _shape(self, site: Site, index: int) -> tuple[int, ...]:
        """That of the value whose elements an operand shows."""
        shape, number = _shape(site.equation.invars[index]), site.operands[index].number
        while number in self._trace.views:
            view = self._trace.views[number]
            shape, number = view.inside, view.value.number
        return shape


def _below(view: View) -> _Axes | None:
    """For each axis of a view, those of its operand; None where an operand's axis is taken apart."""
    name, params = view.equation.primitive.name, view.equation.params
    inside, outside = view.inside, view.outside
    if name == "transpose":
        return [(axis,) for axis in params["permutation"]]
    if name == "broadcast_in_dim":
        places = {place: (axis,) for axis, place in enumerate(params["broadcast_dimensions"]) if inside[axis] != 1}
        return [places.get(axis, ()) for axis in range(len(outside))]
    return _regrouped(inside, outside)


def _regrouped(inside: tuple[int, ...], outside: tuple[int, ...]) -> _Axes | None:
    """Axes as a reshape puts them together; those of one element are none."""
    left = [axis for axis, size in enumerate(inside) if size != 1]
    held: _Axes = []
    for size in outside:
        group: list[int] = []
        while left and math.prod(inside[axis] for axis in group) < size:
            group.append(left.pop(0))
        if math.prod(inside[axis] for axis in group) != size:
            return None
        held.append(tuple(group))
    return held


def _summed(equation: JaxprEqn, index: int) -> tuple[int, ...]:
    """The axes of an operand that a matrix product contracts."""
    return tuple(equation.params["dimension_numbers"][0][index])


def _kept(equation: JaxprEqn, index: int) -> tuple[int, ...]:
    """The axes of an operand that a matrix product's result has for itself."""
    contracted, batch = equation.params["dimension_numbers"]
    gone = {*contracted[index], *batch[index]}
    return tuple(axis for axis in range(len(_shape(equation.invars[index]))) if axis not in gone)


def _shape(variable: Any) -> tuple[int, ...]:
    return variable.aval.shape
