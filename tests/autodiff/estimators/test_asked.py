"""jaxgrad.autodiff.estimators.asked: a step's records tell the products that estimators are asked for."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from jaxgrad import Gemm
from jaxgrad.autodiff.convolution import ConvGeneralDilated
from jaxgrad.autodiff.estimators import EXACT, stored_words
from jaxgrad.autodiff.estimators.asked import contraction_of, of_record
from jaxgrad.programs import LayerGemm
from jaxgrad.programs.whole import step_gemms
from tests.autodiff.estimators.own import Columns
from tests.layers import CONVOLUTIONS, Conv


def record_of(conv: Conv, **how: Any) -> LayerGemm:
    def loss(x: Any, w: Any) -> Any:
        return lax.conv_general_dilated(x, w, *conv.arguments, **{**conv.options, **how}).sum()

    (record,) = step_gemms(jax.make_jaxpr(jax.grad(loss, (0, 1)))(jnp.ones(conv.lhs), jnp.ones(conv.rhs)))
    return record


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_a_convolution_is_that_of_its_geometry(name: str) -> None:
    """Whatever the layout: sizes, groups and words are those of the call."""
    conv = CONVOLUTIONS[name]
    record = record_of(conv)
    called = ConvGeneralDilated.of(jnp.ones(conv.lhs), jnp.ones(conv.rhs), *conv.arguments, **conv.options)
    same = contraction_of(record)
    assert (same.gemm, same.groups, same.x_words) == (called.gemm, called.groups, called.x_words)
    assert (same.gemm, same.groups, same.x_words) == (record.gemm, record.times, record.x_words)
    assert of_record(record, EXACT).stored_words == called.groups * called.x_words


def test_a_transposed_convolution_has_no_geometry() -> None:
    spread = CONVOLUTIONS["3x3"]._replace(padding=((1, 1), (1, 1)))
    assert record_of(spread).convolution is not None
    assert record_of(spread, lhs_dilation=(2, 2)).convolution is None


def test_what_is_kept_of_a_convolution() -> None:
    """One of three channels, of two images of 5 x 6 pixels."""
    assert stored_words([record_of(CONVOLUTIONS["3x3"])], Columns(1)).total == 2 * 5 * 6


def test_matrices() -> None:
    dense = LayerGemm("dense", Gemm(4, 6, 5), 2, needs_dx=True)
    assert (contraction_of(dense).gemm, contraction_of(dense).groups) == (dense.gemm, 1)
