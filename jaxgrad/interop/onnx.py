"""ONNX models: their convolutions and matrix products, with the gradients that training them would need.

An ONNX file holds a forward pass. Its weights are taken to be trained, and an input's gradient to be wanted where
something trained made it. Weights are the constants among its operands, and the inputs of the graph that are no data
(``onnx_graph.Roles``). Needs the extra ``jaxgrad[onnx]``.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxgrad.array.convolution import Convolution
from jaxgrad.array.gemm import Gemm
from jaxgrad.base.errors import InputError, one_of, positive_integer
from jaxgrad.interop.onnx_graph import PRODUCTS, Roles, graph_of
from jaxgrad.programs import Graph, LayerGemm

# Multiply-accumulates that are not read: a count without them would be wrong, so they are refused by name.
UNSUPPORTED = frozenset({
    "Attention", "CausalConvWithState", "ConvInteger", "ConvTranspose", "DeformConv", "Einsum", "GRU", "If", "LSTM",
    "LinearAttention", "LinearClassifier", "LinearRegressor", "Loop", "MatMulInteger", "QLinearConv", "QLinearMatMul",
    "RNN", "SVMClassifier", "SVMRegressor", "Scan", "SequenceMap",
})  # fmt: skip
# Trained, and with no GEMM in them: what comes from them needs a gradient.
_OTHER_TRAINED = ("BatchNormalization", "InstanceNormalization", "LayerNormalization", "GroupNormalization")
_ATTRIBUTES = {"auto_pad": bytes, "group": int, "transA": int, "transB": int} | dict.fromkeys(
    ("dilations", "kernel_shape", "pads", "strides"), list
)
_AUTO_PADS = ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")

Shapes = Mapping[str, tuple[int, ...]]


def read(path: Path | str, dims: Mapping[str, int] | None = None) -> list[LayerGemm]:
    """What a training step of the model in a file asks of the array, in the order of its nodes; see ``read_graph``."""
    return [node.gemm for node in read_graph(path, dims).nodes]


def read_graph(path: Path | str, dims: Mapping[str, int] | None = None) -> Graph:
    """The same with what goes from one product to the next.

    Args:
        path: the ``.onnx`` file; weights beside it are not read.
        dims: sizes of the axes that the model leaves open, by their names in it, such as ``{"batch": 32}``.

    Raises:
        ValueError: ``onnx`` is not installed, the file is no ONNX model, an axis of an input is open, a shape can't be
            inferred, or an operation with multiply-accumulates is none of Conv, Gemm and MatMul.
        OSError: the file can't be read.
    """
    try:
        onnx: Any = importlib.import_module("onnx")
    except ImportError:
        raise InputError("onnx", None, "install jaxgrad[onnx]", problem="got no such package") from None
    Path(path).open("rb").close()  # its own error for a file that is not there
    try:
        model = onnx.load(str(path), load_external_data=False)
        graph = model.graph
        graph.name  # noqa: B018  # a message that was decoded has one
    except Exception as error:
        raise InputError(
            "model", Path(path), "give one", problem=f"got {str(path)!r}, which is no ONNX model ({_said(error)})"
        ) from error
    if not graph.node:
        raise InputError(
            "model",
            Path(path),
            "give one with some",
            problem=f"got {str(path)!r}, which is no ONNX model, or one without nodes",
        )
    _set_dims(graph, dims or {})
    own = {(function.domain, function.name) for function in model.functions}

    def is_onnx_s(node: Any) -> bool:
        name = str(node.op_type), str(node.domain)  # bytes in a broken file
        return onnx.defs.has(*name) and (node.domain, node.op_type) not in own

    _refuse(graph.node, is_onnx_s)
    try:
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    except Exception as error:
        raise InputError("model", Path(path), f"its shapes don't fit together ({_said(error)})") from error
    return _graph(inferred, onnx.helper.get_attribute_value)


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _set_dims(graph: Any, dims: Mapping[str, int]) -> None:
    """Writes sizes on the inputs' open axes."""
    constants = {tensor.name for tensor in graph.initializer}
    seen = set()
    for value in graph.input:
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            name = dim.dim_param
            seen.add(name)
            if name in dims:
                dim.dim_value = positive_integer(f"dims[{name}]", dims[name])
            elif value.name not in constants and dim.dim_value < 1:
                known = f", by {name}" if name else "; it has no name: give the model a size there"
                raise InputError(
                    "dims", axis, f"give one{known}", problem=f"got no size for axis {axis} of input {value.name!r}"
                )
    for name in dims:
        if name not in seen:
            there = ", ".join(sorted(filter(None, seen))) or "none"
            raise InputError("dims", name, f"the open axes of the model's inputs are {there}")


