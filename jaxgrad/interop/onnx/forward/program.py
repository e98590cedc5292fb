"""An ONNX classifier as a list of steps, and what runs them.

Weights are the initializers of floats that are not single numbers; what a graph keeps as ``Constant`` nodes is
constant. The last ``Softmax`` or ``LogSoftmax`` is left out: a loss takes logits.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgrad.base.errors import InputError
from jaxgrad.interop.onnx.files import load, package, said
from jaxgrad.interop.onnx.forward.operators import OPERATORS
from jaxgrad.interop.onnx.forward.values import Node, Value
from jaxgrad.interop.onnx.nodes import name_of, printable
from jaxgrad.programs import kinds
from jaxgrad.programs.kinds import Kind
from jaxgrad.programs.names import told_apart

BATCH_NORM = "BatchNormalization"
_KINDS: dict[str, Kind] = {
    BATCH_NORM: "normalisation",
    "LayerNormalization": "normalisation",
    **dict.fromkeys(("MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool"), "pooling"),
}
_DOMAINS = ("", "ai.onnx")


class Step(NamedTuple):
    """A node: its operator, the layer's name, names of its inputs (empty for none) and results, and attributes."""

    operator: str
    layer: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]


class Weight(NamedTuple):
    """An initializer that changes in training: the layer that first reads it, its name there, and its value."""

    layer: str
    name: str
    value: np.ndarray


BatchNorm = Callable[[Step, Node], Value]
"""Normalises a batch: from the step and its node to the result."""


@dataclass(frozen=True, eq=False)
class Program:
    """A classifier.

    Args:
        image: name of its input.
        batch: images that the file is for; None where it leaves that open.
        dims: of one image as the file has it; None for an open one.
        output: name of its logits.
        classes: how many the file says there are; None where that is open.
        steps: in an order in which they can run.
        weights: by the initializer's name; those of floats are trained.
        statistics: running means and variances of batch normalisation, likewise.
        constants: the other initializers.
        opset: version of ONNX's operators.
    """

    image: str
    batch: int | None
    dims: tuple[int | None, ...]
    output: str
    classes: int | None
    steps: tuple[Step, ...]
    weights: Mapping[str, Weight]
    statistics: Mapping[str, Weight]
    constants: Mapping[str, np.ndarray]
    opset: int

    def run(self, image: jax.Array, values: Mapping[str, Value], batch_norm: BatchNorm) -> jax.Array:
        """The logits.

        Args:
            image: a batch, as the file has it.
            values: of ``weights`` and ``statistics``.
            batch_norm: what runs a ``BatchNormalization``.
        """
        made: dict[str, Value] = {**self.constants, **values, self.image: image, "": None}
        of_images = {self.image}
        for step in self.steps:
            inputs = tuple(made[name] for name in step.inputs)
            if not of_images.isdisjoint(step.inputs):
                of_images.update(step.outputs)
                if step.operator == "Reshape" and len(inputs) > 1:
                    inputs = inputs[0], self._for_batch(inputs[1], len(image))
            node = Node(step.operator, inputs, step.attributes, self.opset, len(step.outputs))
            with jax.named_scope(kinds.label(_KINDS.get(step.operator), step.layer)):
                result = batch_norm(step, node) if step.operator == BATCH_NORM else OPERATORS[step.operator](node)
            made |= zip(step.outputs, result if isinstance(result, tuple) else (result,), strict=False)
            if self.output in made:
                break
        return made[self.output]

    def _for_batch(self, shape: Value, batch: int) -> Value:
        """A shape that the file has for its own batch, for another one."""
        if not isinstance(shape, np.ndarray) or not shape.size or shape[0] != self.batch:
            return shape
        return np.concatenate([[batch], shape[1:]])


