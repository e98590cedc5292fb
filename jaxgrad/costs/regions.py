"""Where each schedule is the fastest, by the lengths of a layer's axes against the array's sides.

Closed forms alone (DESIGN.md section 2), at many layers at once; what memories add is in ``costs.steps``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jaxgrad.array import closed_form
from jaxgrad.array.schedules import Schedule, find
from jaxgrad.base.arithmetic import Integer, minimum
from jaxgrad.base.errors import InputError
from jaxgrad.base.whole import exact
from jaxgrad.hardware import Accelerator


@dataclass(frozen=True)
class Layers:
    """Many layers: ``batch``, ``in_features`` and ``out_features`` are numbers, or arrays that broadcast."""

    batch: Integer
    in_features: Integer
    out_features: Integer

    @property
    def sizes(self) -> Mapping[str, Integer]:
        return {"b": self.batch, "k": self.in_features, "n": self.out_features}


class Regions(NamedTuple):
    """The fastest schedule of each layer.

    Args:
        schedules: the names that are compared.
        cycles: of each schedule, a row each.
        fastest: the number of the fastest; of equally fast ones the first.
    """

    schedules: tuple[str, ...]
    cycles: Int[np.ndarray, "schedule *layers"]
    fastest: Int[np.ndarray, "*layers"]

    def saving(self, of: Sequence[str]) -> Float[np.ndarray, "*layers"]:
        """The share of cycles that the fastest of these schedules saves over the fastest of all others."""
        among = np.array([name in of for name in self.schedules])
        return 1 - self.cycles[among].min(axis=0) / self.cycles[~among].min(axis=0)


def cycles(schedule: str | Schedule, layers: Layers, array: Accelerator) -> Integer:
    """Clock cycles of both gradients; of several mappings or schedules those of the fastest, layer by layer.

    >>> cycles("interleaved", Layers(8, 9, 10), Accelerator(4, 4))  # T (3R + C + 2B - 2), T = 9
    270
    >>> cycles("interleaved", Layers(exact([4, 8]), 9, 10), Accelerator(4, 4)).values
    array([198, 270])
    """
    return minimum(
        *(
            sum(
                minimum(
                    *(
                        closed_form.cycles(mapping.keeps, mapping.order, *mapping.sizes(layers), array)
                        for mapping in choice
                    )
                )
                for choice in member.alternatives()
            )
            for member in find(schedule).members
        )
    )


def regions(layers: Layers, arrays: Mapping[str, Accelerator]) -> Regions:
    """The fastest schedule of each layer.

    Args:
        layers: arrays of sizes.
        arrays: by schedule what it runs on: one array for all, or to each the array of equal area
            (``costs.area.iso_area``).

    Raises:
        InputError: there is no schedule to compare.
    """
    if not arrays:
        raise InputError("arrays", arrays, "give at least one schedule and its array")
    whole = Layers(*(exact(size) for size in layers.sizes.values()))
    counted = [exact(cycles(name, whole, array)).values for name, array in arrays.items()]
    table = np.stack(np.broadcast_arrays(*counted))
    return Regions(tuple(arrays), table, table.argmin(axis=0))
