"""A model with the graphs inside of its nodes laid out among them: branches, and the bodies of loops.

Shape inference sees one round of each loop's body, with the shapes of what the loop begins with, so that all its values
have shapes. Every branch is taken to run, unless the file says which one does.
"""

from __future__ import annotations

import importlib
import itertools
from collections import ChainMap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxgrad.base.errors import InputError, positive_integer
from jaxgrad.interop.onnx import contributed, flexible, loops, sequences
from jaxgrad.interop.onnx.nodes import name_of
from jaxgrad.interop.onnx.operations import FUSED, SHAPED_ALIKE
from jaxgrad.interop.onnx.steps import Flat, Step

Trips = int | Mapping[str, int]
Scope = ChainMap[str, str]  # names of values inside a graph -> names in the model laid out
_MOST_TRIPS = 1 << 31  # more stand for "until the condition fails"
_CONTROL = ("If", "Loop", "Scan", "SequenceMap")
_MOST_STEPS = 1_000_000


def flatten(model: Any, nodes: Sequence[Any], shapes: Mapping[str, tuple[int, ...]], trips: Trips | None) -> Flat:
    """The nodes of a graph, those inside of others included.

    Args:
        model: whose initializers and version are read.
        nodes: of its graph, as the file has them.
        shapes: of the values laid out, as far as they are known: a ``Scan`` has as many rounds as what it scans.
        trips: rounds of loops of which the file does not say it: one number for all, or each by its path.

    Raises:
        InputError: ``trips`` names a loop that is not there, or is no positive number.
    """
    if isinstance(trips, Mapping):
        for name, rounds in trips.items():
            positive_integer(f"trips[{name}]", rounds)
    elif trips is not None:
        positive_integer("trips", trips)
    layout = _Layout(model, shapes, trips)
    layout.nodes(nodes, ChainMap(), "", 1)
    for name in trips if isinstance(trips, Mapping) else ():
        if name not in layout.asked:
            asked = ", ".join(layout.asked) or "none"
            raise InputError("trips", name, f"the loops whose rounds the model does not tell are {asked}")
    return layout.flat