def _refuse(nodes: Sequence[Any], is_onnx_s: Callable[[Any], bool]) -> None:
    wrong = {
        f"{_printable(node.op_type)} ({_name(node)})"
        for node in nodes
        if node.op_type in UNSUPPORTED or node.domain not in ("", "ai.onnx", "ai.onnx.ml") or not is_onnx_s(node)
    }
    if wrong:
        raise InputError(
            "model",
            sorted(wrong),
            "give one that has them in Conv, Gemm and MatMul alone",
            problem=f"got {', '.join(sorted(wrong))}, whose multiply-accumulates are not read",
        )


def _name(node: Any) -> str:
    return _printable(node.name or next(iter(node.output), ""))


def _printable(text: Any) -> str:
    """Text from a file, which may hold ends of lines."""
    return text if isinstance(text, str) and text.isprintable() else repr(text)


def _graph(graph: Any, value_of: Callable[[Any], Any]) -> Graph:
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        dims = value.type.tensor_type.shape.dim
        shapes[value.name] = tuple(dim.dim_value for dim in dims)
    constants = {tensor.name for tensor in graph.initializer}
    roles = Roles(graph.node, constants, {value.name for value in graph.input} - constants)
    trained: set[str] = set()  # values that depend on weights
    layers: dict[int, tuple[LayerGemm, bool]] = {}
    for index, node in enumerate(graph.node):
        inputs = [name for name in node.input if name]
        if all(name in roles.constants for name in inputs):
            continue
        if node.op_type in PRODUCTS:
            attributes = _attributes(node, value_of)
            layers[index] = _record(node, attributes, shapes, roles, trained)
        holds = node.op_type in (*PRODUCTS, *_OTHER_TRAINED) and any(map(roles.weights, inputs))
        holds |= node.op_type == "Gather" and inputs[0] in roles.constants  # an embedding
        if holds or not trained.isdisjoint(inputs):
            trained.update(node.output)
    return graph_of(graph, shapes, roles, layers)


def _attributes(node: Any, value_of: Callable[[Any], Any]) -> dict[str, Any]:
    """By name, each of the type that ONNX has for it, which shape inference takes for granted."""
    values = {}
    for own in node.attribute:
        try:
            value = value_of(own)
        except ValueError:
            value = None
        wanted = _ATTRIBUTES.get(own.name)
        right = all(isinstance(size, int) for size in value) if isinstance(value, list) else True
        if wanted and not (isinstance(value, wanted) and right):
            given = f"{_printable(own.name)} {value!r} for {node.op_type} ({_name(node)})"
            raise InputError("model", given, "give it the type that ONNX has for it", problem=f"got {given}")
        values[own.name] = value
    return values


