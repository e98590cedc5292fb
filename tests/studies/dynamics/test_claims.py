"""Claims, each on series of which it holds and on series of which it does not."""

from __future__ import annotations

from typing import Any

import pytest

from jaxgrad.studies.dynamics.claims import check, plateau
from jaxgrad.studies.dynamics.schema import ClaimSection
from tests.studies.dynamics.cases import windows

STATIONARY = {"kind": "stationary", "variant": "a", "slope_falls": 100, "gradient_varies": 1.5}
BALANCED = {"kind": "balanced", "variant": "a", "at_least": 0.9, "at_most": 1.1}
RISES = {"kind": "rises", "variants": ["a", "b"], "quantity": "gradient"}
FALLS = {"kind": "falls", "variant": "a", "quantity": "noise", "by": 20}


@pytest.mark.parametrize(
    ("claim", "found", "holds"),
    [
        (STATIONARY, {"a": windows([1.0, 1.4, 1.2], slopes=[-2e-4, -1e-5, 1e-6])}, True),
        (STATIONARY, {"a": windows([1.0, 1.4, 1.2], slopes=[-2e-4, -1e-5, 3e-6])}, False),  # falls on
        (STATIONARY, {"a": windows([1.0, 1.4, 1.2], slopes=[-2e-4, -1e-5, -3e-6])}, False),
        (STATIONARY, {"a": windows([1.0, 1.4, 0.9], slopes=[-2e-4, -1e-5, 1e-6])}, False),  # varies
        (STATIONARY, {"a": windows([1.0, 0.1, 0.01], slopes=[-2e-4, -1e-5, 1e-7])}, False),  # vanishes
        (BALANCED, {"a": windows([1, 1, 1], balances=[0.3, 0.9, 1.1])}, True),  # the first one is no matter
        (BALANCED, {"a": windows([1, 1, 1], balances=[1.0, 0.89, 1.0])}, False),
        (BALANCED, {"a": windows([1, 1, 1], balances=[1.0, 1.0, 1.11])}, False),
        (RISES, {"a": windows([9, 1, 2]), "b": windows([1, 2, 1.5])}, True),
        (RISES, {"a": windows([1, 2, 1.5]), "b": windows([9, 1, 2])}, False),
        (RISES, {"a": windows([1, 2]), "b": windows([1, 2])}, False),
        (FALLS, {"a": windows([40, 50, 2])}, True),
        (FALLS, {"a": windows([40, 1, 2.1])}, False),
    ],
)
def test_a_claim_can_hold_and_can_fail(claim: dict[str, Any], found: Any, holds: bool) -> None:
    assert check(ClaimSection.model_validate({"name": "so", **claim}), found).holds is holds


def test_a_finding_says_its_figures() -> None:
    found = {"a": windows([1.0, 1.4, 1.2], slopes=[-2e-4, -1e-5, 1e-6]), "b": windows([8, 4, 2])}
    said = {
        "slope -2.0e-04 to 1.0e-06 a step, 200-fold; |grad f| 1 1.4 1.2, greatest over least 1.40": STATIONARY,
        "1.00 1.00": BALANCED,
        "a 1.3, b 3": RISES,
        "100 140 120, 0.833-fold": FALLS,
    }
    for figures, claim in said.items():
        assert check(ClaimSection.model_validate({"name": "so", **claim}), found).figures == figures


def test_a_plateau_weighs_windows_by_their_lengths() -> None:
    first, second, third = windows([9, 1, 4])
    assert plateau([first, second, third._replace(last=50)], "loss") == pytest.approx((10 * 10 + 30 * 40) / 40)
