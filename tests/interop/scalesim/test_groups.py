"""Fillings group by group against a walk word by word."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgrad.interop.scalesim.folds import Dataflow, Folds
from jaxgrad.interop.scalesim.groups import Groups
from jaxgrad.interop.scalesim.layers import Layer
from jaxgrad.interop.scalesim.windows import Windows
from tests.interop.scalesim import oracle
from tests.interop.scalesim.shapes import arrays, convolutions


def fillings(layer: Layer, array: tuple[int, int], dataflow: Dataflow, held: int) -> None:
    folds = Folds(layer.product, *array, dataflow)
    sweeps = folds.col_folds if dataflow == "os" else 1
    expected = oracle.fillings(oracle.demand(layer, *array, dataflow).ifmap, held)
    assert Groups(layer, folds, held).fillings(sweeps) == expected


@given(convolutions(), arrays, st.sampled_from(["os", "is"]), st.data())
def test_fillings_are_those_of_a_walk(
    layer: Layer, array: tuple[int, int], dataflow: Dataflow, data: st.DataObject
) -> None:
    folds = Folds(layer.product, *array, dataflow)
    widest = array[0] if dataflow == "os" else array[1]
    different = Windows(layer, folds).different
    if widest < different:
        fillings(layer, array, dataflow, data.draw(st.integers(widest + 1, different)))


@pytest.mark.parametrize("dataflow", ["os", "is"])
@pytest.mark.parametrize("strides", [(1, 1), (2, 1), (3, 4)])
@pytest.mark.parametrize("held", [9, 60, 333, 900])
def test_rows_of_many_groups(dataflow: Dataflow, strides: tuple[int, int], held: int) -> None:
    """So long that a filling's end is taken from an earlier one's."""
    layer = Layer("conv", 13, 61, 3, 3, 2, 7, strides[0], stride_width=strides[1])
    fillings(layer, (4, 3), dataflow, min(held, Windows(layer, Folds(layer.product, 4, 3, dataflow)).different))
    fillings(replace(layer, filters=1), (3, 5), dataflow, 8)
