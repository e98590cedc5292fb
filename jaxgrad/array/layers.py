"""What a layer's passes count, in closed form, where the scratchpad holds all it works on (DESIGN.md section 2)."""

from __future__ import annotations

from collections.abc import Mapping as Dictionary
from collections.abc import Sequence

from jaxgrad.array import closed_form
from jaxgrad.array.closed_form import Array
from jaxgrad.array.forwards import Forward, find
from jaxgrad.array.mapping import Mapping, named
from jaxgrad.base.arithmetic import Integer

Sizes = Dictionary[str, Integer]
"""A length for each axis."""

Phases = Dictionary[str, dict[str, Integer]]
"""Counts by phase: ``forward``, ``dx``, ``dw`` (or ``dx+dw`` where one pass computes both) and ``update``."""


def counts(mappings: Sequence[Mapping], sizes: Sizes, array: Array) -> dict[str, Integer]:
    """The counters of some mappings, one after the other, by name."""
    totals: dict[str, Integer] = {}
    for mapping in mappings:
        s, p, q = (sizes[axis] for axis in mapping.axes)
        events = closed_form.events(mapping.keeps, mapping.order, s, p, q, array)
        for name, values in named(events, mapping).items():
            totals[name] = totals.get(name, 0) + sum(values)
    return totals


def update(how: str, sizes: Sizes, *, in_array: bool) -> dict[str, Integer]:
    """What the weight update adds (DESIGN.md section 2).

    Args:
        how: ``none``, ``separate`` or ``in_array``.
        sizes: of the layer.
        in_array: whether w is in the array as dW is done; then dW is not written.
    """
    weights = sizes["k"] * sizes["n"]
    if how == "none":
        return {}
    if how == "in_array" and in_array:
        return {"dw_writes": -weights, "w_writes": weights}
    return {"w_reads": weights, "dw_reads": weights, "w_writes": weights}


def backward(mappings: Sequence[Mapping], sizes: Sizes, array: Array) -> Phases:
    """The counts of a layer's gradients by phase.

    Of two in turn, the second (dW of ``sequential``) is charged as if it ran alone, and the first with what is left:
    where the two overlap, that is its gain.
    """
    phases: dict[str, dict[str, Integer]] = {}
    for mapping in mappings:
        own = counts([mapping], sizes, array)
        if mapping.order == "in turn":
            first, last = (product.result for product in mapping.products)
            alone = counts(mapping.split()[-1:], sizes, array)
            phases[first] = {name: value - alone.get(name, 0) for name, value in own.items()}
            phases[last] = alone
        else:
            phases["+".join(mapping.results)] = own
    return phases


def forward(how: str | Forward, sizes: Sizes, array: Array) -> Phases:
    """The counts of a layer's forward pass."""
    return {"forward": counts([find(how).mapping], sizes, array)}
