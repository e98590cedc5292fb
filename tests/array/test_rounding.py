"""Number formats in the emulation: operands are rounded as they enter the array, results as they leave it."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import Array

from jaxgrad import Accelerator, Emulation, emulate, forward
from jaxgrad.array.emulation import FIDELITIES
from jaxgrad.array.rounding import rounded
from jaxgrad.autodiff import conv_general_dilated, dot_general, new_tap, read_tap
from jaxgrad.hardware import Precision
from tests.refusals import Refusal, assert_refused

ARRAY = Accelerator(3, 2)
DTYPES = {"bf16": jnp.bfloat16, "fp16": jnp.float16, "fp32": jnp.float32}


def through(values: Any, name: str) -> np.ndarray:
    """Rounded by a cast, in double precision."""
    return np.asarray(jnp.asarray(values).astype(DTYPES[name]), np.float64)


def operands(seed: int = 0) -> tuple[Array, Array, Array]:
    keys = jax.random.split(jax.random.key(seed), 3)
    shapes = ((5, 4), (4, 7), (5, 7))
    x, w, dy = (jax.random.normal(key, shape) for key, shape in zip(keys, shapes, strict=True))
    return x, w, dy


@given(st.floats(width=32, allow_nan=False, min_value=-(2.0**15), max_value=2.0**15), st.sampled_from(sorted(DTYPES)))
@settings(max_examples=100)
def test_rounding_is_a_cast_but_for_subnormals(value: float, name: str) -> None:
    got = float(rounded("x", jnp.float32(value), Precision.of(name)))
    normal = float(jnp.finfo(DTYPES[name]).smallest_normal)
    if abs(value) >= normal:
        assert got == through(np.float32(value), name)
    else:
        assert got in (0.0, through(np.float32(value), name))


def test_nan_and_infinity_stay_and_what_is_too_large_is_infinite() -> None:
    got = rounded("w", jnp.asarray([np.nan, np.inf, -np.inf, 1e30, 65504.0]), Precision.of("fp16"))
    np.testing.assert_array_equal(np.asarray(got), np.asarray([np.nan, np.inf, -np.inf, np.inf, 65504.0]))


@pytest.mark.parametrize("fidelity", FIDELITIES)
@pytest.mark.parametrize("name", ["bf16", "fp16"])
def test_gradients_are_those_of_rounded_operands_summed_in_fp32(name: str, fidelity: str) -> None:
    x, w, dy = operands()
    dx, dw, _ = emulate(x, w, dy, ARRAY, fidelity=fidelity, precision=Precision.of(name))
    exact_dx = through(dy, name) @ through(w, name).T
    exact_dw = through(x, name).T @ through(dy, name)
    assert dx is not None
    assert dw is not None
    # dW leaves in fp32, dX in the cotangent's format: half a unit in its last place apart at most.
    np.testing.assert_allclose(np.asarray(dw), exact_dw, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(through(dx, name), np.asarray(dx, np.float64))
    unit = float(jnp.finfo(DTYPES[name]).eps)
    np.testing.assert_allclose(np.asarray(dx), exact_dx, rtol=0.51 * unit, atol=1e-5)
    assert np.abs(np.asarray(dx) - np.asarray(dy @ w.T)).max() > 1e-4


@pytest.mark.parametrize("fidelity", FIDELITIES)
def test_each_operand_has_its_own_format(fidelity: str) -> None:
    x, w, dy = operands(1)
    precision = Precision(x="bf16", w="fp32", dy="fp16", dw="bf16")
    dx, dw, _ = emulate(x, w, dy, ARRAY, fidelity=fidelity, precision=precision)
    y, _ = forward(x, w, Emulation(ARRAY, fidelity=fidelity, precision=precision))
    expected = {
        "dx": (dx, through(dy, "fp16") @ np.asarray(w, np.float64).T, "fp16"),
        "dw": (dw, through(x, "bf16").T @ through(dy, "fp16"), "bf16"),
        "y": (y, through(x, "bf16") @ np.asarray(w, np.float64), "bf16"),
    }
    for got, exact, name in expected.values():
        np.testing.assert_allclose(np.asarray(got), exact, rtol=0.51 * float(jnp.finfo(DTYPES[name]).eps), atol=1e-5)
        np.testing.assert_array_equal(through(got, name), np.asarray(got, np.float64))


@pytest.mark.parametrize("fidelity", FIDELITIES)
def test_zeros_that_rounding_makes_are_not_effectual(fidelity: str) -> None:
    x, w, dy = jnp.full((2, 2), 1e-30), jnp.ones((2, 2)), jnp.ones((2, 2))
    *_, counters = emulate(x, w, dy, ARRAY, fidelity=fidelity, precision=Precision.of("fp16"))
    assert counters.as_dict()["effectual_macs"] == 8  # dX's alone: X is zero in fp16
    *_, own = emulate(x, w, dy, ARRAY, fidelity=fidelity)
    assert own.as_dict()["effectual_macs"] == 16


@pytest.mark.parametrize("fidelity", FIDELITIES)
def test_training_rounds_alike_at_every_fidelity(fidelity: str) -> None:
    """A convolution and a dense layer: what is rounded, and how often, does not depend on how the array is emulated."""
    keys = jax.random.split(jax.random.key(3), 3)
    images = jax.random.normal(keys[0], (2, 5, 2))
    params = jax.random.normal(keys[1], (3, 2, 3)), jax.random.normal(keys[2], (15, 4))
    taps = new_tap(), new_tap()

    def loss(params: Any, taps: Any, fidelity: str) -> Array:
        emulation = Emulation(ARRAY, fidelity=fidelity, precision=Precision.of("bf16"))
        hidden = conv_general_dilated(
            images, params[0], (1,), "SAME", taps[0], emulation=emulation, dimension_numbers=("NHC", "HIO", "NHC")
        )
        out = dot_general(hidden.reshape(2, -1), params[1], (((1,), (0,)), ((), ())), taps[1], emulation=emulation)
        return (out * out).sum()

    grads, counts = jax.grad(loss, (0, 1))(params, taps, fidelity)
    wanted, expected = jax.grad(loss, (0, 1))(params, taps, "native")
    for got, want in zip(grads, wanted, strict=True):
        np.testing.assert_allclose(got, want, rtol=2e-2, atol=2e-2)
    for got, want in zip(counts, expected, strict=True):
        assert read_tap(got).backward.as_dict()["macs"] == read_tap(want).backward.as_dict()["macs"]


def test_complex_numbers_are_rounded_part_by_part_and_integers_not() -> None:
    values = jnp.array([1 + 2**-10 + 3j, 257 - 1j * (1 + 2**-10)])
    bf16 = Precision.of("bf16")
    np.testing.assert_array_equal(rounded("x", values, bf16), jnp.array([1 + 3j, 256 - 1j]))
    np.testing.assert_array_equal(rounded("x", jnp.array([257, 3]), bf16), [257, 3])


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(lambda: Emulation(ARRAY, precision=Precision.of("int8")), "precision.x", "'int8'", "fp32, bf16, fp16"),
        Refusal(
            lambda: Emulation(ARRAY, precision=Precision(accumulator="bf16")), "precision.accumulator", "'bf16'", "fp32"
        ),
        Refusal(lambda: Emulation(ARRAY, precision="bf16"), "precision", "'bf16'", "Precision.of"),  # pyright: ignore[reportArgumentType]  # what is refused
    ],
    ids=lambda refusal: refusal.field,
)
def test_what_cannot_be_computed_is_refused(refusal: Refusal) -> None:
    assert_refused(refusal)
