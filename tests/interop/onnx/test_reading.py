from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgrad.array.gemm import Gemm
from jaxgrad.interop.onnx import read
from jaxgrad.interop.onnx.operations import PRODUCTS, UNREAD
from jaxgrad.programs import LayerGemm
from tests.interop.onnx.models import evaluated, helper, onnx, save, weights
from tests.refusals import Refusal, assert_refused


def convolutional(path: Path) -> Path:
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["a"], "conv1", pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "w2"], ["c"], "depthwise", group=6, auto_pad="SAME_UPPER"),
        helper.make_node("GlobalAveragePool", ["c"], ["d"]),
        helper.make_node("Flatten", ["d"], ["e"]),
        helper.make_node("Gemm", ["e", "w3", "bias"], ["y"], "head", transB=1),
    ]
    constants = [weights("w1", 6, 3, 3, 3), weights("w2", 6, 1, 3, 3), weights("w3", 5, 6), weights("bias", 5)]
    return save(path, nodes, constants, {"x": ["batch", 3, 8, 9]})


def test_convolutions_and_a_dense_layer(tmp_path: Path) -> None:
    assert read(convolutional(tmp_path), {"batch": 2}).gemms == [
        LayerGemm("conv1", Gemm(2 * 4 * 5, 27, 6), 1, needs_dx=False, kind="conv_general_dilated", x_words=2 * 3 * 72),
        LayerGemm("depthwise", Gemm(2 * 4 * 5, 9, 1), 6, needs_dx=True, kind="conv_general_dilated", x_words=2 * 20),
        LayerGemm("head", Gemm(2, 6, 5), 1, needs_dx=True),
    ]


def test_matrix_products_as_in_attention(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "wq"], ["q"], "q"),
        helper.make_node("Transpose", ["wk"], ["wk_t"], perm=[1, 0]),  # a constant too
        helper.make_node("MatMul", ["x", "wk_t"], ["k"], "k"),
        helper.make_node("Transpose", ["k"], ["kt"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["q", "kt"], ["s"], "scores"),
        helper.make_node("MatMul", ["w_left", "s"], ["y"], "left"),
    ]
    constants = [weights("wq", 8, 4), weights("wk", 4, 8), weights("w_left", 7, 5)]
    file = save(tmp_path, nodes, constants, {"x": [3, 5, 8]})
    assert read(file).gemms == [
        LayerGemm("q", Gemm(15, 8, 4), 1, needs_dx=False),
        LayerGemm("k", Gemm(15, 8, 4), 1, needs_dx=False),
        LayerGemm("scores", Gemm(5, 4, 5), 3, needs_dx=True, weights=False),
        LayerGemm("left", Gemm(15, 5, 7), 1, needs_dx=True),
    ]


def foreign(path: Path) -> Path:
    nodes = [helper.make_node("FusedConv", ["x"], ["y"], "fused", domain="com.example")]
    return save(path, nodes, [], {"x": [3, 2]})


def ill_fitting(path: Path) -> Path:
    return save(path, [helper.make_node("MatMul", ["x", "w"], ["y"])], [weights("w", 4, 5)], {"x": [2, 3]})


def convolution(path: Path, *shape: int, **attributes: Any) -> Path:
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"], "conv", **attributes)]
    return save(path, nodes, [weights("w", *shape)], {"x": [1, 3, 8, 8]})


def unknown(path: Path, operation: str = "FooBar") -> Path:
    return save(path, [helper.make_node(operation, ["x"], ["y"], "foo")], [], {"x": [3, 2]})


def garbage(path: Path) -> Path:
    file = path / "garbage.onnx"
    file.write_bytes(b"\x00not a model at all\xff" * 9)
    return file


def empty(path: Path) -> Path:
    file = path / "empty.onnx"
    file.write_bytes(b"")
    return file


@pytest.mark.parametrize(
    ("make", "dims", "words"),
    [
        (convolutional, {}, ["dims: got no size for axis 0", "'x'", "batch"]),
        (convolutional, {"batch": 0}, ["dims[batch]: got 0", "at least 1"]),
        (convolutional, {"batch": 1, "length": 3}, ["dims: got 'length'", "batch"]),
        (foreign, {}, ["FusedConv (fused)"]),
        (ill_fitting, {}, ["model: got"]),
        (
            lambda path: convolution(path, 4, 5, 3, 3),
            {},
            ["got 3 channels in 1 groups for Conv (conv)", "(4, 5, 3, 3)"],
        ),
        (lambda path: convolution(path, 6, 2, 3, 3, group=3), {}, ["got 3 channels in 3 groups", "(6, 2, 3, 3)"]),
        (lambda path: convolution(path, 4, 1, 3, 3, group=3), {}, ["got 3 channels in 3 groups", "(4, 1, 3, 3)"]),
        (lambda path: convolution(path, 4, 3, 3, 3, kernel_shape=[2, 2]), {}, ["kernel_shape (2, 2)", "give (3, 3)"]),
        (
            lambda path: convolution(path, 4, 3, 3, 3, auto_pad="SAME"),
            {},
            ["auto_pad of Conv (conv)", "'SAME'", "VALID"],
        ),
        (lambda path: convolution(path, 4, 3, 3, 3, auto_pad=1), {}, ["got auto_pad 1 for Conv (conv)", "the type"]),
        (unknown, {}, ["FooBar (foo)", "not read"]),
        (lambda path: unknown(path, "Foo\nBar"), {}, [r"'Foo\nBar' (foo)", "not read"]),
        (garbage, {}, ["no ONNX model"]),
        (empty, {}, ["no ONNX model"]),
    ],
)
def test_refusals(make: Callable[[Path], Path], dims: dict[str, int], words: list[str], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="got") as raised:
        read(make(tmp_path), dims)
    message = str(raised.value)
    assert len(message.splitlines()) == 1
    assert all(word in message for word in words), message


