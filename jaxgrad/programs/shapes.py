"""What is a product: the one list of the primitives that the array takes, and the real GEMMs that each is there.

Counting (``profile``) and emulation (``transform``) take their products from here. Numbers of any kind are multiplied:
floats of any width, integers and truth values; of complex numbers each part of one operand meets each of the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import jax.numpy as jnp
from jax.extend.core import JaxprEqn

from jaxgrad.array.convolution import Convolution, geometry
from jaxgrad.array.gemm import Gemm
from jaxgrad.programs.operations import shape_of


def gemm_of(equation: JaxprEqn) -> tuple[Gemm, int, int]:
    """A product's GEMM, left operand as X, how many of it one run is, and the words of X before lowering, or 0.

    A product of complex numbers is four GEMMs, one for each pair of parts. A ragged one is as many of equal rows as its
    rows can be split into, one a matrix at most: how they are split is data, but each row meets one matrix.
    """
    gemm, groups, x_words = _GEMM_OF[equation.primitive.name](equation)
    return gemm, groups * math.prod(map(_parts, equation.invars[:2])), x_words


def ragged_groups(rows: int, matrices: int) -> int:
    """Into how many groups of equal size the rows of a ragged product are taken to fall."""
    return next(groups for groups in range(min(rows, matrices), 0, -1) if rows % groups == 0)


def convolution_of(equation: JaxprEqn) -> Convolution | None:
    """The geometry of a convolution of real numbers, neither transposed nor grouped along its batch; else None."""
    if equation.primitive.name != "conv_general_dilated" or math.prod(map(_parts, equation.invars[:2])) > 1:
        return None
    params = equation.params
    plain = params["batch_group_count"] == 1 and all(step == 1 for step in params["lhs_dilation"])
    return _geometry(equation) if plain else None


def _geometry(equation: JaxprEqn) -> Convolution:
    left, right = map(shape_of, equation.invars)
    params = equation.params
    convolution, _ = geometry(
        left,
        right,
        params["window_strides"],
        params["padding"],
        rhs_dilation=params["rhs_dilation"],
        dimension_numbers=params["dimension_numbers"],
        feature_group_count=params["feature_group_count"],
    )
    return convolution


def _dot(equation: JaxprEqn) -> tuple[Gemm, int, int]:
    left, right = map(shape_of, equation.invars)
    contracted, batch = equation.params["dimension_numbers"]
    groups = math.prod(left[axis] for axis in batch[0])
    k = math.prod(left[axis] for axis in contracted[0])
    return Gemm(math.prod(left) // (groups * k), k, math.prod(right) // (groups * k)), groups, 0


def _ragged(equation: JaxprEqn) -> tuple[Gemm, int, int]:
    left, right, sizes = map(shape_of, equation.invars[:3])
    numbers = equation.params["ragged_dot_dimension_numbers"]
    contracted, batch = numbers.dot_dimension_numbers
    products = math.prod(left[axis] for axis in batch[0])
    matrices = math.prod(right[axis] for axis in numbers.rhs_group_dimensions)
    k = math.prod(left[axis] for axis in contracted[0])
    rows, columns = math.prod(left) // (products * k), math.prod(right) // (products * k * matrices)
    (ragged,) = numbers.lhs_ragged_dimensions
    groups = ragged_groups(left[ragged], sizes[-1])
    if ragged in contracted[0]:
        return Gemm(rows, k // groups, columns), groups * products, 0
    if ragged in batch[0]:
        return Gemm(rows, k, columns), products, 0
    return Gemm(rows // groups, k, columns), groups * products, 0


def _convolution(equation: JaxprEqn) -> tuple[Gemm, int, int]:
    left, right = map(shape_of, equation.invars)
    params = equation.params
    numbers = params["dimension_numbers"]
    features, batches = params["feature_group_count"], params["batch_group_count"]
    groups = features * batches
    taps = math.prod(right[axis] for axis in numbers.rhs_spec[2:])
    c_in, c_out = right[numbers.rhs_spec[1]], right[numbers.rhs_spec[0]] // groups
    if any(step != 1 for step in params["lhs_dilation"]):  # transposed: each input pixel meets each tap once
        return Gemm(math.prod(left) // (groups * c_in), c_in, taps * c_out), groups, 0
    if batches > 1:
        return Gemm(math.prod(shape_of(equation.outvars[0])) // (groups * c_out), taps * c_in, c_out), groups, 0
    convolution = _geometry(equation)
    words = convolution.batch * math.prod(convolution.image) * convolution.in_channels // features
    return convolution.gemm, features, words


_GEMM_OF: Mapping[str, Callable[[JaxprEqn], tuple[Gemm, int, int]]] = MappingProxyType({
    "dot_general": _dot,
    "conv_general_dilated": _convolution,
    "ragged_dot_general": _ragged,
})  # fmt: skip
PRODUCTS = frozenset(_GEMM_OF)
"""The names of the primitives that are products."""


def _parts(variable: Any) -> int:
    return 2 if jnp.issubdtype(variable.aval.dtype, jnp.complexfloating) else 1
