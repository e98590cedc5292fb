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
from typing import Literal

from jax.extend.core import JaxprEqn

from jaxgrad.programs.operations import shape_of
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
        return bool(self._dependences.get(origin, 0) & self._bits[id(product)])

    def transposed(self, role: Literal["dx", "dw"], forward: Site, gradient: Site, cotangent: int) -> bool | None:
        """Whether a product contracts the axes that the gradient of ``forward`` with respect to its left (dx) or right
        (dw) operand would: the other operand's free axes, in that operand and in the cotangent, whose layout is taken
        to be the result's. None where views hide the axes."""
        if {forward.equation.primitive.name, gradient.equation.primitive.name} != {"dot_general"}:
            return None
        other = 1 if role == "dx" else 0
        at = 0 if gradient.operands[0].origin == cotangent else 1
        kept = _free_axes(forward.equation, other)
        shared = self._origin_axes(forward, other, kept)
        contracted = self._origin_axes(gradient, 1 - at, _contracted_axes(gradient.equation, 1 - at))
        if shared is None or contracted is None:
            return None
        if shared != contracted:
            return False
        if self._shape(gradient, at) != shape_of(forward.equation.outvars[0]):
            return True  # the sizes fit, so it is the transpose
        batch = len(forward.equation.params["dimension_numbers"][1][0])
        first = batch if other == 0 else batch + len(_free_axes(forward.equation, 0))
        contracted = self._origin_axes(gradient, at, _contracted_axes(gradient.equation, at))
        return None if contracted is None else contracted == set(range(first, first + len(kept)))

    @cached_property
    def _dependences(self) -> dict[int, int]:
        """For each value's origin the products that it depends on, as a bit set."""
        dependences: dict[int, int] = {}
        while self._propagate(dependences) and self._trace.joins:  # a fixed point: loops carry dependences around
            pass
        return dependences

    def _propagate(self, dependences: dict[int, int]) -> bool:
        """Goes through the trace once; returns whether anything was added to what loops carry."""
        for site in self._trace.sites:
            bits = self._bits.get(id(site), 0)
            for operand in site.operands:
                bits |= dependences.get(operand.origin, 0)
            for out in site.outs:
                dependences[out.origin] = dependences.get(out.origin, 0) | bits
        changed = False
        for origin, join in self._trace.joins.items():
            before = dependences.get(origin, 0)
            for source in join.sources:
                dependences[origin] = dependences.get(origin, 0) | dependences.get(source.origin, 0)
            changed |= dependences.get(origin, 0) != before
        return changed

    def _origin_axes(self, site: Site, index: int, axes: Sequence[int]) -> set[int] | None:
        """Axes of an operand, followed through views to those of its origin; None where a view splits one."""
        groups: _Axes | None = [(axis,) for axis in axes]
        rank, number = len(shape_of(site.equation.invars[index])), site.operands[index].number
        while number in self._trace.views:
            view = self._trace.views[number]
            operand_axes = _operand_axes(view) if len(view.outside) == rank else None
            if operand_axes is None:
                return None
            groups = [tuple(inner for axis in group for inner in operand_axes[axis]) for group in groups]
            rank, number = len(view.inside), view.value.number
        return {axis for group in groups for axis in group}

    def _shape(self, site: Site, index: int) -> tuple[int, ...]:
        """That of the value whose elements an operand shows."""
        shape, number = shape_of(site.equation.invars[index]), site.operands[index].number
        while number in self._trace.views:
            view = self._trace.views[number]
            shape, number = view.inside, view.value.number
        return shape


def _operand_axes(view: View) -> _Axes | None:
    """For each axis of a view, those of its operand; None where an operand's axis is split."""
    name, params = view.equation.primitive.name, view.equation.params
    inside, outside = view.inside, view.outside
    if name == "transpose":
        return [(axis,) for axis in params["permutation"]]
    if name == "broadcast_in_dim":
        places = {place: (axis,) for axis, place in enumerate(params["broadcast_dimensions"]) if inside[axis] != 1}
        return [places.get(axis, ()) for axis in range(len(outside))]
    return _reshaped_axes(inside, outside)


def _reshaped_axes(inside: tuple[int, ...], outside: tuple[int, ...]) -> _Axes | None:
    """For each axis after a reshape, those that it merges, of one element left out; None where one is split."""
    left = [axis for axis, size in enumerate(inside) if size != 1]
    groups: _Axes = []
    for size in outside:
        group: list[int] = []
        while left and math.prod(inside[axis] for axis in group) < size:
            group.append(left.pop(0))
        if math.prod(inside[axis] for axis in group) != size:
            return None
        groups.append(tuple(group))
    return groups


def _contracted_axes(equation: JaxprEqn, index: int) -> tuple[int, ...]:
    """The axes of an operand that a matrix product contracts."""
    return tuple(equation.params["dimension_numbers"][0][index])


def _free_axes(equation: JaxprEqn, index: int) -> tuple[int, ...]:
    """The axes of an operand that a matrix product's result has for itself."""
    contracted, batch = equation.params["dimension_numbers"]
    gone = {*contracted[index], *batch[index]}
    return tuple(axis for axis in range(len(shape_of(equation.invars[index]))) if axis not in gone)
