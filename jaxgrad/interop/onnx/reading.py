"""ONNX models: their matrix products, with the gradients that training them would need.

An ONNX file holds a forward pass. Its weights are taken to be trained, and an input's gradient to be wanted where
something trained made it. Weights are the constants among its operands, and the inputs of the graph that are no data
(``roles.Roles``).

Counted are Conv, ConvTranspose, DeformConv, Gemm, MatMul, Einsum, Attention, LinearAttention and FlexAttention; LSTM,
GRU and RNN; integer products and support vector machines (their forward pass alone); scikit-learn's linear models; and
ONNX Runtime's FusedConv, FusedGemm, FusedMatMul, Attention, MultiHeadAttention and GroupQueryAttention. Every branch of
an ``If`` is taken to run, unless its condition is in the file; ``Loop``, ``Scan`` and ``SequenceMap`` count as often as
they run. What else multiplies and accumulates, or may, is named in a note.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jaxgrad.base.errors import InputError, positive_integer
from jaxgrad.interop.onnx.edges import graph_of
from jaxgrad.interop.onnx.files import load, package, said
from jaxgrad.interop.onnx.flat import Trips, flatten
from jaxgrad.interop.onnx.nodes import printable
from jaxgrad.interop.onnx.operations import OTHER_TRAINED, PRODUCTS, SHAPED_ALIKE, UNREAD
from jaxgrad.interop.onnx.parts import Lowered, NotCounted
from jaxgrad.interop.onnx.products import Products, Shapes
from jaxgrad.interop.onnx.roles import Roles
from jaxgrad.interop.onnx.steps import Flat, Step
from jaxgrad.programs import Graph, LayerGemm

_NOBODY_S = "jaxgrad.unknown"
_DOMAINS = ("", "ai.onnx", "ai.onnx.ml")


class Reading(NamedTuple):
    """What was read of a model.

    Args:
        graph: its products, and what goes from one to the next.
        notes: what was not counted, or was taken to be what it may not be; a line each.
    """

    graph: Graph
    notes: list[str]

    @property
    def gemms(self) -> list[LayerGemm]:
        """What a training step of the model asks of the array, in the order of its nodes."""
        return [node.gemm for node in self.graph.nodes]


def read(
    path: Path | str, dims: Mapping[str, int] | None = None, trips: Trips | None = None, *, strict: bool = False
) -> Reading:
    """The products of the model in a file.

    Args:
        path: the ``.onnx`` file; weights beside it are not read.
        dims: sizes of the axes that the model leaves open, by their names in it, such as ``{"batch": 32}``, or by the
            input's name and the axis, such as ``{"x:0": 32}``.
        trips: how often loops run of which the model does not tell it: one number for all, or each by the name that a
            note gives it. One that is left out counts once.
        strict: whether what is not counted is refused.

    Raises:
        ValueError: ``onnx`` is not installed, the file is no ONNX model, an axis of an input is open, shapes don't fit
            together, ``trips`` names a loop that is not there, or nothing of what may multiply is counted; with
            ``strict``, anything of it.
        OSError: the file can't be read.
    """
    onnx = package()
    model = load(onnx, path)
    _set_dims(model.graph, dims or {})
    flat, shapes = _inferred(onnx, model, path, trips)
    return _Reader(onnx, model.graph, flat, shapes).read(strict)


def _set_dims(graph: Any, dims: Mapping[str, int]) -> None:
    """Writes sizes on the inputs' open axes."""
    constants = {tensor.name for tensor in graph.initializer}
    names = []
    for value in graph.input:
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            name, place = dim.dim_param, f"{value.name}:{axis}"
            if name or (dim.dim_value < 1 and value.name not in constants):
                names += [key for key in (name, place) if key]
            keys = [key for key in (place, name) if key and key in dims and key in names]
            if keys:
                dim.dim_value = positive_integer(f"dims[{keys[0]}]", dims[keys[0]])
            elif value.name not in constants and dim.dim_value < 1:
                problem = f"got no size for axis {axis} of input {value.name!r}"
                raise InputError("dims", axis, f"give one, by {name or place}", problem=problem)
    for name in dims:
        if name not in names:
            raise InputError(
                "dims", name, f"the open axes of the model's inputs are {', '.join(dict.fromkeys(names)) or 'none'}"
            )