@given(at=st.integers(0, 10**6), cut=st.integers(0, 10**6), byte=st.integers(0, 255))
def test_a_broken_file_is_refused_or_read(
    tmp_path_factory: pytest.TempPathFactory, at: int, cut: int, byte: int
) -> None:
    folder = tmp_path_factory.mktemp("broken")
    file = convolutional(folder)
    whole = bytearray(file.read_bytes())
    whole[at % len(whole)] = byte
    file.write_bytes(whole[: len(whole) - cut % 9])
    assert len(said_of(file).splitlines()) <= 1


def said_of(file: Path) -> str:
    """Why a file is refused; nothing if it is not."""
    try:
        read(file, {"batch": 2})
    except ValueError as error:
        return str(error)
    return ""


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nothing"):
        read(tmp_path / "nothing.onnx")


def test_every_operation_that_is_not_read_is_one_of_onnx_s() -> None:
    known = {schema.name for schema in onnx.defs.get_all_schemas()}
    assert not UNREAD - known
    assert not set(PRODUCTS) - known


@st.composite
def one_node(draw: st.DrawFn) -> tuple[Any, dict[str, tuple[int, ...]], tuple[int, ...], int]:
    """A node on ``x`` and ``w``, shapes of those that are no weights and of the weights, and the products it sums."""
    size = st.integers(1, 4)
    if draw(st.booleans()):
        rank = draw(st.integers(1, 3))
        image = draw(st.tuples(*[st.integers(5, 9)] * rank))
        taps = draw(st.tuples(*[st.integers(1, 3)] * rank))
        groups, channels, filters = draw(size), draw(size), draw(size)
        own: dict[str, Any] = {"group": groups} if groups > 1 else {}
        own["auto_pad"] = draw(st.sampled_from(["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]))
        if own["auto_pad"] == "NOTSET":
            own["pads"] = draw(st.tuples(*[st.integers(0, 2)] * 2 * rank))
        own["strides"] = draw(st.tuples(*[st.integers(1, 3)] * rank))
        own["dilations"] = draw(st.tuples(*[st.integers(1, 2)] * rank))
        x = (draw(size), groups * channels, *image)
        node = helper.make_node("Conv", ["x", "w"], ["y"], "node", **own)
        return node, {"x": x}, (groups * filters, channels, *taps), channels * math.prod(taps)
    if draw(st.booleans()):
        m, n, k = draw(size), draw(size), draw(size)
        a, b = draw(st.booleans()), draw(st.booleans())
        node = helper.make_node("Gemm", ["x", "w"], ["y"], "node", transA=int(a), transB=int(b), alpha=0.5)
        return node, {"x": (k, m) if a else (m, k)}, (n, k) if b else (k, n), k
    stack, k = draw(st.lists(size, max_size=2)), draw(size)

    def stacked() -> tuple[int, ...]:
        """The stack or what may be broadcast to it."""
        kept = stack[draw(st.integers(0, len(stack))) :]
        return tuple(draw(st.sampled_from([1, length])) for length in kept)

    x = (*stacked(), draw(size), k)
    w = (*stacked(), k, draw(size))
    return helper.make_node("MatMul", ["x", "w"], ["y"], "node"), {"x": x}, w, k


@given(one_node(), st.sampled_from([11, 13, 17, 21]))
def test_multiply_accumulates_are_those_of_the_values_that_onnx_computes(
    tmp_path_factory: pytest.TempPathFactory,
    case: tuple[Any, dict[str, tuple[int, ...]], tuple[int, ...], int],
    opset: int,
) -> None:
    node, inputs, shape, summed = case
    file = save(tmp_path_factory.mktemp("one"), [node], [weights("w", *shape)], {"x": [*inputs["x"]]}, opset=opset)
    computed = evaluated(file, x=np.zeros(inputs["x"], np.float32))
    (layer,) = read(file).gemms
    gemm = layer.gemm
    assert layer.times * gemm.batch * gemm.in_features * gemm.out_features == computed[0].size * summed


def test_what_is_not_counted_is_named_and_refused_on_request(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"], "first"),
        helper.make_node("Attention", ["a"], ["b"], "fused", domain="com.microsoft"),
        helper.make_node("MatMul", ["b", "w"], ["c"], "lost"),
        helper.make_node("MatMul", ["a", "w"], ["y"], "second"),
    ]
    file = save(tmp_path, nodes, [weights("w", 3, 3)], {"x": [2, 3]}, others=["com.microsoft"])
    reading = read(file)
    assert [(gemm.path, gemm.needs_dx) for gemm in reading.gemms] == [("first", False), ("second", True)]
    assert reading.notes == [
        "Attention (fused): not counted, its multiply-accumulates are not read, if it has any",
        "MatMul (lost): not counted, no shape is known for 'b'",
    ]
    refusal = Refusal(lambda: read(file, strict=True), "model", "Attention (fused), MatMul (lost)", "give one without")
    assert_refused(refusal)


def test_onnx_runtime_s_own_are_those_of_onnx_and_more(tmp_path: Path) -> None:
    def fused(kind: str, inputs: list[str], output: str, **attributes: Any) -> Any:
        return helper.make_node(kind, inputs, [output], kind, domain="com.microsoft", **attributes)

    nodes = [
        fused("FusedConv", ["x", "w1", "b1", "x"], "a", pads=[1, 1, 1, 1], activation="Relu"),
        helper.make_node("Reshape", ["a", "shape"], ["b"]),
        fused("FusedGemm", ["b", "w2", "b2"], "c", transB=1, activation="Relu"),
        fused("FusedMatMul", ["c", "w3"], "d", transB=1, alpha=0.5),
        fused("FastGelu", ["d"], "e"),
        fused("FusedMatMul", ["e", "w4"], "y"),
    ]
    constants = [weights("w1", 3, 3, 3, 3), weights("b1", 3), weights("shape", np.array([2, 60]))]
    constants += [weights("w2", 7, 60), weights("b2", 7), weights("w3", 5, 7), weights("w4", 5, 4)]
    reading = read(save(tmp_path, nodes, constants, {"x": [2, 3, 4, 5]}, others=["com.microsoft"]), strict=True)
    gemms = [gemm.gemm for gemm in reading.gemms]
    assert gemms == [Gemm(40, 27, 3), Gemm(2, 60, 7), Gemm(2, 7, 5), Gemm(2, 5, 4)]
    assert all(gemm.weights for gemm in reading.gemms)
    residual = [edge for edge in reading.graph.edges if edge.target == "FusedConv" and edge.operand == "y"]
    assert [(edge.source, edge.words) for edge in residual] == [("input", 120)]


def test_an_embedding_is_trained(tmp_path: Path) -> None:
    """So the layer behind it owes it a gradient; one behind a look-up in data owes none."""
    nodes = [
        helper.make_node("Cast", ["x"], ["ids"], to=7),
        helper.make_node("Gather", ["table", "ids"], ["e"], "embedding"),
        helper.make_node("MatMul", ["e", "w"], ["y"], "behind"),
        helper.make_node("Gather", ["x", "places"], ["g"], "look_up", axis=1),
        helper.make_node("MatMul", ["g", "v"], ["z"], "data"),
    ]
    constants = [
        weights("table", 20, 6),
        weights("w", 6, 5),
        weights("v", 3, 2),
        weights("places", np.array([0, 1, 1])),
    ]
    behind, data = read(save(tmp_path, nodes, constants, {"x": [2, 3]})).gemms
    assert (behind.path, behind.needs_dx, behind.needs_dw) == ("behind", True, True)
    assert (data.path, data.needs_dx, data.needs_dw) == ("data", False, True)


def test_an_axis_without_a_name_is_told_by_its_place(tmp_path: Path) -> None:
    """As skl2onnx leaves it, whose linear models have their weights in attributes."""
    node = helper.make_node(
        "LinearClassifier", ["input"], ["label", "y"], "linear", domain="ai.onnx.ml", coefficients=[0.5] * 12,
        intercepts=[0.0] * 3, classlabels_ints=[0, 1, 2],
    )  # fmt: skip
    file = save(tmp_path, [node], [], {"input": [None, 4]}, others=["ai.onnx.ml"])
    assert_refused(Refusal(lambda: read(file), "dims", "no size for axis 0 of input 'input'", "by input:0"))
    reading = read(file, {"input:0": 32})
    assert reading.gemms == [LayerGemm("linear", Gemm(32, 4, 3), 1, needs_dx=False)]
    assert [(edge.source, edge.target, edge.words) for edge in reading.graph.edges] == [
        ("input", "linear", 128),
        ("linear", "output", 96),
    ]
    assert_refused(Refusal(lambda: read(file, {"input:0": 32, "input:1": 4}), "dims", "'input:1'", "are input:0"))
