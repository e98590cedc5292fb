"""Pixels under windows, against sets of them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from jaxgrad.interop.scalesim.layers import Layer
from jaxgrad.interop.scalesim.raster import Raster
from tests.interop.scalesim.shapes import convolutions


def under(layer: Layer, window: int) -> set[tuple[int, int]]:
    row, col = divmod(window, layer.ofmap_width)
    down, right = layer.strides
    pixels = ((row * down + y, col * right + x) for y in range(layer.filter_height) for x in range(layer.filter_width))
    return {(y, x) for y, x in pixels if y < layer.ifmap_height and x < layer.ifmap_width}


@given(convolutions(), st.data())
def test_area(layer: Layer, data: st.DataObject) -> None:
    start, stop = sorted(data.draw(st.tuples(*[st.integers(0, layer.product.m)] * 2)))
    pixels = set().union(*(under(layer, window) for window in range(start, stop)))
    assert Raster(layer).area(start, stop) == len(pixels)


@given(convolutions())
def test_reach(layer: Layer) -> None:
    over: dict[tuple[int, int], set[int]] = {}
    for window in range(layer.product.m):
        for pixel in under(layer, window):
            over.setdefault(pixel, set()).add(window)
    pixels = sorted(over)
    firsts, lasts = Raster(layer).reach(*np.array(pixels).T)
    for place, pixel in enumerate(pixels):
        ranges = (range(first, last + 1) for first, last in zip(firsts[:, place], lasts[:, place], strict=True))
        found = {window for windows in ranges for window in windows if 0 <= window < layer.product.m}
        assert found == over[pixel]