def read(path: Path | str, taken: Collection[str] = ()) -> Program:
    """The classifier in a file.

    Args:
        path: the ``.onnx`` file; weights may be beside it.
        taken: names that no layer may have.

    Raises:
        ValueError: ``onnx`` is not installed, it is no ONNX model, or no classifier by operators that are known.
        OSError: the file can't be read.
    """
    onnx = package()
    model = load(onnx, path, weights=True)
    graph, refuse = model.graph, _refusal(path)
    unknown = sorted({printable(node.op_type) for node in graph.node if not _known(node)})
    if unknown:
        raise refuse(f"has {', '.join(unknown)}, which can't be run here", "give one of other operators")
    try:
        initializers = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
        inputs = [value for value in graph.input if value.name not in initializers]
        if len(inputs) != 1 or len(graph.output) != 1:
            raise refuse(f"has {len(inputs)} inputs and {len(graph.output)} outputs", "give one with one of each")
        steps = tuple(_steps(onnx, graph.node, taken))
        opset = max(entry.version for entry in model.opset_import if entry.domain in _DOMAINS)
    except InputError:
        raise
    except Exception as error:  # whatever is broken in the file
        raise refuse(f"can't be read ({said(error)})", "give one that can") from error
    weights, statistics = _weights(steps, initializers)
    dims, shape = (_dims(value) for value in (inputs[0], graph.output[0]))
    last = steps[-1]
    ends_in_loss = last.operator in ("Softmax", "LogSoftmax") and graph.output[0].name in last.outputs
    return Program(
        inputs[0].name,
        dims[0] if dims else None,
        dims[1:],
        last.inputs[0] if ends_in_loss else graph.output[0].name,
        shape[1] if len(shape) > 1 and all(size == 1 for size in shape[2:]) else None,
        steps,
        weights,
        statistics,
        {name: value for name, value in initializers.items() if name not in weights and name not in statistics},
        opset,
    )


def _dims(value: Any) -> tuple[int | None, ...]:
    return tuple(dim.dim_value or None for dim in value.type.tensor_type.shape.dim)


def _refusal(path: Path | str) -> Callable[[str, str], InputError]:
    def refused(what: str, remedy: str) -> InputError:
        return InputError("model", Path(path), remedy, problem=f"got {str(path)!r}, which {what}")

    return refused


def _known(node: Any) -> bool:
    return node.domain in _DOMAINS and (node.op_type in OPERATORS or node.op_type == BATCH_NORM)


def _steps(onnx: Any, nodes: Any, taken: Collection[str]) -> Iterator[Step]:
    layers = told_apart((name_of(node).strip("/").replace("/", ".") or node.op_type for node in nodes), taken)
    for node, layer in zip(nodes, layers, strict=True):
        attributes = {entry.name: _value(onnx, entry) for entry in node.attribute}
        if node.op_type == "Cast":
            attributes["to"] = onnx.helper.tensor_dtype_to_np_dtype(attributes["to"])
        yield Step(node.op_type, layer, tuple(node.input), tuple(node.output), attributes)


def _value(onnx: Any, attribute: Any) -> Any:
    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode()
    return onnx.numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def _weights(
    steps: tuple[Step, ...], initializers: Mapping[str, np.ndarray]
) -> tuple[dict[str, Weight], dict[str, Weight]]:
    """What is trained, and the running statistics, by the initializer's name."""
    weights: dict[str, Weight] = {}
    statistics: dict[str, Weight] = {}
    for step in steps:
        own = [name for name in step.inputs if name in initializers and name not in weights]
        shown = told_apart(printable(name).replace("/", ".").rpartition(".")[2] or "weight" for name in own)
        for name, short in zip(own, shown, strict=True):
            value = initializers[name]
            if not np.issubdtype(value.dtype, np.floating) or value.ndim == 0:
                continue
            is_statistic = step.operator == BATCH_NORM and name in step.inputs[3:5]
            (statistics if is_statistic else weights)[name] = Weight(step.layer, short, value)
    return weights, statistics
