"""Rounding as an estimator: what ``Emulation.precision`` asks of the rules, and what the array itself does."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from jaxgrad import Accelerator, Emulation, emulate
from jaxgrad.array.emulation import FIDELITIES, forward
from jaxgrad.autodiff import conv_general_dilated, dot_general
from jaxgrad.autodiff.estimators import EXACT, Estimator, rounded
from jaxgrad.hardware import Precision
from tests.autodiff.truth import as_dicts, counted
from tests.layers import integers, sparse_integers
from tests.refusals import Refusal, assert_refused

ARRAY = Accelerator(3, 4)
MATRICES = (((1,), (0,)), ((), ()))
MIXED = Precision(x="bf16", w="fp16", dy="bf16", dw="fp16")


def uneven(seed: int, *shape: int) -> Array:
    """Integers and a little: no format but fp32 holds them, and fp32 sums exactly what bf16 and fp16 make of them."""
    return jnp.asarray(integers(seed, *shape) + sparse_integers(seed + 1, *shape) / 2048)


X, W, DY = uneven(0, 5, 6), uneven(2, 6, 7), uneven(4, 5, 7)


def dense(estimator: Estimator, emulation: Emulation) -> Any:
    return counted(
        lambda x, w, tap: dot_general(x, w, MATRICES, tap, emulation=emulation, estimator=estimator), X, W, DY
    )


@pytest.mark.parametrize("fidelity", FIDELITIES)
def test_rules_round_as_the_array_itself_does(fidelity: str) -> None:
    """Bit for bit, whether the estimator or the emulation says so."""
    (y, dx, dw), counters = dense(rounded(MIXED), Emulation(ARRAY, fidelity=fidelity))
    on_array = emulate(X, W, DY, ARRAY, fidelity=fidelity, precision=MIXED)
    product, spent = forward(X, W, Emulation(ARRAY, fidelity=fidelity, precision=MIXED))
    for got, wanted in zip((y, dx, dw), (product, *on_array[:2]), strict=True):
        np.testing.assert_array_equal(got, wanted)
    assert as_dicts(counters) == (spent.as_dict(), on_array[2].as_dict())
    by_precision, told = dense(EXACT, Emulation(ARRAY, fidelity=fidelity, precision=MIXED))
    for got, wanted in zip(by_precision, (y, dx, dw), strict=True):
        np.testing.assert_array_equal(got, wanted)
    assert as_dicts(told) == as_dicts(counters)


@pytest.mark.parametrize("fidelity", ["native", "tile"])
@pytest.mark.parametrize("tensor", ["x", "w", "dy"])
def test_each_operand_is_rounded_as_it_enters(tensor: str, fidelity: str) -> None:
    """One operand in bf16, the others and all results that tell of it in fp32."""
    precision = Precision(**{tensor: "bf16"})
    (y, dx, dw), _ = dense(rounded(precision), Emulation(ARRAY, fidelity=fidelity))
    half = {"x": X, "w": W, "dy": DY} | {tensor: {"x": X, "w": W, "dy": DY}[tensor].astype(jnp.bfloat16)}
    x, w, dy = (np.asarray(half[name], np.float64) for name in ("x", "w", "dy"))
    tight: Any = {"rtol": 1e-6, "atol": 1e-6}
    np.testing.assert_allclose(dw, x.T @ dy, **tight)
    if tensor != "dy":  # whose format dX has too
        np.testing.assert_allclose(dx, dy @ w.T, **tight)
    if tensor != "x":  # whose format y has too
        np.testing.assert_allclose(y, x @ w, **tight)
    assert np.abs(np.asarray(dw) - np.asarray(X.T @ DY)).max() > 1e-4 or tensor == "w"


@pytest.mark.parametrize("fidelity", ["native", "tile"])
def test_convolutions_are_rounded_alike(fidelity: str) -> None:
    lhs, rhs, dy = uneven(6, 2, 5, 2), uneven(8, 3, 2, 3), uneven(10, 2, 5, 3)

    def conv(emulation: Emulation, estimator: Estimator) -> Any:
        return counted(
            lambda x, w, tap: conv_general_dilated(
                x, w, (1,), "SAME", tap, emulation=emulation, estimator=estimator,
                dimension_numbers=("NHC", "HIO", "NHC"),
            ),
            lhs, rhs, dy,
        )  # fmt: skip

    own, counters = conv(Emulation(ARRAY, fidelity=fidelity), rounded(MIXED))
    wanted, expected = conv(Emulation(ARRAY, fidelity=fidelity, precision=MIXED), EXACT)
    for got, want in zip(own, wanted, strict=True):
        np.testing.assert_array_equal(got, want)
    assert as_dicts(counters) == as_dicts(expected)

    def plain(x: Array, w: Array) -> Array:
        return jax.lax.conv_general_dilated(x, w, (1,), "SAME", dimension_numbers=("NHC", "HIO", "NHC"))

    _, transpose = jax.vjp(plain, lhs.astype(jnp.bfloat16).astype(float), rhs.astype(jnp.float16).astype(float))
    dx, dw = transpose(dy.astype(jnp.bfloat16).astype(float))
    np.testing.assert_array_equal(own[1], dx.astype(jnp.bfloat16))
    np.testing.assert_array_equal(own[2], dw.astype(jnp.float16))


def test_refuses_formats_that_are_for_costs_alone() -> None:
    assert_refused(Refusal(lambda: rounded(Precision.of("int8")), "precision.x", "'int8'", "fp32, bf16, fp16"))
