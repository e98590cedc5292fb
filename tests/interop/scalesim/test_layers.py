"""Sizes of the output, by SCALE-Sim's rule and by the usual one, against counting windows."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from jaxgrad.interop.scalesim.layers import Layer, gemm_layer
from tests.interop.scalesim.shapes import convolutions


@given(convolutions(), st.integers(0, 3), st.integers(1, 3))
def test_windows_within_the_input(layer: Layer, padding: int, batch: int) -> None:
    def within(size: int, window: int, stride: int) -> int:
        return len([corner for corner in range(0, size, stride) if corner + window <= size])

    def windows(border: int) -> int:
        height, width = layer.ifmap_height + 2 * border, layer.ifmap_width + 2 * border
        down, right = layer.strides
        return within(height, layer.filter_height, down) * within(width, layer.filter_width, right)

    assert layer.cropped.m == windows(0)
    assert layer.product.m >= layer.cropped.m
    assert layer.overhangs == (layer.product.m > windows(0))
    padded = replace(layer, padding=padding, batch=batch)
    assert padded.true_product.m == batch * windows(padding)
    assert padded.product == layer.product


def test_groups_share_channels_and_filters() -> None:
    layer = Layer("grouped", 5, 5, 3, 3, 6, 4, 1, groups=2)
    assert layer.true_product == (9, 2, 27)
    assert layer.product == (9, 4, 54)


def test_a_gemm_is_a_convolution_of_a_window_a_row() -> None:
    layer = gemm_layer("g", 7, 5, 3)
    assert layer.product == layer.cropped == layer.true_product == (7, 5, 3)
    assert layer.product.macs == 105