def _record(
    node: Any, attributes: Mapping[str, Any], shapes: Shapes, roles: Roles, trained: set[str]
) -> tuple[LayerGemm, bool]:
    """A product's record, and whether its left operand is W."""
    name = _name(node)
    x, w = node.input[:2]
    for operand in (x, w):
        if min(shapes.get(operand, (0,)), default=0) < 1:
            raise InputError(
                "model",
                operand,
                "give it one in the file",
                problem=f"got no shape for {operand!r} of {node.op_type} ({name})",
            )
    left, right = shapes[x], shapes[w]
    times, x_words = 1, 0
    swapped = node.op_type != "Conv" and roles.weights(x) and not roles.weights(w)
    if node.op_type == "Conv":
        _check_convolution(name, attributes, left, right)
        conv = _convolution(attributes, left, right)
        gemm, times = conv.gemm, conv.groups
        x_words = conv.batch * math.prod(conv.image) * conv.in_channels // conv.groups
    else:
        if node.op_type == "Gemm":
            left = left[::-1] if attributes.get("transA") else left
            right = right[::-1] if attributes.get("transB") else right
        if swapped:  # weights on the left: Y^T = X^T W^T
            x, w, left, right = w, x, _swapped(right), _swapped(left)
        gemm, times = _matrix_product(left, right)
    record = LayerGemm(
        path=name,
        gemm=gemm,
        times=times,
        needs_dx=x in trained,
        needs_dw=roles.weights(w) or w in trained,
        kind="conv_general_dilated" if node.op_type == "Conv" else "dot_general",
        x_words=x_words,
        weights=roles.weights(w),
    )
    return record, swapped


def _swapped(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (*shape[:-2], shape[-1], shape[-2]) if len(shape) > 1 else shape


def _matrix_product(left: tuple[int, ...], right: tuple[int, ...]) -> tuple[Gemm, int]:
    """NumPy's matmul: a matrix on the right meets all rows of the left at once, a stack of them one each."""
    k = left[-1]
    n = right[-1] if len(right) > 1 else 1
    stack = math.prod(right[:-2])
    rows = math.prod(left[:-1])
    if stack == 1:
        return Gemm(rows, k, n), 1
    groups = math.prod(np.broadcast_shapes(left[:-2], right[:-2]))
    return Gemm(left[-2] if len(left) > 1 else 1, k, n), groups


def _check_convolution(name: str, attributes: Mapping[str, Any], x: tuple[int, ...], w: tuple[int, ...]) -> None:
    """What ONNX's shape inference lets pass."""
    groups = attributes.get("group", 1)
    if x[1] != w[1] * groups or w[0] % groups:
        raise InputError(
            "model",
            x,
            "give what fits",
            problem=f"got {x[1]} channels in {groups} groups for Conv ({name}), whose weights are {w}",
        )
    taps = tuple(attributes.get("kernel_shape", w[2:]))
    if taps != w[2:]:
        raise InputError(
            "model", taps, f"give {w[2:]}", problem=f"got kernel_shape {taps} for Conv ({name}), whose weights are {w}"
        )
    one_of(f"model, auto_pad of Conv ({name})", _auto_pad(attributes), _AUTO_PADS)


def _auto_pad(attributes: Mapping[str, Any]) -> str:
    return attributes.get("auto_pad", b"NOTSET").decode(errors="replace")


def _convolution(attributes: Mapping[str, Any], x: tuple[int, ...], w: tuple[int, ...]) -> Convolution:
    rank = len(x) - 2
    strides = tuple(attributes.get("strides", (1,) * rank))
    dilation = tuple(attributes.get("dilations", (1,) * rank))
    pads = tuple(attributes.get("pads", (0,) * 2 * rank))
    padding = tuple(zip(pads[:rank], pads[rank:], strict=True))
    automatic = _auto_pad(attributes)
    if automatic in ("SAME_UPPER", "SAME_LOWER"):
        axes = zip(x[2:], w[2:], strides, dilation, strict=True)
        padding = tuple(_same(*axis, upper=automatic == "SAME_UPPER") for axis in axes)
    elif automatic == "VALID":
        padding = ((0, 0),) * rank
    groups = attributes.get("group", 1)
    return Convolution(
        batch=x[0],
        image=x[2:],
        kernel=w[2:],
        in_channels=x[1],
        out_channels=w[0],
        strides=strides,
        padding=padding,
        dilation=dilation,
        groups=groups,
    )


def _same(size: int, taps: int, stride: int, dilation: int, *, upper: bool) -> tuple[int, int]:
    """The padding that makes ``ceil(size / stride)`` outputs, its odd pixel on the upper or on the lower side."""
    total = max(0, (-(-size // stride) - 1) * stride + dilation * (taps - 1) + 1 - size)
    small, large = total // 2, total - total // 2
    return (small, large) if upper else (large, small)
