"""A group's places against a list of them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from jaxgrad.interop.scalesim.layers import Layer
from jaxgrad.interop.scalesim.raster import Raster
from jaxgrad.interop.scalesim.template import Template
from tests.interop.scalesim import oracle
from tests.interop.scalesim.shapes import convolutions


@given(convolutions(), st.data())
def test_words_of_a_group(layer: Layer, data: st.DataObject) -> None:
    raster = Raster(layer)
    first = data.draw(st.integers(0, layer.product.m - 1))
    last = data.draw(st.integers(first, layer.product.m - 1))
    row = first // raster.cols
    pairs = [(window, place) for place in range(layer.product.k) for window in range(first, last + 1)]
    pairs = data.draw(st.permutations(pairs)) if len(pairs) < 40 else pairs
    words = [oracle.ifmap_word(layer, window, place) for window, place in pairs]
    if not any(words):
        return
    windows, places = np.array(pairs).T
    template = Template(raster, row, windows - row * raster.cols, places)
    start = data.draw(st.integers(0, len(pairs)))
    later = {word for asked in words[start:] for word in asked}
    assert template.words_from(start) == template.held_from(start).sum() == len(later)
    seen: set[int] = set()
    for place in range(start, len(pairs)):
        before = len(seen)
        seen.update(words[place])
        if len(seen) > before:
            assert template.end_within(start, len(seen)) == place + 1
    rows, cols = template.pixels(row, 0)
    pixels = {word // layer.channels for asked in words for word in asked}
    assert set(rows * layer.ifmap_width + cols) == pixels
    assert [words[place] for place in template.firsts] == [
        [int(template.keys[word // layer.channels] + row * layer.strides[0] * layer.ifmap_width) * layer.channels
         + int(word % layer.channels)]
        for word in template.order
    ]  # fmt: skip