def _inferred(onnx: Any, model: Any, path: Path | str, trips: Trips | None) -> tuple[Flat, Shapes]:
    """The model laid out, and the shapes of its values; ``model`` then holds what shapes were inferred from."""
    written = onnx.GraphProto()
    written.node.extend(model.graph.node)
    imported = {"", "ai.onnx", *(entry.domain for entry in model.opset_import)}
    model.opset_import.append(onnx.helper.make_opsetid(_NOBODY_S, 1))
    shapes = _known(model.graph)
    before: list[int] | None = None
    while True:  # a Scan has as many rounds as what it scans, whose shape may come out of another's
        try:
            flat = flatten(model, written.node, shapes, trips)
            del model.graph.node[:]
            for step in flat.steps:
                readable = step.inferred is not None and step.inferred.domain in imported
                model.graph.node.append(step.inferred if readable else _unknown(onnx, step.node))
            graph = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
        except InputError:
            raise
        except Exception as error:
            raise InputError("model", Path(path), f"its shapes don't fit together ({said(error)})") from error
        shapes = _known(graph)
        times = [step.times for step in flat.steps]
        if times == before:
            return flat, shapes
        before = times


def _unknown(onnx: Any, node: Any) -> Any:
    """A node of which shape inference knows nothing, so that it asks for no types of what is made of its results."""
    return onnx.helper.make_node("Unknown", list(node.input), list(node.output), domain=_NOBODY_S)


def _known(graph: Any) -> Shapes:
    """The shapes that a graph tells; an open axis has size 0."""
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        if value.type.tensor_type.HasField("shape"):
            shapes[value.name] = tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
    return shapes


class _Reader:
    """Reads the products off a model laid out."""

    def __init__(self, onnx: Any, graph: Any, flat: Flat, shapes: Shapes) -> None:
        self._graph, self._flat = graph, flat
        self._registered = onnx.defs.has
        constants = {tensor.name for tensor in graph.initializer}
        self._roles = Roles(flat.steps, constants, {value.name for value in graph.input} - constants)
        self._trained: set[str] = set()
        self._products = Products(shapes, self._roles, self._trained, onnx.helper.get_attribute_value)

    def read(self, strict: bool) -> Reading:
        lowered: dict[int, Lowered] = {}
        uncounted: dict[str, str] = {}
        before = -1
        while len(self._trained) != before:  # what a loop carries is trained if a round makes it so
            before = len(self._trained)
            for place, step in enumerate(self._flat.steps):
                self._read(place, step, lowered, uncounted)
        if uncounted and (strict or not lowered):
            names = ", ".join(sorted(uncounted))
            remedy = "give one without" if strict else "give one with products that are"
            problem = f"got {names}, whose multiply-accumulates are not read"
            raise InputError("model", sorted(uncounted), remedy, problem=problem)
        notes = [f"{name}: not counted, {why}" for name, why in uncounted.items()]
        inputs, outputs = ([value.name for value in values] for values in (self._graph.input, self._graph.output))
        graph = graph_of(self._flat.steps, self._products.shapes, self._roles, lowered, inputs, outputs)
        return Reading(graph, [*notes, *self._taken(lowered)])

    def _read(self, place: int, step: Step, lowered: dict[int, Lowered], uncounted: dict[str, str]) -> None:
        node, names = step.node, [name for name in step.node.input if name]
        if step.after:
            names.append(step.after)
        if all(name in self._roles.constants for name in names):
            return
        if self._counted(node):
            try:
                lowered[place] = self._products.lower(step)
            except NotCounted as error:
                uncounted[_shown(step)] = str(error)
        elif not self._without_products(node):
            uncounted[_shown(step)] = "its multiply-accumulates are not read, if it has any"
        if self._learns(step) or not self._trained.isdisjoint(names):
            self._trained.update(node.output)

    def _counted(self, node: Any) -> bool:
        return node.op_type in PRODUCTS and node.domain in _DOMAINS and self._registered(node.op_type, node.domain)

    def _without_products(self, node: Any) -> bool:
        name, domain = str(node.op_type), str(node.domain)  # bytes in a broken file
        if name in SHAPED_ALIKE and domain in ("", "com.microsoft"):
            return True
        return domain in _DOMAINS and name not in UNREAD and self._registered(name, domain)

    def _learns(self, step: Step) -> bool:
        """Whether a node has trained weights of its own."""
        node = step.node
        if node.op_type == "Gather":  # an embedding
            return node.input[0] in self._roles.constants
        weights = any(self._roles.weights(name) for name in node.input if name)
        return node.op_type in (*PRODUCTS, *OTHER_TRAINED) and (weights or node.op_type.startswith("Linear"))

    def _taken(self, lowered: Mapping[int, Lowered]) -> Iterator[str]:
        """What was taken to be so."""
        for name, places in self._flat.branches.items():
            if any(place in lowered for place in places):
                yield f"{printable(name)}: which branch runs is not in the model; all are taken to run"
        for name, places in self._flat.loops.items():
            if not any(place in lowered for place in places):
                continue
            remedy = f"its body counts once, give trips={{{name!r}: N}}"
            yield f"{printable(name)}: how often it runs is not in the model; {remedy}"


def _shown(step: Step) -> str:
    return f"{printable(step.node.op_type)} ({step.path})"
