from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array, lax

from jaxgrad import Accelerator, Emulation
from jaxgrad.autodiff import conv_general_dilated, new_tap
from jaxgrad.autodiff import convolution as rules
from jaxgrad.autodiff.convolution import ConvGeneralDilated
from tests.autodiff.truth import as_dicts, counted, gemm_by_gemm, gradients
from tests.layers import CONVOLUTIONS, NHWC, Conv, integers, sparse_integers
from tests.refusals import Refusal, assert_refused

ARRAY = Accelerator(3, 4)
NATIVE = Emulation(ARRAY)


def operands(conv: Conv) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An input, a kernel and a cotangent of the output."""
    lhs, rhs = sparse_integers(0, *conv.lhs), integers(1, *conv.rhs)
    out = jax.eval_shape(lambda lhs, rhs: lax.conv_general_dilated(lhs, rhs, *conv.arguments, **conv.options), lhs, rhs)
    return lhs, rhs, integers(2, *out.shape)


def assert_same(conv: Conv, *emulations: Emulation) -> None:
    lhs, rhs, cotangent = operands(conv)
    contraction = ConvGeneralDilated.of(jnp.asarray(lhs), jnp.asarray(rhs), *conv.arguments, **conv.options)
    plain = gradients(
        lambda lhs, rhs: lax.conv_general_dilated(lhs, rhs, *conv.arguments, **conv.options), lhs, rhs, cotangent
    )
    for emulation in emulations:

        def on_array(lhs: Array, rhs: Array, tap: Array, emulation: Emulation = emulation) -> Array:
            return conv_general_dilated(lhs, rhs, *conv.arguments, tap, emulation=emulation, **conv.options)

        results, counters = counted(on_array, lhs, rhs, cotangent)
        for got, wanted in zip(results, plain, strict=True):
            np.testing.assert_array_equal(got, wanted)
        assert as_dicts(counters) == gemm_by_gemm(contraction, lhs, rhs, cotangent, emulation)


@pytest.mark.parametrize("conv", CONVOLUTIONS.values(), ids=CONVOLUTIONS.keys())
def test_gradients_are_the_plain_ones_and_counts_those_of_the_gemms(conv: Conv) -> None:
    assert_same(conv, Emulation(ARRAY, fidelity="native"), Emulation(ARRAY, fidelity="tile"))


@pytest.mark.parametrize("name", ["asymmetric padding", "NCHW"])
def test_register_fidelity(name: str) -> None:
    assert_same(CONVOLUTIONS[name], Emulation(ARRAY, fidelity="register"))


def test_schedules() -> None:
    schedules = ("sequential", "ws_only", "os_only", "auto")
    settings: dict[str, Any] = {"forward": "os", "weight_update": "separate", "objective": "accesses"}
    assert_same(CONVOLUTIONS["groups"], *(Emulation(ARRAY, schedule, **settings) for schedule in schedules))


@pytest.mark.parametrize("name", ["3x3", "odd sizes, stride 2", "mixed layouts", "depthwise"])
def test_images_one_by_one_give_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "_CACHE_BYTES", 1)
    conv = CONVOLUTIONS[name]
    lhs, rhs, _ = map(jnp.asarray, operands(conv))
    contraction = ConvGeneralDilated.of(lhs, rhs, *conv.arguments, **conv.options)
    assert contraction.chunks is not None
    assert contraction.chunks.count == contraction.convolution.batch
    assert_same(conv, Emulation(ARRAY, fidelity="tile"))


def test_a_batch_is_split_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    conv = Conv((6, 4, 4, 2), (3, 3, 2, 2))
    lhs, rhs, _ = map(jnp.asarray, operands(conv))
    contraction = ConvGeneralDilated.of(lhs, rhs, *conv.arguments, **conv.options)
    image = 4 * 4 * 3 * 3 * 2 * 4  # bytes of one image's patches
    for size, count in ((6 * image, None), (6 * image - 1, 2), (2 * image, 3), (2 * image - 1, 6)):
        monkeypatch.setattr(rules, "_CACHE_BYTES", size)
        chunks = contraction.chunks
        assert (chunks and chunks.count) == count


@pytest.mark.parametrize("fidelity", ["native", "tile"])
def test_types_are_those_of_lax(fidelity: str) -> None:
    conv = CONVOLUTIONS["3x3"]
    lhs, rhs, cotangent = map(jnp.asarray, operands(conv))
    half = jnp.asarray(lhs, jnp.bfloat16), jnp.asarray(rhs, jnp.bfloat16)

    def product(lhs: Array, rhs: Array, tap: Array) -> Array:
        return conv_general_dilated(
            lhs, rhs, *conv.arguments, tap, emulation=Emulation(ARRAY, fidelity=fidelity),
            preferred_element_type=jnp.float32, precision="highest", **conv.options,
        )  # fmt: skip

    (out, dlhs, drhs), _ = counted(product, *half, cotangent)
    assert (out.dtype, dlhs.dtype, drhs.dtype) == (jnp.float32, jnp.bfloat16, jnp.bfloat16)
    np.testing.assert_array_equal(out, lax.conv_general_dilated(lhs, rhs, *conv.arguments, **conv.options))


def test_precision_reaches_xla() -> None:
    def run(lhs: Array, rhs: Array) -> Array:
        return conv_general_dilated(
            lhs, rhs, (1, 1), "SAME", new_tap(), emulation=NATIVE, dimension_numbers=NHWC, precision="highest"
        ).sum()

    text = str(jax.make_jaxpr(jax.grad(run, (0, 1)))(jnp.ones((2, 4, 4, 2)), jnp.ones((3, 3, 2, 2))))
    products = text.count("conv_general_dilated[")
    assert products == 3
    assert text.count("precision=(Precision.HIGHEST, Precision.HIGHEST)") == products


PLAIN = (jnp.ones((2, 4, 4, 2)), jnp.ones((3, 3, 2, 2)), (1, 1), "SAME", new_tap())


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(
            lambda: conv_general_dilated(*PLAIN, emulation=NATIVE, lhs_dilation=(2, 1), dimension_numbers=NHWC),
            "lhs_dilation", "(2, 1)", "give ones",
        ),
        Refusal(
            lambda: conv_general_dilated(*PLAIN, emulation=NATIVE, batch_group_count=2, dimension_numbers=NHWC),
            "batch_group_count", "2", "give 1",
        ),
        Refusal(
            lambda: conv_general_dilated(
                jnp.ones((2, 4, 4, 2), int), *PLAIN[1:], emulation=NATIVE, dimension_numbers=NHWC
            ),
            "lhs", "int32", "floats",
        ),
        Refusal(
            lambda: conv_general_dilated(
                jnp.ones((0, 4, 4, 2)), *PLAIN[1:], emulation=NATIVE, dimension_numbers=NHWC
            ),
            "lhs", "(0, 4, 4, 2)", "at least one element",
        ),
    ],
    ids=lambda refusal: f"{refusal.field} {refusal.shown}",
)  # fmt: skip
def test_refuses(refusal: Refusal) -> None:
    assert_refused(refusal)
