from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgrad.gemm import Gemm
from jaxgrad.workload import LayerGemm

onnx = pytest.importorskip("onnx")
helper = onnx.helper

from jaxgrad.importers.onnx import UNSUPPORTED, read  # noqa: E402


def weights(name: str, *shape: int) -> Any:
    return onnx.numpy_helper.from_array(np.zeros(shape, np.float32), name)


def save(
    path: Path, nodes: list[Any], constants: list[Any], inputs: dict[str, list[int | str]], output: str = "y"
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
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), str(file))
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
        LayerGemm("scores", Gemm(5, 4, 5), 3, needs_dx=True),
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
