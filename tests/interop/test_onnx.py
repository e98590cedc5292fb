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
from jaxgrad.programs import LayerGemm

onnx = pytest.importorskip("onnx")
helper = onnx.helper

from onnx.reference import ReferenceEvaluator  # noqa: E402

from jaxgrad.interop.onnx import UNSUPPORTED, read  # noqa: E402


def weights(name: str, *shape: int) -> Any:
    return onnx.numpy_helper.from_array(np.zeros(shape, np.float32), name)


def save(
    path: Path, nodes: list[Any], constants: list[Any], inputs: dict[str, list[Any]], output: str = "y", opset: int = 17
) -> Path:
    floats = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(name, floats, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(output, floats, None)],
        constants,
    )
    file = path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)]), str(file))
    return file


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
    assert read(convolutional(tmp_path), {"batch": 2}) == [
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
    assert read(file) == [
        LayerGemm("q", Gemm(15, 8, 4), 1, needs_dx=False),
        LayerGemm("k", Gemm(15, 8, 4), 1, needs_dx=False),
        LayerGemm("scores", Gemm(5, 4, 5), 3, needs_dx=True, weights=False),
        LayerGemm("left", Gemm(15, 5, 7), 1, needs_dx=True),
    ]


def recurrent(path: Path) -> Path:
    nodes = [helper.make_node("LSTM", ["x", "w", "r"], ["y"], "memory", hidden_size=4)]
    return save(path, nodes, [weights("w", 1, 16, 8), weights("r", 1, 16, 4)], {"x": [3, 2, 8]})


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


def own_function(path: Path) -> Path:
    """Of a name that ONNX has, with a product inside."""
    file = save(path, [helper.make_node("Scaler", ["x"], ["y"], "mine", domain="ai.onnx.ml")], [], {"x": [3, 3]})
    model = onnx.load(str(file))
    opsets = [helper.make_opsetid("", 17)]
    inside = [helper.make_node("MatMul", ["a", "a"], ["b"])]
    model.functions.append(helper.make_function("ai.onnx.ml", "Scaler", ["a"], ["b"], inside, opsets))
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))
    onnx.save(model, str(file))
    return file


def linear(path: Path) -> Path:
    node = helper.make_node("LinearRegressor", ["x"], ["y"], "lin", domain="ai.onnx.ml", coefficients=[1.0, 2.0])
    return save(path, [node], [], {"x": [3, 2]})


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
        (recurrent, {}, ["LSTM (memory)", "not read"]),
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
        (own_function, {}, ["Scaler (mine)", "not read"]),
        (lambda path: unknown(path, "Foo\nBar"), {}, [r"'Foo\nBar' (foo)", "not read"]),
        (linear, {}, ["LinearRegressor (lin)", "not read"]),
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


def test_every_refused_operation_is_one_of_onnx_s() -> None:
    known = {schema.name for schema in onnx.defs.get_all_schemas()}
    assert not UNSUPPORTED - known


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
    computed: Any = ReferenceEvaluator(str(file)).run(None, {"x": np.zeros(inputs["x"], np.float32)})
    (layer,) = read(file)
    gemm = layer.gemm
    assert layer.times * gemm.batch * gemm.in_features * gemm.out_features == computed[0].size * summed
