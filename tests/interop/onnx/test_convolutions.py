"""Transposed and other convolutions of ONNX against what its reference computes on ones."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgrad.array.gemm import Gemm
from jaxgrad.interop.onnx import read
from jaxgrad.programs import LayerGemm
from tests.interop.onnx.models import evaluated, helper, save, weights


@st.composite
def transposed(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...], dict[str, object]]:
    size, rank = st.integers(1, 4), draw(st.integers(1, 2))
    groups = draw(st.integers(1, 2))
    channels = groups * draw(size)
    image, taps = (draw(st.tuples(*[size] * rank)) for _ in range(2))
    extra = {"strides": draw(st.tuples(*[size] * rank)), "group": groups}
    return (draw(size), channels, *image), (channels, draw(size), *taps), extra


@given(transposed())
def test_a_transposed_convolution_of_ones_sums_up_to_its_macs(
    tmp_path_factory: pytest.TempPathFactory, case: tuple[tuple[int, ...], tuple[int, ...], dict[str, object]]
) -> None:
    image, taps, attributes = case
    node = helper.make_node("ConvTranspose", ["x", "w"], ["y"], "up", **attributes)
    folder = tmp_path_factory.mktemp("up")
    (layer,) = read(save(folder, [node], [weights("w", np.ones(taps, np.float32))], {"x": image})).gemms
    # By the definition: every pixel of every channel, times every tap and filter of its group, added to some output.
    by_hand = math.prod(image) * math.prod(taps[1:])
    assert layer.times * layer.gemm.macs == by_hand
    if attributes["group"] == 1:  # ONNX's reference knows no groups there
        file = save(folder, [node], [weights("w", np.ones(taps, np.float32))], {"x": image})
        assert evaluated(file, x=np.ones(image, np.float32))[0].sum() == by_hand


def test_a_network_that_goes_down_and_up(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["a"], "down", strides=[2, 2]),
        helper.make_node("ConvTranspose", ["a", "w2", "b"], ["y"], "up", strides=[2, 2], group=2),
    ]
    constants = [weights("w1", 6, 3, 2, 2), weights("w2", 6, 4, 3, 3), weights("b", 8)]
    reading = read(save(tmp_path, nodes, constants, {"x": [2, 3, 8, 8]}))
    assert reading.gemms[1] == LayerGemm("up", Gemm(32, 3, 36), 2, needs_dx=True, kind="conv_general_dilated")
    assert [(edge.source, edge.target, edge.words) for edge in reading.graph.edges] == [
        ("input", "down", 384),
        ("down", "up", 192),
        ("up", "output", 2 * 8 * 9 * 9),
    ]
    assert reading.notes == []


def test_integers_have_a_forward_pass_alone(tmp_path: Path) -> None:
    zeros = [weights("w", np.zeros((5, 3, 3, 3), np.int8)), weights("v", np.zeros((30, 7), np.int8))]
    nodes = [
        helper.make_node("Cast", ["x"], ["q"], to=3),
        helper.make_node("ConvInteger", ["q", "w"], ["a"], "conv"),
        helper.make_node("Cast", ["a"], ["b"], to=3),
        helper.make_node("Reshape", ["b", "shape"], ["c"]),
        helper.make_node("MatMulInteger", ["c", "v"], ["d"], "dense"),
        helper.make_node("Cast", ["d"], ["y"], to=1),
    ]
    file = save(tmp_path, nodes, [*zeros, weights("shape", np.array([2, 30]))], {"x": [2, 3, 4, 5]})
    conv, dense = read(file).gemms
    assert (conv.gemm, conv.needs_dx, conv.needs_dw) == (Gemm(2 * 2 * 3, 27, 5), False, False)
    assert (dense.gemm, dense.needs_dx, dense.needs_dw) == (Gemm(2, 30, 7), False, False)
