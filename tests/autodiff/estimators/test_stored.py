from __future__ import annotations

import doctest

from jaxgrad import Gemm
from jaxgrad.autodiff.estimators import EXACT, rounded, stored, stored_words
from jaxgrad.hardware import Precision
from jaxgrad.programs import LayerGemm, ReluMask
from tests.autodiff.estimators.own import Columns, Flags
from tests.refusals import Refusal, assert_refused

DENSE = LayerGemm("dense", Gemm(4, 6, 5), 2, needs_dx=True)
CONV = LayerGemm("conv", Gemm(18, 12, 2), 3, needs_dx=False, x_words=24)
FROZEN = LayerGemm("frozen", Gemm(4, 6, 5), 1, needs_dx=True, needs_dw=False)
FROZEN_CONV = LayerGemm("frozen conv", Gemm(18, 12, 2), 3, needs_dx=True, needs_dw=False, x_words=24)
SCORES = LayerGemm("attention", Gemm(5, 4, 7), 3, needs_dx=True, weights=False)


def test_the_exact_estimator_keeps_x_where_dw_is_wanted() -> None:
    for estimator in (EXACT, rounded(Precision.of("bf16"))):
        words = stored_words([DENSE, CONV, FROZEN, FROZEN_CONV, DENSE], estimator)
        assert words.layers == {"dense": 2 * 2 * 24, "conv": 3 * 24, "frozen": 0, "frozen conv": 0}
        assert (words.total, words.peak) == (96 + 72, 96)


def test_of_two_activations_each_is_kept_for_the_others_gradient() -> None:
    assert stored_words([SCORES]).layers == {"attention": 3 * (5 * 4 + 4 * 7)}


def test_another_estimator_keeps_what_it_says() -> None:
    assert stored_words([DENSE], Columns(2)).layers == {"dense": 2 * 4 * 2}
    assert stored_words([DENSE], Flags()).layers == {"dense": 2 * 1}


def test_masks_are_told_apart_and_no_estimator_changes_them() -> None:
    masks = [ReluMask("net", 33), ReluMask("net", 64, times=3), ReluMask("head", 1)]
    for estimator in (EXACT, Columns(2)):
        words = stored_words([DENSE], estimator, masks)
        assert words.masks == {"net": 2 + 3 * 2, "head": 1}
        assert words.total == sum(words.layers.values()) + 9
        assert words.peak == words.layers["dense"]
        assert words.as_dict() == {
            "total": words.total,
            "peak": words.peak,
            "layers": words.layers,
            "relu_masks": {"net": 8, "head": 1},
        }


def test_a_step_without_layers_keeps_nothing() -> None:
    assert (stored_words([]).total, stored_words([]).peak) == (0, 0)


def test_refuses_to_guess_what_is_kept_of_a_convolution() -> None:
    assert_refused(
        Refusal(lambda: stored_words([CONV], Columns(2)), "estimator", "Columns(keep=2) for conv", "describe")
    )


def test_the_documented_examples() -> None:
    assert doctest.testmod(stored).failed == 0
