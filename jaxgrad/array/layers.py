"""What a layer's passes count, in closed form, where the scratchpad holds all it works on (DESIGN.md section 2)."""

from __future__ import annotations

from collections.abc import Mapping as Dictionary
from collections.abc import Sequence

from jaxgrad.array import closed_form
from jaxgrad.array.closed_form import Array
from jaxgrad.array.counts import READS, SRAM, WRITES, Key
from jaxgrad.array.forwards import Forward, find
from jaxgrad.array.mapping import Mapping, named
from jaxgrad.array.partial import parts
from jaxgrad.base.arithmetic import Integer, ceil_div

Sizes = Dictionary[str, Integer]
"""A length for each axis."""

Phases = Dictionary[str, dict[Key, Integer]]
"""Counts by phase: ``forward``, ``dx``, ``dw`` (or ``dx+dw`` where one pass computes both) and ``update``."""


def counts(mappings: Sequence[Mapping], sizes: Sizes, array: Array, columns: int | None = None) -> dict[Key, Integer]:
    """The counters of some mappings, one after the other.

    Args:
        mappings: what runs.
        sizes: of the layer.
        array: the hardware.
        columns: of how many columns of x, the first ones, dW is; of all by default. Needs sizes in Python ints.
    """
    totals: dict[Key, Integer] = {}
    for mapping in mappings:
        if columns is None:
            s, p, q = (sizes[axis] for axis in mapping.axes)
            spent = [named(closed_form.events(mapping.keeps, mapping.order, s, p, q, array), mapping)]
        else:
            divided = parts(mapping, sizes["k"], columns, array)
            spent = [named(part.events(sizes, array), part.mapping) for part in divided]
        for events in spent:
            for key, values in events.items():
                totals[key] = totals.get(key, 0) + sum(values)
    return totals


def update(how: str, sizes: Sizes, *, in_array: bool) -> dict[Key, Integer]:
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
        return {Key(SRAM, "dw", WRITES): -weights, Key(SRAM, "w", WRITES): weights}
    return dict.fromkeys((Key(SRAM, "w", READS), Key(SRAM, "dw", READS), Key(SRAM, "w", WRITES)), weights)


def update_cycles(sizes: Sizes, array: Array) -> Integer:
    """Clock cycles of a separate weight update: R a tile, ``R ceil(N/R) ceil(K/C)``.

    A row of C weights a cycle, through ports as wide as those by which W is loaded and dW drained (DESIGN.md section
    2): W and dW come in and the new W goes out in the same cycle. Like a pass, it takes an edge tile for a whole one.
    """
    return array.rows * ceil_div(sizes["n"], array.rows) * ceil_div(sizes["k"], array.cols)


def backward(mappings: Sequence[Mapping], sizes: Sizes, array: Array, columns: int | None = None) -> Phases:
    """The counts of a layer's gradients by phase; see ``counts``.

    Of two in turn, the second (dW of ``sequential``) is charged as if it ran alone, and the first with what is left:
    where the two overlap, that is its gain.
    """
    phases: dict[str, dict[Key, Integer]] = {}
    if columns is not None:
        divided = (part for mapping in mappings for part in parts(mapping, sizes["k"], columns, array))
        for part in divided:
            phase = phases.setdefault(phase_of(part.mapping.results), {})
            for key, values in named(part.events(sizes, array), part.mapping).items():
                phase[key] = phase.get(key, 0) + sum(values)
        return phases
    for mapping in mappings:
        counted = counts([mapping], sizes, array)
        if mapping.order == "in turn":
            first, last = (product.result for product in mapping.products)
            alone = counts(mapping.split()[-1:], sizes, array)
            phases[first] = {key: value - alone.get(key, 0) for key, value in counted.items()}
            phases[last] = alone
        else:
            phases[phase_of(mapping.results)] = counted
    return phases


def phase_of(results: Sequence[str]) -> str:
    """What the pass that computes ``results`` is called."""
    return "forward" if tuple(results) == ("y",) else "+".join(results)


def forward(how: str | Forward, sizes: Sizes, array: Array) -> Phases:
    """The counts of a layer's forward pass."""
    return {"forward": counts([find(how).mapping], sizes, array)}
