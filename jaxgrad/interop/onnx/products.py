"""What a node that multiplies and accumulates asks of the array, and between which values."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from jaxgrad.array.gemm import Gemm
from jaxgrad.base.errors import InputError
from jaxgrad.interop.onnx.attention import attention
from jaxgrad.interop.onnx.convolutions import convolution, transposed
from jaxgrad.interop.onnx.einsum import Pair, pairs
from jaxgrad.interop.onnx.linear_attention import linear_attention
from jaxgrad.interop.onnx.nodes import attributes_of
from jaxgrad.interop.onnx.operations import (
    CONVOLUTIONS,
    INTEGERS,
    LINEAR_MODELS,
    MATRIX_PRODUCTS,
    RECURRENCES,
    VECTOR_MACHINES,
)
from jaxgrad.interop.onnx.parts import Carried, Lowered, NoShape, Part, beside, multiplied, read
from jaxgrad.interop.onnx.recurrences import Recurrence, recurrences
from jaxgrad.interop.onnx.roles import Roles
from jaxgrad.interop.onnx.steps import Step
from jaxgrad.interop.onnx.vector_machines import vector_machine
from jaxgrad.programs import LayerGemm

Shapes = Mapping[str, tuple[int, ...]]


class Products(NamedTuple):
    """How nodes are lowered to products.

    Args:
        shapes: of values, as far as they are known.
        roles: of values.
        trained: values that depend on weights.
        value_of: the value of an attribute.
    """

    shapes: Shapes
    roles: Roles
    trained: set[str]
    value_of: Callable[[Any], Any]

    def lower(self, step: Step) -> Lowered:
        """The products of a node, and the work between them.

        Raises:
            NotCounted: the shape of an operand is not known, or what the node computes is no product.
            InputError: what the node says doesn't fit.
        """
        kind = step.node.op_type
        attributes = attributes_of(step.node, step.path, self.value_of)
        if kind in RECURRENCES:
            return self._recurrence(step, attributes)
        if kind == "Attention":
            return self._attention(step, attributes)
        if kind == "LinearAttention":
            return self._linear_attention(step, attributes)
        if kind == "Einsum":
            return Lowered(tuple(self._einsum(step, attributes)), ())
        if kind in VECTOR_MACHINES:
            return self._vector_machine(step, attributes)
        if kind in LINEAR_MODELS:
            return self._alone(step, *self._linear_model(step, attributes))
        if kind in MATRIX_PRODUCTS:
            return self._alone(step, *self._matrix_product(step, attributes))
        return self._alone(step, *self._convolution(step, attributes))

    def _shape(self, name: str, *, scalar: bool = False) -> tuple[int, ...]:
        shape = self.shapes.get(name, (0,))
        if min(shape, default=int(scalar)) < 1:
            raise NoShape(name)
        return shape

    def _record(self, step: Step, x: str, w: str, pair: Pair, **rest: Any) -> LayerGemm:
        integers = step.node.op_type in INTEGERS
        weights = w == "" or self.roles.weights(w)
        return LayerGemm(
            path=step.path,
            gemm=pair.gemm,
            times=pair.times * step.times,
            needs_dx=x in self.trained and not integers,
            needs_dw=(weights or w in self.trained) and not integers,
            weights=weights,
            **rest,
        )

    def _alone(self, step: Step, gemm: LayerGemm, x: str, w: str) -> Lowered:
        """A node of one product; what else it reads joins its result."""
        others = [name for name in step.node.input if name]
        for name in (x, w):
            if name:
                others.remove(name)
        reads = multiplied(x, w, others)
        outputs = tuple(name for name in step.node.output if name)
        if len(outputs) == 1:
            return Lowered((Part("layer", reads, outputs, gemm),), ())
        words = gemm.times * gemm.gemm.batch * gemm.gemm.out_features
        product = f"{outputs[0]}:product"
        work = Part("work", read(product), outputs)
        return Lowered((Part("layer", reads, (product,), gemm, words), work), ())

    def _convolution(self, step: Step, attributes: Mapping[str, Any]) -> tuple[LayerGemm, str, str]:
        kind, names = step.node.op_type, step.node.input
        x, w = (names[place] for place in CONVOLUTIONS.get(kind, (0, 1)))
        image, filters = self._shape(x), self._shape(w)
        if kind == "ConvTranspose":
            gemm, groups = transposed(step.path, attributes, image, filters)
            x_words = 0
        else:
            conv = convolution(step.path, attributes, image, filters)
            gemm, groups = conv.gemm, conv.groups
            x_words = conv.batch * math.prod(conv.image) * conv.in_channels // groups
        record = self._record(step, x, w, Pair(gemm, groups), kind="conv_general_dilated", x_words=x_words)
        return record, x, w

    def _matrix_product(self, step: Step, attributes: Mapping[str, Any]) -> tuple[LayerGemm, str, str]:
        kind, names = step.node.op_type, step.node.input
        x, w = (names[place] for place in MATRIX_PRODUCTS[kind])
        left, right = self._shape(x), self._shape(w)
        if kind == "Gemm":
            left = left[::-1] if attributes.get("transA") else left
            right = right[::-1] if attributes.get("transB") else right
        if self.roles.weights(x) and not self.roles.weights(w):  # weights on the left: Y^T = X^T W^T
            x, w, left, right = w, x, _swapped(right), _swapped(left)
        return self._record(step, x, w, _matrix_product(left, right)), x, w

    def _linear_model(self, step: Step, attributes: Mapping[str, Any]) -> tuple[LayerGemm, str, str]:
        x = step.node.input[0]
        rows, features = (1, *self._shape(x))[-2:]
        coefficients = len(attributes.get("coefficients", ()))
        outputs, rest = divmod(coefficients, features)
        if rest or not outputs:
            problem = f"got {coefficients} coefficients for {step.node.op_type} ({step.path})"
            raise InputError("model", step.path, f"give some for each of {features} features", problem=problem)
        return self._record(step, x, "", Pair(Gemm(rows, features, outputs), 1)), x, ""

    def _vector_machine(self, step: Step, attributes: Mapping[str, Any]) -> Lowered:
        x, names = step.node.input[0], tuple(name for name in step.node.output if name)
        rows, features = (1, *self._shape(x))[-2:]
        kernel, decision = vector_machine(step.node.op_type, step.path, attributes, rows, features)
        products = [("", decision)] if kernel is None else [(".kernel", kernel), (".decision", decision)]
        parts = []
        for suffix, gemm in products:
            record = self._record(step, x, "", Pair(gemm, 1))
            record = replace(record, path=step.path + suffix, needs_dx=False, needs_dw=False)
            result = f"{names[0]}{suffix}:product"
            words = record.times * gemm.batch * gemm.out_features
            parts.append(Part("layer", multiplied(x, ""), (result,), record, words))
            x = result
        return Lowered((*parts, Part("work", read(x), names)), ())

    def _einsum(self, step: Step, attributes: Mapping[str, Any]) -> Iterator[Part]:
        names = list(step.node.input)
        equation = attributes.get("equation", b"").decode(errors="replace")
        meetings = list(pairs(equation, [self._shape(name, scalar=True) for name in names]))
        if not meetings:
            yield Part("work", read(names[0]), (step.node.output[0],))
        x = names[0]
        for place, (pair, w) in enumerate(zip(meetings, names[1:], strict=True), start=1):
            result = step.node.output[0] if place == len(meetings) else f"{step.node.output[0]}:{place}"
            if pair is None:
                yield Part("work", read(x, w), (result,), None, max(self._words(x), self._words(w)))
            else:
                turned = self.roles.weights(x) and not self.roles.weights(w)
                left, right = (w, x) if turned else (x, w)
                pair = pair.turned if turned else pair
                record = self._record(step, left, right, pair)
                words = record.times * pair.gemm.batch * pair.gemm.out_features
                yield Part("layer", multiplied(left, right), (result,), record, words)
            if x in self.trained or w in self.trained or self.roles.weights(x) or self.roles.weights(w):
                self.trained.add(result)
            x = result

    def _attention(self, step: Step, attributes: Mapping[str, Any]) -> Lowered:
        q, k, v, mask, past_k, past_v = [*step.node.input, "", "", ""][:6]
        past = self._shape(past_k)[2] if past_k else 0
        products = attention(step.path, attributes, self._shape(q), self._shape(k), self._shape(v), past)
        outputs = tuple(name for name in step.node.output if name)
        scores, weighed, mixed = (f"{outputs[0]}:{part}" for part in ("scores", "weighed", "mixed"))
        if not self.trained.isdisjoint((q, k, mask)):
            self.trained.add(weighed)
        first = self._head_products(step, ".scores", Pair(products.scores, products.times), (q, k, past_k), scores)
        second = self._head_products(step, ".values", Pair(products.mixed, products.times), (weighed, v, past_v), mixed)
        softmax = Part("work", read(*(name for name in (scores, mask) if name)), (weighed,), None, first.words)
        return Lowered((first, softmax, second, Part("view", read(mixed), outputs)), ())

    def _head_products(self, step: Step, suffix: str, pair: Pair, operands: tuple[str, str, str], result: str) -> Part:
        """One of attention's products; its W may have a part from the past."""
        x, w, past = operands
        record = replace(self._record(step, x, w, pair), path=step.path + suffix, weights=False)
        reads = multiplied(x, w)
        if past:
            reads = beside(reads, past)
        return Part("layer", reads, (result,), record, record.times * pair.gemm.batch * pair.gemm.out_features)

    def _linear_attention(self, step: Step, attributes: Mapping[str, Any]) -> Lowered:
        q, k, v, past, decay, beta = [*step.node.input, "", "", ""][:6]
        products = linear_attention(step.path, attributes, self._shape(q), self._shape(k), self._shape(v))
        outputs = tuple(name for name in step.node.output if name)
        names = ("state", "recalled", "written", "update", "next", "output")
        state, recalled, written, update, after, output = (f"{outputs[0]}:{name}" for name in names)
        rounds = products.tokens * products.states
        if not self.trained.isdisjoint((k, v, past, decay, beta)):
            self.trained.update((state, written, after))

        def product(suffix: str, gemm: Gemm, x: str, w: str, result: str) -> Part:
            return self._head_products(step, suffix, Pair(gemm, rounds), (x, w, ""), result)

        def work(reads: Sequence[str], result: str, words: int) -> Part:
            return Part("work", read(*(name for name in reads if name)), (result,), None, words * step.times * rounds)

        parts = []
        if products.recalled is not None:
            width = products.recalled.out_features
            parts += [
                product(".recalled", products.recalled, k, state, recalled),
                work((recalled, v, beta), written, width),
            ]
        parts.append(product(".update", products.update, k, written if parts else v, update))
        parts.append(work((state, update, decay), after, products.update.batch * products.update.out_features))
        parts.append(product(".output", products.output, q, after, output))
        carried = Carried(state, past or f"{state}:start", after, products.tokens, 0)
        views = [(output, step.node.output[:1]), (after, step.node.output[1:])]
        parts += [Part("view", read(value), tuple(made)) for value, made in views if any(made)]
        return Lowered(tuple(parts), (carried,))

    def _words(self, name: str) -> int:
        return math.prod(self.shapes.get(name, ()))

    def _recurrence(self, step: Step, attributes: Mapping[str, Any]) -> Lowered:
        names = [*step.node.input, *[""] * 8]
        x, w, r = names[:3]
        shapes = (self._shape(x), self._shape(w), self._shape(r))
        parts: list[Part] = []
        carried = []
        directions = recurrences(step.node.op_type, step.path, attributes, *shapes)
        outputs = tuple(name for name in step.node.output if name)
        for direction in directions:
            values = f"{outputs[0]}{direction.suffix}"
            record = self._record(step, x, w, Pair(direction.inputs, 1))
            path = f"{step.path}{direction.suffix}"
            words = record.times * direction.inputs.batch * direction.inputs.out_features
            reads = multiplied(x, w)
            parts.append(Part("layer", reads, (f"{values}:inputs",), replace(record, path=path), words))
            start = names[5] or f"{values}:start"
            state = Carried(f"{values}:state", start, f"{values}:next", direction.steps, len(parts))
            carried.append(state)
            learns = self.roles.weights(w) or self.roles.weights(r) or not self.trained.isdisjoint((x, w, r))
            record = replace(self._record(step, state.value, r, Pair(Gemm(1, 1, 1), direction.steps)), needs_dx=learns)
            record = replace(record, path=f"{path}.recurrence")
            parts += _round(direction, record, values, r, [name for name in (names[3], names[6], names[7]) if name])
        ends = read(*(f"{outputs[0]}{direction.suffix}:next" for direction in directions))
        return Lowered((*parts, Part("view", ends, outputs)), tuple(carried))


