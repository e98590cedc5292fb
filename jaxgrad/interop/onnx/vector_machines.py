"""The products of support vector machines (SVMRegressor and SVMClassifier of ai.onnx.ml).

A row's kernel with every support vector is a function of their scalar product; each output then sums the kernels by its
coefficients. RBF's is one of their distance, ``|x|^2 - 2 x s^T + |s|^2``: the product ``x s^T`` is what counts, and the
squares are work beside the array. Without support vectors the coefficients are those of a linear model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from jaxgrad.array.gemm import Gemm
from jaxgrad.base.errors import InputError
from jaxgrad.interop.onnx.parts import NotCounted

_KERNELS = ("LINEAR", "POLY", "RBF", "SIGMOID")


class Machine(NamedTuple):
    """What rows meet.

    Args:
        kernel: the rows and the support vectors; None without these.
        decision: the kernels, or without support vectors the rows, and the coefficients.
    """

    kernel: Gemm | None
    decision: Gemm


def vector_machine(kind: str, name: str, attributes: Mapping[str, Any], rows: int, features: int) -> Machine:
    """The products of a machine for so many rows of features.

    >>> vector_machine("SVMRegressor", "svm", {"coefficients": [1.0] * 9, "support_vectors": [0.5] * 45}, 3, 5)
    Machine(kernel=Gemm(batch=3, in_features=5, out_features=9), decision=Gemm(batch=3, in_features=9, out_features=1))

    Raises:
        NotCounted: its kernel is none of ONNX's.
        InputError: its coefficients or its support vectors don't fit.
    """
    kernel = attributes.get("kernel_type", b"LINEAR").decode(errors="replace")
    if kernel not in _KERNELS:
        raise NotCounted(f"its kernel {kernel!r} is none of ONNX's")
    coefficients = len(attributes.get("coefficients", ()))
    vectors, rest = divmod(len(attributes.get("support_vectors", ())), features)
    outputs, more = divmod(coefficients, vectors or features)
    if rest or more or not outputs:
        problem = f"got {coefficients} coefficients and {vectors} support vectors for {kind} ({name})"
        raise InputError("model", name, f"give some of {features} features", problem=problem)
    kernels = Gemm(rows, features, vectors) if vectors else None
    return Machine(kernels, Gemm(rows, vectors or features, outputs))
