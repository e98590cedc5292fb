"""Which values of an ONNX graph are weights, and which of its products feeds which."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jaxgrad.programs import Graph, LayerGemm, Node
from jaxgrad.programs.flow import Operation, Read, edges
from jaxgrad.programs.names import told_apart

PRODUCTS = ("Conv", "Gemm", "MatMul")
# They show their operands' elements otherwise, or together.
_VIEWS = frozenset({
    "Cast", "Concat", "DepthToSpace", "Dropout", "Expand", "Flatten", "Identity", "Pad", "Reshape", "SpaceToDepth",
    "Squeeze", "Tile", "Transpose", "Unsqueeze",
})  # fmt: skip
_SLICES = ("Slice", "Split")
_MADE = frozenset({
    "Bernoulli", "Constant", "ConstantOfShape", "EyeLike", "RandomNormal", "RandomNormalLike", "RandomUniform",
    "RandomUniformLike", "Range", "Shape", "Size",
})  # fmt: skip


class Roles:
    """What the values of a graph are.

    Weights are constants, and of the graph's inputs those that are no data: an input is data if it, or what is made of
    it alone, is the X of a product whose other operand is given too.

    Args:
        nodes: in their order.
        constants: names of the graph's initializers.
        inputs: names of what else it is given.
    """

    def __init__(self, nodes: Sequence[Any], constants: Iterable[str], inputs: Iterable[str]) -> None:
        self.constants = set(constants)
        self._data: set[str] = set()
        # The inputs that a value is made of; None where a product is among what makes it.
        self._given: dict[str, frozenset[str] | None] = {name: frozenset({name}) for name in inputs}
        self._given |= dict.fromkeys(self.constants, frozenset())
        for node in nodes:
            read = [name for name in node.input if name]
            if all(name in self.constants for name in read):
                self.constants.update(node.output)
            given = self._together(read)
            if node.op_type in PRODUCTS:
                self._meet(node, *node.input[:2])
                given = None
            self._given.update(dict.fromkeys(node.output, given))

    def weights(self, name: str) -> bool:
        """Whether a value is weights, or made of them alone."""
        given = self._given.get(name)
        return name in self.constants or (bool(given) and given.isdisjoint(self._data))

    def _together(self, names: Iterable[str]) -> frozenset[str] | None:
        found: set[str] = set()
        for name in names:
            given = self._given.get(name)
            if given is None:
                return None
            found |= given
        return frozenset(found)

    def _meet(self, node: Any, x: str, w: str) -> None:
        if node.op_type != "Conv" and x in self.constants:
            x, w = w, x
        given = self._given.get(x)
        if given is not None and (node.op_type == "Conv" or self._given.get(w) is not None):
            self._data |= given


def graph_of(
    graph: Any, shapes: Mapping[str, tuple[int, ...]], roles: Roles, layers: Mapping[int, tuple[LayerGemm, bool]]
) -> Graph:
    """The graph of the products among an ONNX graph's nodes.

    Args:
        graph: the ONNX graph, its shapes inferred.
        shapes: of its values, as far as they are known; one that is not has as many elements as its largest operand.
        roles: of its values.
        layers: by a node's index, the record of a product and whether its left operand is W.
    """
    numbers: dict[str, int] = {}
    words: dict[str, int] = {}

    def read(name: str, largest: int = 0) -> Read:
        shape = shapes.get(name)
        known = shape is not None and all(size > 0 for size in shape)
        words.setdefault(name, math.prod(shape) if known and shape is not None else largest)
        return Read(numbers.setdefault(name, len(numbers)), words[name])

    given = {numbered.value: numbered.words for numbered in (read(value.name) for value in graph.input)}
    names = iter(told_apart([gemm.path for gemm, _ in layers.values()]))
    operations, nodes, sharing = [], [], {}
    for index, node in enumerate(graph.node):
        reads = tuple(read(name) for name in node.input if name)
        largest = max((operand.words for operand in reads), default=0)
        makes = tuple(read(name, largest) for name in node.output if name)
        if index in layers:
            gemm, swapped = layers[index]
            x, w, *bias = reads
            x, w = (w, x) if swapped else (x, w)
            nodes.append(Node(next(names), gemm))
            if gemm.weights:
                sharing.setdefault(w.value, []).append(nodes[-1].name)
            operands = (x, w._replace(operand="w"), *(operand._replace(operand="y") for operand in bias))
            data = gemm.needs_dw and not gemm.needs_dx
            operations.append(Operation("layer", operands, makes, nodes[-1].name, data, gemm.weights))
        else:
            operations.append(Operation(_kind(node, roles), reads, makes))
    results = [read(value.name) for value in graph.output]
    tied = tuple(tuple(group) for group in sharing.values() if len(group) > 1)
    return Graph(tuple(nodes), edges(operations, {}, given, results), tied)


def _kind(node: Any, roles: Roles) -> Any:
    if node.op_type in _MADE or all(name in roles.constants for name in node.input if name):
        return "constant"
    return "view" if node.op_type in _VIEWS else "slice" if node.op_type in _SLICES else "work"