def _round(direction: Recurrence, record: LayerGemm, values: str, r: str, others: list[str]) -> Iterator[Part]:
    """One step of a recurrence: the state's products, one after another, and what makes the next state of them."""
    state, made = f"{values}:state", [f"{values}:inputs"]
    for place, gemm in enumerate(direction.states):
        x, words = state, record.times * gemm.batch * gemm.in_features
        if place:
            x = f"{values}:gated"
            yield Part("work", read(made[-1], state, made[0]), (x,), None, words)
        made.append(f"{values}:product{place}")
        words = record.times * gemm.batch * gemm.out_features
        yield Part("layer", multiplied(x, r), (made[-1],), replace(record, gemm=gemm), words)
    words = record.times * direction.states[0].batch * direction.states[0].in_features
    yield Part("work", read(*made, state, *others), (f"{values}:next",), None, words)


def _swapped(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (*shape[:-2], shape[-1], shape[-2]) if len(shape) > 1 else shape


def _matrix_product(left: tuple[int, ...], right: tuple[int, ...]) -> Pair:
    """NumPy's matmul: a matrix on the right meets all rows of the left at once, a stack of them one each."""
    k = left[-1]
    n = right[-1] if len(right) > 1 else 1
    if math.prod(right[:-2]) == 1:
        return Pair(Gemm(math.prod(left[:-1]), k, n), 1)
    groups = math.prod(np.broadcast_shapes(left[:-2], right[:-2]))
    return Pair(Gemm(left[-2] if len(left) > 1 else 1, k, n), groups)
