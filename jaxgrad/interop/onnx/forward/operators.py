"""ONNX's operators by JAX: those that image classifiers are made of.

``BatchNormalization`` is not here: in training it has a state, which its network keeps (``program.BATCH_NORM``).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad.interop.onnx.forward import windows
from jaxgrad.interop.onnx.forward.values import Node, Value, library


def _elementwise(name: str, onnx_name: str | None = None) -> Callable[[Node], Value]:
    """An operator that NumPy and JAX have by the same name."""
    return lambda node: getattr(library(node.inputs), name)(*node.inputs)


def _accumulated(name: str) -> Callable[[Node], Value]:
    """An operator of any number of inputs, by that of two."""
    return lambda node: functools.reduce(getattr(library(node.inputs), name), node.inputs)


def _activation(function: Callable[..., Any], **attributes: float) -> Callable[[Node], Value]:
    """A function of one input and of attributes with these defaults, in their order."""
    return lambda node: function(
        node.input(0), *(node.attributes.get(name, default) for name, default in attributes.items())
    )


def _gemm(node: Node) -> Value:
    a, b, c = node.input(0), node.input(1), node.input(2)
    a = a.T if node.attributes.get("transA", 0) else a
    b = b.T if node.attributes.get("transB", 0) else b
    y = a @ b
    alpha, beta = node.attributes.get("alpha", 1.0), node.attributes.get("beta", 1.0)
    y = y if alpha == 1 else alpha * y
    if c is None:
        return y
    return y + (c if beta == 1 else beta * c)


def _softmax(function: Callable[..., Any]) -> Callable[[Node], Value]:
    def applied(node: Node) -> Value:
        x = node.input(0)
        if node.opset >= 13:
            return function(x, axis=node.attributes.get("axis", -1))
        axis = node.attributes.get("axis", 1) % x.ndim
        return function(x.reshape(*x.shape[:axis], -1), axis=-1).reshape(x.shape)

    return applied


def _clip(node: Node) -> Value:
    low, high = (node.attributes.get(name, node.input(place)) for name, place in (("min", 1), ("max", 2)))
    return library(node.inputs).clip(node.input(0), low, high)


def _gelu(node: Node) -> Value:
    return jax.nn.gelu(node.input(0), approximate=node.attributes.get("approximate", "none") == "tanh")


def _global(reduce: str) -> Callable[[Node], Value]:
    return lambda node: getattr(jnp, reduce)(node.input(0), axis=tuple(range(2, node.input(0).ndim)), keepdims=True)


def _reduce(name: str) -> Callable[[Node], Value]:
    def reduced(node: Node) -> Value:
        axes = node.numbers("axes", 1)
        if not axes and node.attributes.get("noop_with_empty_axes", 0):
            return node.input(0)
        keep = bool(node.attributes.get("keepdims", 1))
        return getattr(library(node.inputs[:1]), name)(node.input(0), axis=tuple(axes) if axes else None, keepdims=keep)

    return reduced


def _layer_norm(node: Node) -> Value:
    x, scale, bias = node.input(0), node.input(1), node.input(2)
    axis = node.attributes.get("axis", -1) % x.ndim
    axes = tuple(range(axis, x.ndim))
    mean = x.mean(axes, keepdims=True)
    y = (x - mean) * jax.lax.rsqrt(x.var(axes, keepdims=True) + node.attributes.get("epsilon", 1e-5)) * scale
    return y if bias is None else y + bias


def _local_response_norm(node: Node) -> Value:
    x, size = node.input(0), node.attributes["size"]
    before = (size - 1) // 2
    padding = [(0, 0), (before, size - 1 - before), *[(0, 0)] * (x.ndim - 2)]
    window = (1, size, *[1] * (x.ndim - 2))
    energy = jax.lax.reduce_window(x * x, 0.0, jax.lax.add, window, (1,) * x.ndim, padding)
    alpha, beta, bias = (node.attributes.get(name, value) for name, value in _LRN.items())
    return x / (bias + alpha / size * energy) ** beta


def _reshape(node: Node) -> Value:
    x, shape = node.input(0), node.numbers("shape", 1) or []
    if not node.attributes.get("allowzero", 0):
        shape = [x.shape[axis] if size == 0 else size for axis, size in enumerate(shape)]
    return x.reshape(shape)


def _flatten(node: Node) -> Value:
    x = node.input(0)
    axis = node.attributes.get("axis", 1)
    axis = axis + x.ndim if axis < 0 else axis
    return x.reshape(int(np.prod(x.shape[:axis], dtype=np.int64)), -1)


def _squeeze(node: Node) -> Value:
    axes = node.numbers("axes", 1)
    return library(node.inputs[:1]).squeeze(node.input(0), None if axes is None else tuple(axes))


def _unsqueeze(node: Node) -> Value:
    return library(node.inputs[:1]).expand_dims(node.input(0), tuple(node.numbers("axes", 1) or ()))


def _slice(node: Node) -> Value:
    x = node.input(0)
    starts, ends = node.numbers("starts", 1) or [], node.numbers("ends", 2) or []
    axes = node.numbers("axes", 3) or list(range(len(starts)))
    steps = node.numbers("steps", 4) or [1] * len(starts)
    window = [slice(None)] * x.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        before_first = step < 0 and end < -x.shape[axis]
        window[axis] = slice(start, None if before_first else end, step)
    return x[tuple(window)]


def _split(node: Node) -> tuple[Value, ...]:
    x, axis = node.input(0), node.attributes.get("axis", 0)
    parts = node.numbers("split", 1)
    if parts is None:
        size = -(-x.shape[axis] // node.outputs)
        parts = [size] * (node.outputs - 1)
    return tuple(library(node.inputs[:1]).split(x, np.cumsum(parts)[: node.outputs - 1], axis))


def _pad(node: Node) -> Value:
    x, pads = node.input(0), node.numbers("pads", 1) or []
    axes = node.numbers("", 3) or list(range(x.ndim))
    widths = [(0, 0)] * x.ndim
    for axis, before, after in zip(axes, pads[: len(axes)], pads[len(axes) :], strict=True):
        widths[axis] = (before, after)
    kind = node.attributes.get("mode", "constant")
    if kind != "constant":
        return jnp.pad(x, widths, mode=kind)
    value = node.attributes.get("value", node.input(2))
    return jnp.pad(x, widths, constant_values=0 if value is None else np.asarray(value).item())


def _constant_of_shape(node: Node) -> Value:
    value = node.attributes.get("value", np.zeros(1, np.float32))
    return np.full(node.numbers("", 0) or (), np.asarray(value).reshape(-1)[0])


def _expand(node: Node) -> Value:
    x, shape = node.input(0), tuple(node.numbers("", 1) or ())
    return library(node.inputs[:1]).broadcast_to(x, np.broadcast_shapes(x.shape, shape))


def _shape(node: Node) -> Value:
    shape = np.array(node.input(0).shape, np.int64)
    return shape[node.attributes.get("start", 0) : node.attributes.get("end")]


def _constant(node: Node) -> Value:
    (value,) = node.attributes.values()
    return np.asarray(value)


_LRN = {"alpha": 1e-4, "beta": 0.75, "bias": 1.0}

OPERATORS: dict[str, Callable[[Node], Any]] = {
    "Conv": windows.conv,
    "Gemm": _gemm,
    "MatMul": lambda node: node.input(0) @ node.input(1),
    "MaxPool": windows.max_pool,
    "AveragePool": windows.average_pool,
    "GlobalMaxPool": _global("max"),
    "GlobalAveragePool": _global("mean"),
    **{name: _elementwise(name.lower()) for name in ("Abs", "Ceil", "Exp", "Floor", "Log", "Sqrt", "Tanh")},
    **{
        name: _elementwise(function)
        for name, function in (
            *(("Add", "add"), ("Sub", "subtract"), ("Mul", "multiply"), ("Pow", "power"), ("Neg", "negative")),
            *(("Equal", "equal"), ("Greater", "greater"), ("Less", "less"), ("Where", "where")),
        )
    },
    "Div": lambda node: (
        node.input(0) // node.input(1)
        if np.issubdtype(node.input(0).dtype, np.integer)
        else library(node.inputs).divide(*node.inputs)
    ),
    **{name: _accumulated(function) for name, function in (("Sum", "add"), ("Max", "maximum"), ("Min", "minimum"))},
    "Reciprocal": lambda node: 1 / node.input(0),
    "Erf": _activation(jax.lax.erf),
    "Relu": _activation(jax.nn.relu),
    "LeakyRelu": _activation(jax.nn.leaky_relu, alpha=0.01),
    "Elu": _activation(jax.nn.elu, alpha=1.0),
    "Selu": _activation(jax.nn.selu),
    "PRelu": lambda node: jnp.where(node.input(0) < 0, node.input(1) * node.input(0), node.input(0)),
    "Sigmoid": _activation(jax.nn.sigmoid),
    "HardSigmoid": _activation(lambda x, alpha, beta: jnp.clip(alpha * x + beta, 0, 1), alpha=0.2, beta=0.5),
    "HardSwish": _activation(jax.nn.hard_swish),
    "Softplus": _activation(jax.nn.softplus),
    "Gelu": _gelu,
    "Clip": _clip,
    "Softmax": _softmax(jax.nn.softmax),
    "LogSoftmax": _softmax(jax.nn.log_softmax),
    "LayerNormalization": _layer_norm,
    "LRN": _local_response_norm,
    "ReduceMean": _reduce("mean"),
    "ReduceSum": _reduce("sum"),
    "ReduceMax": _reduce("max"),
    "Identity": lambda node: node.input(0),
    "Dropout": lambda node: node.input(0),
    "Cast": lambda node: node.input(0).astype(node.attributes["to"]),
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Transpose": lambda node: library(node.inputs).transpose(node.input(0), node.attributes.get("perm")),
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Concat": lambda node: library(node.inputs).concatenate(node.inputs, node.attributes["axis"]),
    "Split": _split,
    "Slice": _slice,
    "Gather": lambda node: library(node.inputs).take(*node.inputs, axis=node.attributes.get("axis", 0)),
    "Pad": _pad,
    "Shape": _shape,
    "Expand": _expand,
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
}
"""By name: from a node to its result, or to the tuple of several."""
