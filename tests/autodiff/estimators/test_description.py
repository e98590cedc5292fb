from __future__ import annotations

import jax.numpy as jnp
import pytest

from jaxgrad import Gemm
from jaxgrad.autodiff.convolution import ConvGeneralDilated
from jaxgrad.autodiff.dot_general import DotGeneral
from jaxgrad.autodiff.estimators import EXACT, Estimator, describe, rounded
from jaxgrad.autodiff.layer import GemmRun
from jaxgrad.hardware import Precision
from tests.autodiff.estimators.own import Columns, Flags, OneBit, Sketch
from tests.layers import CONVOLUTIONS

DENSE = DotGeneral.of(jnp.ones((4, 6)), jnp.ones((6, 5)), (((1,), (0,)), ((), ())))
OWN = Gemm(4, 6, 5)


def grouped() -> ConvGeneralDilated:
    conv = CONVOLUTIONS["groups"]
    return ConvGeneralDilated.of(jnp.ones(conv.lhs), jnp.ones(conv.rhs), *conv.arguments, **conv.options)


@pytest.mark.parametrize(
    ("estimator", "forward", "backward", "words"),
    [
        (EXACT, [GemmRun(OWN, 1, ("y",))], [GemmRun(OWN, 1, ("dx", "dw"), True)], 24),
        (rounded(Precision.of("bf16")), [GemmRun(OWN, 1, ("y",))], [GemmRun(OWN, 1, ("dx", "dw"), True)], 24),
        (
            Columns(2),
            [GemmRun(OWN, 1, ("y",))],
            [GemmRun(Gemm(4, 2, 5), 1, ("dx", "dw")), GemmRun(Gemm(4, 4, 5), 1, ("dx",))],
            8,
        ),
        (
            Sketch(3),
            [GemmRun(OWN, 1, ("y",)), GemmRun(Gemm(4, 6, 3), 1, ("y",))],
            [GemmRun(OWN, 1, ("dx",)), GemmRun(Gemm(4, 3, 5), 1, ("dw",)), GemmRun(Gemm(6, 3, 5), 1, ("y",))],
            12,
        ),
        (
            OneBit(1, Columns(2)),
            [GemmRun(OWN, 1, ("y",))],
            [GemmRun(Gemm(4, 2, 5), 1, ("dx", "dw")), GemmRun(Gemm(4, 4, 5), 1, ("dx",))],
            8,
        ),
    ],
    ids=str,
)
def test_the_gemms_and_words_of_a_dense_layer(
    estimator: Estimator, forward: list[GemmRun], backward: list[GemmRun], words: int
) -> None:
    posed = describe(estimator, DENSE)
    assert (list(posed.forward), list(posed.backward), posed.stored_words) == (forward, backward, words)


def test_flags_take_a_bit_each() -> None:
    lhs = jnp.ones((4, 24))
    posed = describe(Flags(), DotGeneral.of(lhs, jnp.ones((24, 5)), (((1,), (0,)), ((), ()))))
    assert posed.stored_words == 3
    assert describe(Flags(), DENSE).stored_words == 1


def test_a_convolution_keeps_its_image_and_not_its_patches() -> None:
    conv = grouped()
    posed = describe(EXACT, conv)
    assert posed.stored_words == 2 * 5 * 4 * 4 == conv.x_words * conv.groups
    assert posed.backward == (GemmRun(conv.gemm, 2, ("dx", "dw"), True),)


@pytest.mark.parametrize("estimator", [EXACT, Columns(2), Sketch(3)], ids=str)
def test_frozen_weights_and_the_first_layer(estimator: Estimator) -> None:
    frozen = describe(estimator, DENSE, dw=False)
    assert frozen.forward == (GemmRun(OWN, 1, ("y",)),)
    assert frozen.backward == (GemmRun(OWN, 1, ("dx",)),)
    assert frozen.stored_words == 0
    first = describe(estimator, DENSE, dx=False)
    assert first.stored_words == describe(estimator, DENSE).stored_words
    assert all("dx" not in run.results for run in first.backward)


def test_nothing_runs_back_where_no_gradient_is_wanted() -> None:
    posed = describe(EXACT, DENSE, dx=False, dw=False)
    assert (posed.backward, posed.stored_words) == ((), 0)


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_a_contraction_knows_its_operands_shapes(name: str) -> None:
    conv = CONVOLUTIONS[name]
    contraction = ConvGeneralDilated.of(jnp.ones(conv.lhs), jnp.ones(conv.rhs), *conv.arguments, **conv.options)
    assert (contraction.lhs_shape, contraction.rhs_shape) == (conv.lhs, conv.rhs)