class _Layout:
    def __init__(self, model: Any, shapes: Mapping[str, tuple[int, ...]], trips: Trips | None) -> None:
        self.onnx: Any = importlib.import_module("onnx")
        self.flat = Flat()
        self.asked: list[str] = []
        self._shapes, self._trips = shapes, trips
        self._numbers = itertools.count()
        # Values that the file tells.
        self._tensors = {tensor.name: tensor for tensor in model.graph.initializer}
        self._sequences = {value.name: 0 for value in model.graph.input if value.type.HasField("sequence_type")}
        self._opset = max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=1)

    def nodes(self, nodes: Sequence[Any], scope: Scope, path: str, times: int) -> None:
        for node in nodes:
            if len(self.flat.steps) > _MOST_STEPS:
                raise InputError("model", _MOST_STEPS, "give a smaller one", problem=f"got over {_MOST_STEPS} nodes")
            inner = f"{path}{name_of(node)}"
            if (
                node.op_type in _CONTROL
                and node.domain in ("", "ai.onnx")
                and (node.op_type != "Scan" or self._opset > 8)
            ):
                handle = {"If": self._if, "Loop": self._loop, "Scan": self._scan, "SequenceMap": self._sequence_map}[
                    node.op_type
                ]
                handle(node, scope, inner, times)
            else:
                self._plain(node, scope, inner, times)

    def _plain(self, node: Any, scope: Scope, path: str, times: int) -> None:
        copy = self.onnx.NodeProto()
        copy.CopyFrom(node)
        copy.input[:] = [_named(scope, name) for name in node.input]
        copy.output[:] = [_named(scope, name) for name in node.output]
        if copy.op_type == "Constant":
            for attribute in copy.attribute:
                if attribute.name == "value":
                    self._tensors[copy.output[0]] = attribute.t
        if copy.domain == "com.microsoft" and copy.op_type in contributed.ATTENTION:
            steps = contributed.attention(self.onnx, copy, path, times, self._opset)
            self.flat.steps += steps
            if steps:
                return
        if copy.op_type in sequences.MADE:
            self._sequences[copy.output[0]] = len(copy.input) if copy.op_type == "SequenceConstruct" else 0
        inferred = copy
        if copy.domain == flexible.DOMAIN and copy.op_type == "FlexAttention":
            copy, inferred = self._flexible(copy, scope, path, times)
        elif copy.domain == "com.microsoft" and copy.op_type in FUSED:
            copy = contributed.unfused(copy)
            inferred = self.onnx.NodeProto()
            inferred.CopyFrom(copy)
            del inferred.input[3:]  # what is added to the result
        elif copy.domain == "com.microsoft" and copy.op_type == "FusedMatMul":
            copy = inferred = contributed.matrix_product(self.onnx, copy)
        elif copy.op_type in SHAPED_ALIKE and copy.domain in ("", "com.microsoft") and copy.input:
            inferred = self._identity(copy.input[:1], copy.output[0])
        self.flat.steps.append(Step(copy, inferred, path, times))

    def _flexible(self, node: Any, scope: Scope, path: str, times: int) -> tuple[Any, Any]:
        """A ``FlexAttention`` as the Attention that it is, and for shape inference."""
        parts = flexible.attention(self.onnx, node)
        if parts is None:
            return node, node
        whole, inferred, outside = parts
        if outside:
            joined = f"{next(self._numbers)}:outside"
            self._view([_named(scope, name) for name in outside], joined, path, times)
            whole.input.append(joined)
        return whole, inferred

    def _identity(self, names: Sequence[str], output: str) -> Any:
        return self.onnx.helper.make_node("Identity", names, [output])

    def _view(self, names: Sequence[str], output: str, path: str, times: int) -> None:
        node = self._identity(names, output)
        self.flat.steps.append(Step(node, self._identity(names[:1], output), path, times))

    def _constant(self, value: np.ndarray) -> str:
        name = f"{next(self._numbers)}:constant"
        tensor = self.onnx.numpy_helper.from_array(value, name)
        node = self.onnx.helper.make_node("Constant", [], [name], value=tensor)
        self.flat.steps.append(Step(node, node, ""))
        self._tensors[name] = tensor
        return name

    def _value(self, name: str) -> np.ndarray | None:
        """A value that the file tells and holds itself."""
        tensor = self._tensors.get(name)
        if tensor is None or tensor.data_location == self.onnx.TensorProto.EXTERNAL:
            return None
        return self.onnx.numpy_helper.to_array(tensor)

    def _inline(self, graph: Any, scope: Scope, bound: dict[str, str], path: str, times: int) -> list[str]:
        """Lays a graph out, its inputs bound to names of values; its results."""
        prefix = f"{next(self._numbers)}:"
        local = {tensor.name: prefix + tensor.name for tensor in graph.initializer}
        local |= {name: prefix + name for node in graph.node for name in node.output if name}
        inner = scope.new_child(local | bound)
        for tensor in graph.initializer:
            node = self.onnx.helper.make_node("Constant", [], [inner[tensor.name]], value=tensor)
            self.flat.steps.append(Step(node, node, ""))
            self._tensors[inner[tensor.name]] = tensor
        self.nodes(graph.node, inner, f"{path}/", times)
        return [_named(inner, value.name) for value in graph.output]

    def _if(self, node: Any, scope: Scope, path: str, times: int) -> None:
        graphs = {attribute.name: attribute.g for attribute in node.attribute}
        branches = [graphs["then_branch"], graphs["else_branch"]]
        condition = self._value(_named(scope, node.input[0]))
        taken = branches if condition is None else branches[:1] if condition.any() else branches[1:]
        start = len(self.flat.steps)
        results = [self._inline(branch, scope, {}, path, times) for branch in taken]
        if condition is None:
            self.flat.branches[path] = range(start, len(self.flat.steps))
        for place, output in enumerate(node.output):
            if output:
                self._view([names[place] for names in results], _named(scope, output), path, times)

    def _loop(self, node: Any, scope: Scope, path: str, times: int) -> None:
        (body,) = (attribute.g for attribute in node.attribute if attribute.name == "body")
        limit, condition, *starts = (_named(scope, name) for name in node.input)
        trips = self._rounds(path, limit, condition, body)
        if condition == "":
            condition = self._constant(np.array(True))
        bound = {body.input[0].name: self._constant(np.array(0)), body.input[1].name: condition}
        loop = loops.Loop(node, body, path, times, trips, starts, bound, body.input[2:], path not in self.flat.loops)
        start = len(self.flat.steps)
        carries, results = self._body(loop, scope, [])
        if path in self.flat.loops:
            self.flat.loops[path] = range(start, len(self.flat.steps))
        self._results(loop, scope, carries, results[1:])

    def _rounds(self, path: str, limit: str, condition: str, body: Any) -> int:
        most = self._value(limit) if limit else None
        runs_on = (condition == "" or self._is_true(condition)) and loops.keeps_on(self.onnx, body)
        if most is not None and runs_on and most.size == 1 and 0 < int(most.item()) < _MOST_TRIPS:
            return int(most.item())
        return self._asked(path)

    def _asked(self, path: str) -> int:
        """Rounds of which the file does not say how many there are."""
        self.asked.append(path)
        rounds = self._trips.get(path) if isinstance(self._trips, Mapping) else self._trips
        if rounds is None:
            self.flat.loops[path] = range(0)
            return 1
        return rounds

    def _is_true(self, name: str) -> bool:
        value = self._value(name)
        return value is not None and bool(value.all())

    def _scan(self, node: Any, scope: Scope, path: str, times: int) -> None:
        attributes = {attribute.name: self.onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
        body, scanned = attributes["body"], attributes["num_scan_inputs"]
        names = [_named(scope, name) for name in node.input]
        starts, sequences = names[: len(names) - scanned], names[len(names) - scanned :]
        axes = attributes.get("scan_input_axes", [0] * scanned)
        lengths = [self._shapes[name][axis] for name, axis in zip(sequences, axes, strict=True) if name in self._shapes]
        trips = max(lengths, default=0)
        told = trips > 0
        trips = max(trips, 1)
        bound: dict[str, str] = {}
        slices = []
        for value, sequence, axis in zip(body.input[len(starts) :], sequences, axes, strict=True):
            bound[value.name] = f"{next(self._numbers)}:{value.name}"
            index = self._constant(np.array(0))
            inferred = self.onnx.helper.make_node("Gather", [sequence, index], [bound[value.name]], axis=axis)
            slices.append(Step(self._identity([sequence], bound[value.name]), inferred, path, times * trips))
        loop = loops.Loop(node, body, path, times, trips, starts, bound, body.input[: len(starts)], told)
        carries, results = self._body(loop, scope, slices)
        self._results(loop, scope, carries, results, attributes.get("scan_output_axes", ()))

    def _sequence_map(self, node: Any, scope: Scope, path: str, times: int) -> None:
        (body,) = (attribute.g for attribute in node.attribute if attribute.name == "body")
        names = [_named(scope, name) for name in node.input]
        trips = self._sequences.get(names[0], 0) or self._asked(path)
        bound = {value.name: name for value, name in zip(body.input, names, strict=True)}
        mapped = [place for place, name in enumerate(names) if not place or name in self._sequences]
        made = [f"{next(self._numbers)}:{body.input[place].name}" for place in mapped]
        bound |= {body.input[place].name: element for place, element in zip(mapped, made, strict=True)}
        index, sequence_names = self._constant(np.array(0)), [names[place] for place in mapped]
        start = len(self.flat.steps)
        self.flat.steps += sequences.elements(self.onnx, sequence_names, index, made, path, times * trips)
        results = self._inline(body, scope, bound, path, times * trips)
        for result, output in zip(results, (_named(scope, name) for name in node.output), strict=True):
            self.flat.steps.append(sequences.collected(self.onnx, result, output, path, times * trips))
            self._sequences[output] = 0 if path in self.flat.loops else trips
        if path in self.flat.loops:
            self.flat.loops[path] = range(start, len(self.flat.steps))

    def _body(self, loop: loops.Loop, scope: Scope, slices: Sequence[Step]) -> tuple[list[Step], list[str]]:
        """Lays out one round of a loop: what is carried into it, and its results."""
        carries = []
        for value, start in zip(loop.carried, loop.starts, strict=True):
            loop.bound[value.name] = f"{next(self._numbers)}:{value.name}"
            step = self._identity([start], loop.bound[value.name])
            carries.append(Step(step, step, loop.path, loop.times * loop.trips, trips=loop.trips))
        self.flat.steps += [*carries, *slices]
        return carries, self._inline(loop.body, scope, loop.bound, loop.path, loop.times * loop.trips)

    def _results(
        self, loop: loops.Loop, scope: Scope, carries: Sequence[Step], results: Sequence[str], axes: Sequence[int] = ()
    ) -> None:
        """A loop's results: of what is carried the last round's, of all else those of all rounds put together."""
        outputs = [_named(scope, name) for name in loop.node.output]
        for carry, result, output in zip(carries, results, outputs, strict=False):
            if result not in carry.node.output:  # one that hands on what it finds is what it began with
                carry.after = result
            if output:
                self._view([result], output, loop.path, loop.times)
        stacked = zip(results[len(carries) :], outputs[len(carries) :], strict=False)
        for place, (result, output) in enumerate(stacked):
            if output:
                self._stack(loop, result, output, axes[place] if place < len(axes) else 0)

    def _stack(self, loop: loops.Loop, result: str, output: str, axis: int) -> None:
        """For shape inference one axis more, as long as there are rounds, if that is known."""
        longer = f"{next(self._numbers)}:longer"
        rounds = self._constant(np.zeros(loop.trips, np.int64))
        if self._opset < 13:
            inferred = self.onnx.helper.make_node("Unsqueeze", [result], [longer], axes=[axis])
        else:
            inferred = self.onnx.helper.make_node("Unsqueeze", [result, self._constant(np.array([axis]))], [longer])
        times = loop.times * loop.trips
        self.flat.steps.append(
            Step(self._identity([result], longer), inferred if loop.told else None, loop.path, times)
        )
        inferred = self.onnx.helper.make_node("Gather", [longer, rounds], [output], axis=axis)
        step = Step(self._identity([longer], output), inferred if loop.told else None, loop.path, loop.times)
        self.flat.steps.append(step)


def _named(scope: Scope, name: str) -> str:
    """A value's name in the model laid out; one of the model's own graph keeps its name."""
    return scope.get(name, name)
