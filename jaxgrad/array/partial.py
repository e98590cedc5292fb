"""Gradients of which dW is wanted of some columns of x alone, the first ones: what runs, part after part (DESIGN.md
section 2)."""

from __future__ import annotations

from collections.abc import Mapping as Dictionary
from typing import NamedTuple

from jaxgrad.array import closed_form
from jaxgrad.array.mapping import Mapping
from jaxgrad.array.passes.events import Events
from jaxgrad.base.arithmetic import Integer


class Part(NamedTuple):
    """A mapping on some of a layer's in-features.

    Args:
        mapping: what lies where.
        start: the first of them.
        dx, dw: how many of them each gradient is of.
    """

    mapping: Mapping
    start: int
    dx: int
    dw: int

    def events(self, sizes: Dictionary[str, Integer], array: closed_form.Array) -> Events:
        """All events in closed form.

        Args:
            sizes: of the layer, of which b and n count.
            array: the hardware.
        """
        widths = tuple(self.dw if result == "dw" else self.dx for result in self._results)
        stream, row, column = (widths[0] if axis == "k" else sizes[axis] for axis in self.mapping.axes)
        if self.mapping.axes[2] == "k" and len(set(widths)) > 1:
            column = widths
        return closed_form.events(self.mapping.keeps, self.mapping.order, stream, row, column, array)

    @property
    def _results(self) -> tuple[str, ...]:
        return tuple(product.result for product in self.mapping.products)


def parts(mapping: Mapping, in_features: int, columns: int, array: closed_form.Array) -> tuple[Part, ...]:
    """What computes a mapping's gradients one part after the other, dW of the first ``columns`` columns of x.

    Where both go through the array at once, they do so on these columns: along the array's columns on all tiles that
    hold some of them, of which the last may have fewer for dW than for dX. dX of the others runs alone.

    >>> from jaxgrad import Accelerator
    >>> from jaxgrad.array.schedules import INTERLEAVED
    >>> [(len(part.mapping.products), *part[1:]) for part in parts(INTERLEAVED, 9, 3, Accelerator(2, 2))]
    [(2, 0, 4, 3), (1, 4, 5, 0)]
    """
    whole = Part(mapping, 0, in_features, columns)
    if columns == in_features or len(mapping.products) == 1:
        return (whole,)
    if not mapping.fused:
        return tuple(whole._replace(mapping=slot) for slot in mapping.split())
    shared = columns
    if mapping.axes[2] == "k":
        shared = min(in_features, -(-columns // array.cols) * array.cols)
    both = Part(mapping, 0, shared, columns)
    (alone,) = (slot for slot in mapping.split() if slot.results == ("dx",))
    return (both, Part(alone, shared, in_features - shared, 0)) if shared < in_features else (both,)
