"""Which products of an ONNX graph feed which."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jaxgrad.interop.onnx.parts import Lowered, Part
from jaxgrad.interop.onnx.roles import Roles
from jaxgrad.interop.onnx.steps import Step
from jaxgrad.programs import Graph, Node
from jaxgrad.programs.flow import Carry, Operation, Read, edges
from jaxgrad.programs.graph import ENDS, Operand
from jaxgrad.programs.names import told_apart

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


def graph_of(
    steps: Sequence[Step],
    shapes: Mapping[str, tuple[int, ...]],
    roles: Roles,
    lowered: Mapping[int, Lowered],
    inputs: Iterable[str],
    outputs: Iterable[str],
) -> Graph:
    """The graph of the products among a model's nodes.

    Args:
        steps: its nodes.
        shapes: of their values, as far as they are known; one that is not has as many elements as its largest operand.
        roles: of their values.
        lowered: by a node's place, its products.
        inputs, outputs: names of what the model is given, and of its results.
    """
    flow = _Program(shapes)
    for name in inputs:
        flow.input(name)
    paths = [part.gemm.path for place in lowered for part in lowered[place].parts if part.gemm is not None]
    names = iter(told_apart(paths, taken=ENDS))
    for place, step in enumerate(steps):
        if place in lowered:
            flow.lowered(lowered[place], step.times, names)
        elif step.after:
            flow.carry(step.node.output[0], step.node.input[0], step.after, step.trips, step.times)
        else:
            flow.operation(_kind(step.node, roles), step.node.input, step.node.output, step.times)
    return flow.graph(outputs)


def _kind(node: Any, roles: Roles) -> Any:
    if node.op_type in _MADE or all(name in roles.constants for name in node.input if name):
        return "constant"
    return "view" if node.op_type in _VIEWS else "slice" if node.op_type in _SLICES else "work"


class _Program:
    """The operations of a model, as ``programs.flow`` has them."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self._shapes = shapes
        self._numbers: dict[str, int] = {}
        self._words: dict[str, int] = {}
        self._given: dict[int, int] = {}
        self._operations: list[Operation] = []
        self._joins: dict[int, Carry | tuple[int, ...]] = {}
        self._nodes: list[Node] = []
        self._sharing: dict[int, list[str]] = {}

    def input(self, name: str) -> None:
        value = self._read(name)
        self._given[value.value] = value.words

    def operation(self, kind: Any, reads: Iterable[str], makes: Iterable[str], times: int) -> None:
        operands = tuple(self._read(name) for name in reads if name)
        self._operations.append(Operation(kind, operands, self._makes(makes, operands, times)))

    def carry(self, value: str, start: str, after: str, trips: int, times: int, words: int = 0) -> None:
        first = self._read(start, words=words // trips)
        carried = self._read(value, times=times, words=words or first.words * trips)
        self._joins[carried.value] = Carry(first.value, self._number(after), len(self._operations), trips)

    def lowered(self, node: Lowered, times: int, names: Iterable[str]) -> None:
        numbered = iter(names)
        for place, part in enumerate(node.parts):
            for state in node.carried:
                if state.entry == place:
                    (made,) = (other.words for other in node.parts if state.after in other.makes)
                    self.carry(state.value, state.start, state.after, state.steps, times, made)
            self._part(part, times, numbered)

    def graph(self, outputs: Iterable[str]) -> Graph:
        results = [self._read(name) for name in outputs]
        tied = tuple(tuple(group) for group in self._sharing.values() if len(group) > 1)
        return Graph(tuple(self._nodes), edges(self._operations, self._joins, self._given, results), tied)

    def _part(self, part: Part, times: int, names: Iterable[str]) -> None:
        operands = tuple(self._read(name, operand) for name, operand in part.reads)
        makes = self._makes(part.makes, operands, times, part.words)
        gemm = part.gemm
        if gemm is None:
            self._operations.append(Operation(part.kind, operands, makes))
            return
        self._nodes.append(Node(next(iter(names)), gemm))
        name = self._nodes[-1].name
        if gemm.weights:
            for operand in operands:
                if operand.operand == "w":
                    self._sharing.setdefault(operand.value, []).append(name)
        data = gemm.needs_dw and not gemm.needs_dx
        self._operations.append(Operation("layer", operands, makes, name, data, gemm.weights))

    def _makes(self, names: Iterable[str], operands: Sequence[Read], times: int, words: int = 0) -> tuple[Read, ...]:
        largest = words or max((operand.words for operand in operands), default=0)
        return tuple(self._read(name, times=times, words=largest) for name in names if name)

    def _number(self, name: str) -> int:
        return self._numbers.setdefault(name, len(self._numbers))

    def _read(self, name: str, operand: Operand = "x", *, times: int = 1, words: int = 0) -> Read:
        """A value by its name; ``words`` are its elements if it has no shape."""
        if name not in self._words:
            shape = self._shapes.get(name)
            if shape is not None and all(size > 0 for size in shape):
                words = math.prod(shape) * times
            self._words[name] = words
        return Read(self._number(name), self._words[name], operand)
