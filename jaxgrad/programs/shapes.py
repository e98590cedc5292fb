"""The GEMM that a product of a trace is."""

from __future__ import annotations

import math
from typing import Any

from jax.extend.core import JaxprEqn

from jaxgrad.array.convolution import geometry
from jaxgrad.array.gemm import Gemm


def gemm_of(equation: JaxprEqn) -> tuple[Gemm, int, int]:
    """A product's GEMM, left operand as X, how many of it one run is, and the words of X before lowering, or 0."""
    left, right, out = (variable.aval.shape for variable in (*equation.invars[:2], equation.outvars[0]))  # pyright: ignore[reportAttributeAccessIssue]  # arrays all
    if equation.primitive.name == "dot_general":
        (contracted, _), (batch, _) = equation.params["dimension_numbers"]
        groups = math.prod(left[axis] for axis in batch)
        k = math.prod(left[axis] for axis in contracted)
        return Gemm(math.prod(left) // (groups * k), k, math.prod(right) // (groups * k)), groups, 0
    if equation.primitive.name == "conv_general_dilated":
        return _conv_gemm(equation.params, left, right, out)
    # ragged: every row of the left operand meets one of the right one's matrices
    k = right[-2]
    return Gemm(math.prod(left) // k, k, right[-1]), 1, 0


def _conv_gemm(
    params: dict[str, Any], left: tuple[int, ...], right: tuple[int, ...], out: tuple[int, ...]
) -> tuple[Gemm, int, int]:
    numbers = params["dimension_numbers"]
    features, batches = params["feature_group_count"], params["batch_group_count"]
    if batches == 1 and all(step == 1 for step in params["lhs_dilation"]):
        conv, _ = geometry(
            left,
            right,
            params["window_strides"],
            params["padding"],
            rhs_dilation=params["rhs_dilation"],
            dimension_numbers=numbers,
            feature_group_count=features,
        )
        return conv.gemm, features, conv.batch * math.prod(conv.image) * conv.in_channels // features
    groups = features * batches
    taps = math.prod(right[axis] for axis in numbers.rhs_spec[2:])
    c_in, c_out = right[numbers.rhs_spec[1]], right[numbers.rhs_spec[0]] // groups
    if batches == 1:  # transposed: each input pixel meets each tap once
        return Gemm(math.prod(left) // (groups * c_in), c_in, taps * c_out), groups, 0
    return Gemm(math.prod(out) // (groups * c_out), taps * c_in, c_out), groups, 0
