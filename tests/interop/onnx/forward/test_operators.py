"""Operators of a forward pass, each held against ONNX's reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad.interop.onnx.forward.operators import OPERATORS
from jaxgrad.interop.onnx.forward.program import read
from tests.interop.onnx.models import evaluated, floats, helper, save, weights

generator = np.random.default_rng(0)


def some(*shape: int) -> np.ndarray:
    return generator.normal(size=shape).astype(np.float32)


def whole(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


IMAGE, ROWS = (2, 4, 7, 6), (3, 8)
# operator, shape of its first input, the others, attributes
CASES: list[tuple[str, tuple[int, ...], list[Any], dict[str, Any]]] = [
    ("Conv", IMAGE, [some(6, 4, 3, 3), some(6)], {"pads": [1, 0, 1, 2], "strides": [2, 1]}),
    ("Conv", IMAGE, [some(4, 2, 3, 2)], {"group": 2, "dilations": [2, 1], "auto_pad": "SAME_UPPER"}),
    ("Conv", IMAGE, [some(4, 4, 2, 2)], {"auto_pad": "SAME_LOWER", "strides": [2, 2]}),
    ("Conv", IMAGE, [some(4, 4, 2, 2)], {"auto_pad": "VALID"}),
    ("Gemm", ROWS, [some(5, 8), some(5)], {"transB": 1, "alpha": 0.5, "beta": 2.0}),
    ("Gemm", ROWS, [some(3, 5)], {"transA": 1}),
    ("MatMul", (2, 3, 8), [some(8, 5)], {}),
    ("MaxPool", IMAGE, [], {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 0, 1, 1]}),
    ("MaxPool", IMAGE, [], {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}),
    ("AveragePool", IMAGE, [], {"kernel_shape": [3, 3], "strides": [2, 1], "pads": [1, 1, 1, 1]}),
    ("AveragePool", IMAGE, [], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}),
    ("GlobalAveragePool", IMAGE, [], {}),
    ("GlobalMaxPool", IMAGE, [], {}),
    *((name, ROWS, [], {}) for name in ("Relu", "Sigmoid", "Tanh", "Erf", "Softplus", "HardSwish", "Abs", "Exp")),
    *((name, ROWS, [], {}) for name in ("Neg", "Reciprocal", "Identity", "Selu", "Floor", "Ceil", "HardSigmoid")),
    ("LeakyRelu", ROWS, [], {"alpha": 0.3}),
    ("Elu", ROWS, [], {"alpha": 0.7}),
    ("Gelu", ROWS, [], {}),
    ("Gelu", ROWS, [], {"approximate": "tanh"}),
    ("PRelu", ROWS, [some(8)], {}),
    ("Clip", ROWS, [np.float32(-0.5), np.float32(0.25)], {}),
    *((name, ROWS, [1.5 + abs(some(8))], {}) for name in ("Add", "Sub", "Mul", "Div")),
    ("Pow", ROWS, [np.float32(2)], {}),
    ("Softmax", (2, 3, 4), [], {"axis": 1}),
    ("LogSoftmax", ROWS, [], {}),
    ("LayerNormalization", (2, 3, 8), [some(8), some(8)], {"epsilon": 1e-3}),
    ("LayerNormalization", (2, 3, 8), [some(3, 8)], {"axis": 1}),
    *((name, ROWS, [some(8), some(3, 1)], {}) for name in ("Sum", "Max", "Min")),
    ("ReduceMean", IMAGE, [whole(2, 3)], {"keepdims": 0}),
    ("ReduceSum", ROWS, [], {}),
    ("ReduceMax", ROWS, [whole(1)], {}),
    ("Reshape", IMAGE, [whole(0, -1, 6)], {}),
    ("Flatten", IMAGE, [], {"axis": 2}),
    ("Flatten", IMAGE, [], {"axis": -1}),
    ("Transpose", IMAGE, [], {"perm": [0, 2, 3, 1]}),
    ("Squeeze", (2, 1, 3, 1), [whole(1, 3)], {}),
    ("Unsqueeze", ROWS, [whole(0, 2)], {}),
    ("Concat", ROWS, [some(3, 2)], {"axis": 1}),
    ("Slice", IMAGE, [whole(1, -2), whole(6, -(2**62)), whole(2, 3), whole(2, -1)], {}),
    ("Gather", ROWS, [whole(2, 0)], {"axis": 1}),
    ("Pad", ROWS, [whole(0, 1, 2, 0), np.float32(3)], {}),
    ("Pad", ROWS, [whole(1, 1, 1, 1)], {"mode": "reflect"}),
    ("Expand", (3, 1), [whole(2, 1, 4)], {}),
    ("Dropout", ROWS, [], {}),
]


@pytest.mark.parametrize(("operator", "shape", "others", "attributes"), CASES)
def test_an_operator_is_that_of_the_reference(
    tmp_path: Path, operator: str, shape: tuple[int, ...], others: list[Any], attributes: dict[str, Any]
) -> None:
    names = [f"c{place}" for place in range(len(others))]
    node = helper.make_node(operator, ["x", *names], ["y"], **attributes)
    # Something before it, so that a last softmax is not all there is.
    nodes = [helper.make_node("Identity", ["image"], ["x"]), node, helper.make_node("Identity", ["y"], ["z"])]
    constants = [weights(name, np.asarray(value)) for name, value in zip(names, others, strict=True)]
    file = save(tmp_path, nodes, constants, {"image": shape}, "z", opset=20)
    x = some(*shape)
    (expected,) = evaluated(file, image=x)
    np.testing.assert_allclose(run(file, x), expected, rtol=2e-5, atol=2e-6)


def run(file: Path, x: np.ndarray) -> np.ndarray:
    program = read(file)
    values = {name: jnp.asarray(weight.value) for name, weight in program.weights.items()}
    return np.asarray(program.run(jnp.asarray(x), values, lambda step, node: node.inputs[0]))


def test_shapes_that_the_model_computes_stay_numbers(tmp_path: Path) -> None:
    """Flatten as PyTorch writes it: the batch's size, joined to -1, is what the image is reshaped to."""
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "zero"], ["batch"], axis=0),
        helper.make_node("Unsqueeze", ["batch", "axis"], ["one"]),
        helper.make_node("Concat", ["one", "rest"], ["wanted"], axis=0),
        helper.make_node("Reshape", ["x", "wanted"], ["flat"]),
        helper.make_node("Split", ["flat"], ["a", "b"], axis=1, num_outputs=2),
        helper.make_node("ConstantOfShape", ["wanted2"], ["two"], value=helper.make_tensor("v", floats, [1], [2.0])),
        helper.make_node("Mul", ["b", "two"], ["doubled"]),
        helper.make_node("Sub", ["a", "doubled"], ["y"]),
    ]
    constants = [weights("zero", np.array(0)), weights("axis", whole(0)), weights("rest", whole(-1))]
    file = save(tmp_path, nodes, [*constants, weights("wanted2", whole(1))], {"x": ("n", 4, 3)}, opset=18)
    x = some(5, 4, 3)
    flat = x.reshape(5, 12)
    np.testing.assert_allclose(run(file, x), flat[:, :6] - 2 * flat[:, 6:], rtol=1e-6)


