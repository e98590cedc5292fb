"""The rules' face: ``lax``'s own contractions, with a tap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jax import Array
from jax.typing import DTypeLike
from jaxtyping import Float, Float32

from jaxgrad.array.emulation import Emulation
from jaxgrad.autodiff.contraction import check_floats
from jaxgrad.autodiff.convolution import ConvGeneralDilated
from jaxgrad.autodiff.dot_general import DimensionNumbers, DotGeneral
from jaxgrad.autodiff.estimators import EXACT, Estimator
from jaxgrad.autodiff.rule import contract
from jaxgrad.autodiff.task import Task


def dot_general(
    lhs: Float[Array, "..."],
    rhs: Float[Array, "..."],
    dimension_numbers: DimensionNumbers,
    tap: Float32[Array, "2 8 15"],
    *,
    emulation: Emulation,
    precision: Any = None,
    preferred_element_type: DTypeLike | None = None,
    runs: int = 1,
    estimator: Estimator = EXACT,
    key: Array | None = None,
) -> Float[Array, "..."]:
    """``lax.dot_general(lhs, rhs, dimension_numbers)``, it and its gradients on the array.

    Args:
        lhs: the input, x.
        rhs: the weights, w.
        dimension_numbers: as of ``lax.dot_general``, contracting then batch axes; a batch element is a GEMM.
        tap: from ``new_tap``; its cotangent tells the counts, to be read with ``read_tap``.
        emulation: the array, the schedule and the fidelity.
        precision: XLA's, for native fidelity.
        preferred_element_type: type of the output.
        runs: how often the forward product runs for each backward pass: 2 where ``jax.checkpoint`` runs it again.
        estimator: how the product and its gradients are computed.
        key: for an estimator that is random.

    Raises:
        ValueError: an operand is not of floats, its shape has an empty axis, or the estimator lacks its key.
    """
    check_floats(lhs, rhs)
    contraction = DotGeneral.of(lhs, rhs, dimension_numbers, precision, preferred_element_type)
    return contract(Task(contraction, emulation, runs=runs, estimator=estimator), lhs, rhs, tap, key)


def conv_general_dilated(
    lhs: Float[Array, "..."],
    rhs: Float[Array, "..."],
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    tap: Float32[Array, "2 8 15"],
    *,
    emulation: Emulation,
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    feature_group_count: int = 1,
    batch_group_count: int = 1,
    precision: Any = None,
    preferred_element_type: DTypeLike | None = None,
    runs: int = 1,
    estimator: Estimator = EXACT,
    key: Array | None = None,
) -> Float[Array, "..."]:
    """``lax.conv_general_dilated``, it and its gradients on the array.

    Args:
        lhs: the input, x.
        rhs: the kernel, w.
        tap: from ``new_tap``; its cotangent tells the counts, to be read with ``read_tap``.
        emulation: the array, the schedule and the fidelity.
        precision: XLA's, for native fidelity.
        runs: how often the forward product runs for each backward pass: 2 where ``jax.checkpoint`` runs it again.
        estimator: how the product and its gradients are computed.
        key: for an estimator that is random.
        The others are as of ``lax.conv_general_dilated``.

    Raises:
        ValueError: ``lhs_dilation`` or ``batch_group_count`` is not 1 (not emulated), an operand is not of floats,
            the shapes do not fit together, or the estimator lacks its key.
    """
    check_floats(lhs, rhs)
    contraction = ConvGeneralDilated.of(
        lhs,
        rhs,
        window_strides,
        padding,
        lhs_dilation=lhs_dilation,
        rhs_dilation=rhs_dilation,
        dimension_numbers=dimension_numbers,
        feature_group_count=feature_group_count,
        batch_group_count=batch_group_count,
        precision=precision,
        preferred_element_type=preferred_element_type,
    )
    return contract(Task(contraction, emulation, runs=runs, estimator=estimator), lhs, rhs, tap, key)
