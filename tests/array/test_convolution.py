from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxgrad import Gemm
from jaxgrad.array import convolution as lowering
from jaxgrad.array.convolution import Convolution, geometry
from tests.layers import CONVOLUTIONS, NHWC, Conv, integers, sparse_integers
from tests.refusals import Refusal, assert_refused

PLAIN = Convolution(
    batch=2, image=(5, 5), kernel=(3, 3), in_channels=4, out_channels=6,
    strides=(1, 1), padding=((1, 1), (1, 1)), dilation=(1, 1), groups=2,
)  # fmt: skip


def lowered(conv: Conv) -> tuple[Convolution, lowering.Layout]:
    return geometry(
        conv.lhs,
        conv.rhs,
        conv.strides,
        conv.padding,
        rhs_dilation=conv.dilation,
        dimension_numbers=conv.layout,
        feature_group_count=conv.groups,
    )


@pytest.mark.parametrize("conv", CONVOLUTIONS.values(), ids=CONVOLUTIONS.keys())
def test_a_convolution_and_its_gradients_are_gemms(conv: Conv) -> None:
    convolution, layout = lowered(conv)
    gemm, groups = convolution.gemm, convolution.groups

    @jax.jit
    def plain(lhs: jax.Array, rhs: jax.Array, cotangent: jax.Array) -> tuple[jax.Array, ...]:
        out, transpose = jax.vjp(
            lambda lhs, rhs: lax.conv_general_dilated(lhs, rhs, *conv.arguments, **conv.options), lhs, rhs
        )
        return out, *transpose(cotangent)

    @jax.jit
    def by_gemms(lhs: jax.Array, rhs: jax.Array, cotangent: jax.Array) -> tuple[jax.Array, ...]:
        x = lowering.patches(layout.image(lhs), convolution)
        w = lowering.kernel_matrix(layout.weights(rhs), convolution)
        dy = lowering.output_rows(layout.output(cotangent), convolution)
        assert x.shape == (groups, gemm.batch, gemm.in_features)
        assert w.shape == (groups, gemm.in_features, gemm.out_features)
        out = lowering.rows_to_output(x @ w, convolution)
        dx = lowering.columns_to_image(dy @ w.swapaxes(1, 2), convolution)
        dw = lowering.matrix_to_kernel(x.swapaxes(1, 2) @ dy, convolution)
        return layout.as_out(out), layout.as_lhs(dx), layout.as_rhs(dw)

    lhs, rhs = sparse_integers(0, *conv.lhs), integers(1, *conv.rhs)
    spatial = iter(convolution.output)
    sizes = {"N": convolution.batch, "C": convolution.out_channels}
    cotangent = integers(2, *(sizes[axis] if axis in sizes else next(spatial) for axis in conv.layout[2]))
    for got, wanted in zip(by_gemms(lhs, rhs, cotangent), plain(lhs, rhs, cotangent), strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_the_gemm_of_a_convolution() -> None:
    assert PLAIN.output == (5, 5)
    assert PLAIN.gemm == Gemm(batch=2 * 5 * 5, in_features=3 * 3 * 2, out_features=3)
    strided = dataclasses.replace(PLAIN, strides=(2, 3), padding=((0, 0), (2, 1)), groups=1)
    assert strided.output == (2, 2)
    assert strided.gemm == Gemm(batch=2 * 2 * 2, in_features=3 * 3 * 4, out_features=6)


def test_the_order_of_a_patch_is_the_kernels() -> None:
    convolution, _ = lowered(Conv((1, 2, 2, 2), (2, 2, 2, 1), padding="VALID"))
    image = jnp.arange(8.0).reshape(1, 2, 2, 2)
    np.testing.assert_array_equal(lowering.patches(image, convolution), jnp.arange(8.0).reshape(1, 1, 8))


def test_a_convolution_is_a_static_argument() -> None:
    assert len({PLAIN, dataclasses.replace(PLAIN), dataclasses.replace(PLAIN, groups=1)}) == 2


def with_plain(**changes: object) -> Convolution:
    return dataclasses.replace(PLAIN, **changes)


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(
            lambda: geometry((1, 4, 4, 2), (3, 3, 2, 2), (1, 1), "SAME", lhs_dilation=(1, 2), dimension_numbers=NHWC),
            "lhs_dilation", "(1, 2)", "give ones",
        ),
        Refusal(
            lambda: geometry((2, 4, 4, 2), (3, 3, 2, 2), (1, 1), "SAME", batch_group_count=2, dimension_numbers=NHWC),
            "batch_group_count", "2", "give 1",
        ),
        Refusal(
            lambda: geometry((1, 4, 4, 3), (3, 3, 2, 2), (1, 1), "SAME", dimension_numbers=NHWC),
            "rhs", "2 input channels", "lhs has 3 channels",
        ),
        Refusal(lambda: geometry((1, 4, 4, 2), (3, 2, 2), (1, 1), "SAME"), "rhs", "(3, 2, 2)", "as many axes as lhs"),
        Refusal(lambda: geometry((1, 4, 2), (3, 3, 2, 2), (1,), "SAME"), "rhs", "(3, 3, 2, 2)", "as many axes as lhs"),
        Refusal(lambda: geometry((4,), (2,), (), "SAME"), "rhs", "(2,)", "2 or more"),
        Refusal(
            lambda: geometry((1, 4, 4, 2), (3, 3, 2, 2), (1, 1), "SOME", dimension_numbers=NHWC),
            "padding", "'SOME'", "SAME",
        ),
        Refusal(lambda: with_plain(groups=4), "groups", "4", "out_channels, 6"),
        Refusal(lambda: with_plain(groups=0), "groups", "0", "at least 1"),
        Refusal(lambda: with_plain(batch=0), "batch", "0", "at least 1"),
        Refusal(lambda: with_plain(strides=(0, 1)), "strides", "0", "at least 1"),
        Refusal(lambda: with_plain(strides=(1,)), "strides", "(1,)", "2 image axes"),
        Refusal(lambda: with_plain(kernel=(3, 8)), "kernel", "(3, 8)", "fits the image (5, 5)"),
        Refusal(lambda: with_plain(dilation=(1, 4)), "kernel", "dilated by (1, 4)", "fits the image (5, 5)"),
    ],
    ids=lambda refusal: f"{refusal.field} {refusal.shown}",
)  # fmt: skip
def test_refuses(refusal: Refusal) -> None:
    assert_refused(refusal)