def test_older_versions_have_attributes_for_inputs(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Unsqueeze", ["x"], ["wide"], axes=[1]),
        helper.make_node("Pad", ["wide"], ["padded"], pads=[0, 0, 1, 0, 0, 0], value=1.5),
        helper.make_node("Slice", ["padded"], ["part"], starts=[0], ends=[3], axes=[2]),
        helper.make_node("Clip", ["part"], ["clipped"], min=-1.0, max=1.0),
        helper.make_node("ReduceMean", ["clipped"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("Softmax", ["mean"], ["soft"]),
        helper.make_node("Squeeze", ["soft3"], ["squeezed"], axes=[0]),
    ]
    nodes.insert(6, helper.make_node("Unsqueeze", ["soft"], ["soft3"], axes=[0]))
    file = save(tmp_path, nodes, [], {"x": (2, 4)}, "squeezed", opset=9)
    x = some(2, 4)
    padded = np.concatenate([np.full((2, 1), 1.5, np.float32), x], axis=1)[:, :3]
    raised = np.exp(np.clip(padded, -1, 1))
    np.testing.assert_allclose(run(file, x), raised / raised.sum(1, keepdims=True), rtol=1e-5)


def test_local_response_norm(tmp_path: Path) -> None:
    """By the operator's formula: the reference normalises as many channels as there are images."""
    node = helper.make_node("LRN", ["x"], ["y"], size=4, alpha=0.5, beta=0.6, bias=2.0)
    x = some(*IMAGE)
    energy = np.stack([(x[:, max(0, c - 1) : c + 3] ** 2).sum(1) for c in range(IMAGE[1])], axis=1)
    expected = x / (2 + 0.5 / 4 * energy) ** 0.6
    np.testing.assert_allclose(run(save(tmp_path, [node], [], {"x": IMAGE}), x), expected, rtol=1e-5)


def test_a_shape_for_the_file_s_own_batch_is_for_any(tmp_path: Path) -> None:
    """As a file has it that was exported for one image; what is not of the images keeps its shape."""
    nodes = [
        helper.make_node("Reshape", ["x", "flat"], ["rows"]),
        helper.make_node("Reshape", ["w", "row"], ["weights"]),
        helper.make_node("Mul", ["rows", "weights"], ["y"]),
    ]
    constants = [weights("flat", whole(1, -1)), weights("row", whole(1, -1)), weights("w", some(3, 2))]
    file = save(tmp_path, nodes, constants, {"x": (1, 3, 2)})
    x = some(4, 3, 2)
    (expected,) = evaluated(file, x=x[:1])
    np.testing.assert_allclose(run(file, x)[:1], expected, rtol=1e-6)
    assert run(file, x).shape == (4, 6)


def test_every_operator_is_tested() -> None:
    by_themselves = {"LRN", "Shape", "Constant", "ConstantOfShape", "Split", "Cast", "Sqrt", "Log"}
    compared = {"Equal", "Greater", "Less", "Where"}
    assert {operator for operator, *_ in CASES} | by_themselves | compared == {*OPERATORS}


def test_constants_comparisons_and_casts(tmp_path: Path) -> None:
    """Where x exceeds its constant the logarithm of 1 + its root, else whether it is below another, as a number."""
    value = helper.make_tensor("v", floats, [], [0.5])
    nodes = [
        helper.make_node("Constant", [], ["half"], value=value),
        helper.make_node("Constant", [], ["one"], value_float=1.0),
        helper.make_node("Greater", ["x", "half"], ["more"]),
        helper.make_node("Less", ["x", "half"], ["less"]),
        helper.make_node("Equal", ["less", "more"], ["same"]),
        helper.make_node("Cast", ["same"], ["number"], to=floats),
        helper.make_node("Sqrt", ["x"], ["root"]),
        helper.make_node("Add", ["root", "one"], ["sum"]),
        helper.make_node("Log", ["sum"], ["log"]),
        helper.make_node("Where", ["more", "log", "number"], ["y"]),
    ]
    file = save(tmp_path, nodes, [], {"x": (4,)})
    x = np.array([0.0, 0.25, 0.5, 4.0], np.float32)
    np.testing.assert_allclose(run(file, x), [0, 0, 1, np.log(3)], rtol=1e-6)
