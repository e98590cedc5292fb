"""Fillings line by line against a walk word by word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgrad.interop.scalesim import lines, windows
from jaxgrad.interop.scalesim.folds import Folds
from jaxgrad.interop.scalesim.layers import Layer
from jaxgrad.interop.scalesim.lines import Lines
from jaxgrad.interop.scalesim.read_buffer import Fillings
from jaxgrad.interop.scalesim.windows import Windows
from tests.interop.scalesim import oracle
from tests.interop.scalesim.shapes import arrays, convolutions


def by_lines(layer: Layer, array: tuple[int, int], held: int) -> Fillings | None:
    folds = Folds(layer.product, *array, "ws")
    return Lines(layer, folds, held).fillings(folds.col_folds)


@given(convolutions(), arrays, st.data())
def test_fillings_are_those_of_a_walk_or_none(layer: Layer, array: tuple[int, int], data: st.DataObject) -> None:
    different = Windows(layer, Folds(layer.product, *array, "ws")).different
    if array[0] < different:
        held = data.draw(st.integers(array[0] + 1, different))
        assert by_lines(layer, array, held) in (None, oracle.fillings(oracle.demand(layer, *array, "ws").ifmap, held))


@pytest.mark.parametrize("strides", [(1, 1), (2, 1), (3, 4)])
@pytest.mark.parametrize("held", [9, 60, 200])
@pytest.mark.parametrize("together", [1, 256])
def test_rows_of_many_windows(
    strides: tuple[int, int], held: int, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So long that a filling's end is taken from an earlier one's; with pieces of pixels, and windows that hang out."""
    monkeypatch.setattr(lines, "_LEAST_LINES", together)
    layer = Layer("conv", 50, 40, 3, 3, 2, 4, strides[0], stride_width=strides[1])
    counted = []
    new = lines._Fold.counted
    with monkeypatch.context() as patch:
        patch.setattr(lines._Fold, "counted", lambda self, *asked: counted.append(1) or new(self, *asked))
        found = by_lines(layer, (8, 3), held)
    assert found == oracle.fillings(oracle.demand(layer, 8, 3, "ws").ifmap, held)
    if strides == (1, 1) and held == 9:
        assert found is not None
        assert 2 * len(counted) < found.count


def test_a_word_asked_for_in_two_folds_of_one_filling_is_not_told() -> None:
    """Each fold has a row of the filter, so that the next one asks for the same words a row of windows before."""
    layer = Layer("conv", 9, 9, 3, 3, 1, 1, 1)
    lines_asked = oracle.demand(layer, 3, 3, "ws").ifmap
    found = {held: by_lines(layer, (3, 3), held) for held in range(4, 82)}
    for held, fillings in found.items():
        assert fillings in (None, oracle.fillings(lines_asked, held))
    told = [held for held, fillings in found.items() if fillings is not None]
    assert min(told) == 4
    assert 20 < len(told) < 60


def test_a_large_layer_is_not_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a walk of 1.2 billion places, half a minute long, found it."""
    monkeypatch.delattr(windows.Windows, "walked")
    layer = Layer("hd", 1080, 1920, 3, 3, 64, 64, 1)
    assert Windows(layer, Folds(layer.product, 128, 128, "ws")).fillings(32750) == Fillings(25972, 10339469, 15234)
