"""The ifmap of convolutions against a walk word by word."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgrad.interop.scalesim import walk
from jaxgrad.interop.scalesim import windows as module
from jaxgrad.interop.scalesim.folds import Dataflow, Folds
from jaxgrad.interop.scalesim.layers import Layer
from jaxgrad.interop.scalesim.windows import Windows
from tests.interop.scalesim import oracle
from tests.interop.scalesim.shapes import arrays, convolutions, dataflows


@given(convolutions(), arrays, dataflows, st.integers(1, 130), st.sampled_from([0, 1 << 30]))
def test_windows_are_walked_as_by_hand(
    layer: Layer, array: tuple[int, int], dataflow: Dataflow, held: int, dear: int
) -> None:
    windows = Windows(layer, Folds(layer.product, *array, dataflow))
    lines = oracle.demand(layer, *array, dataflow).ifmap
    words = [word for line in lines for word in line]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_DEAR", dear)
        expected = oracle.fillings(lines, held)
        assert windows.fillings(held) == expected
        if held <= windows.different:
            assert windows.walked(held) == expected
    assert windows.different == len(set(words))
    assert windows.last_cycle == max(cycle for cycle, line in enumerate(lines) if line)
    if not windows.overlap:
        passes = 1 if dataflow == "is" else windows.folds.col_folds
        assert len(words) == passes * windows.different


@pytest.mark.parametrize("dataflow", ["os", "ws", "is"])
@pytest.mark.parametrize("held", [7, 40, 111])
@pytest.mark.parametrize("dear", [0, 1 << 30])
def test_blocks_need_not_be_large(dataflow: Dataflow, held: int, dear: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK", 16)
    monkeypatch.setattr(module, "_DEAR", dear)
    monkeypatch.setattr(walk, "_LEAST_AHEAD", 4)
    layer = Layer("conv", 8, 7, 3, 2, 3, 13, 2)
    windows = Windows(layer, Folds(layer.product, 4, 3, dataflow))
    assert windows.walked(held) == oracle.fillings(oracle.demand(layer, 4, 3, dataflow).ifmap, held)


def test_many_sweeps_are_not_all_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = Layer("conv", 8, 8, 3, 3, 2, 600, 1)
    folds = Folds(layer.product, 4, 1, "os")
    walked = []
    stream = Windows.stream
    monkeypatch.setattr(Windows, "stream", lambda self: walked.append(1) or stream(self))
    found = Windows(layer, folds).walked(50)
    assert len(walked) == 1
    assert found == oracle.fillings(oracle.demand(layer, 4, 1, "os").ifmap, 50)


@given(convolutions(), arrays, st.data())
def test_words_that_come_again_late_are_told_from_others(
    layer: Layer, array: tuple[int, int], data: st.DataObject
) -> None:
    """In ws: what is said to be far apart is nowhere asked for twice while a buffer is filled, wherever that begins."""
    windows = Windows(layer, Folds(layer.product, *array, "ws"))
    held = data.draw(st.integers(1, windows.different))
    if windows._far_apart(held):
        words = [word for line in oracle.demand(layer, *array, "ws").ifmap for word in line]
        last: dict[int, int] = {}
        for place, word in enumerate(words):
            assert place - last.get(word, -held) >= held
            last[word] = place


def test_a_large_layer_without_overlaps_in_a_fold_is_not_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Windows, "walked")
    layer = Layer("hd", 1080, 1920, 3, 3, 64, 64, 1)
    windows = Windows(layer, Folds(layer.product, 32, 32, "ws"))
    places = 2 * layer.product.m * layer.product.k
    assert windows.fillings(32750)[::2] == divmod(places, 32750)


def test_words_outside_the_input_are_never_asked_for() -> None:
    layer = Layer("conv", 4, 4, 1, 1, 2, 1, 2)  # a third row and column of windows, wholly outside
    buffer = Windows(layer, Folds(layer.product, 2, 2, "os")).empty_buffer().reshape(5, 5, 2)
    assert np.count_nonzero(buffer[:4, :4]) == 0
    assert (buffer[4] > 0).all()
    assert (buffer[:, 4] > 0).all()
