"""Means over windows, by hand, and where a loss stopped falling."""

from __future__ import annotations

import numpy as np
import pytest

from jaxgrad.studies.dynamics.ensemble import Measured
from jaxgrad.studies.dynamics.windows import over, stopped
from tests.studies.dynamics.cases import windows

STEPS = [0, 10, 20, 30, 40]
MEASURED = Measured(
    loss=np.array([[9.0, 5.0, 4.0, 3.0, 3.0], [9.0, 7.0, 4.0, 3.0, 1.0]]),
    gradient=np.array([[7.0, 1.0, 2.0, 3.0, 4.0], [7.0, 3.0, 4.0, 5.0, 6.0]]),
    noise=np.arange(10.0).reshape(2, 5),
    descent=np.array([[-9.0, -1.0, -3.0, -1.0, -1.0], [-9.0, -2.0, -2.0, -1.0, -1.0]]),
    rise=np.array([[0.0, 1.0, 2.0, 1.0, 1.0], [0.0, 0.0, 1.0, 3.0, 1.0]]),
    moved=np.ones((2, 5)),
)


def test_means_are_over_times_and_seeds_and_the_slope_begins_where_the_window_does() -> None:
    early, late = over(MEASURED, STEPS, [[0, 20], [20, 40]])
    assert (early.first, early.last, early.loss, early.gradient, early.moved) == (0, 20, 5.0, 2.5, 1.0)
    assert early.slope == pytest.approx((4 - 9) / 20)  # of 9, 6, 4
    assert early.noise == pytest.approx((1 + 2 + 6 + 7) / 4)
    assert early.balance == pytest.approx((1 + 2 + 0 + 1) / (1 + 3 + 2 + 2))
    assert late.balance == pytest.approx(6 / 4)
    assert late.slope == pytest.approx((2 - 4) / 20)
    assert early.deviation == pytest.approx(2**0.5)  # of 1.5 and 3.5
    (alone,) = over(Measured(*(values[:1] for values in MEASURED)), STEPS, [[0, 40]])
    assert alone.deviation is None
    assert alone.quantity("gradient") == alone.gradient == 2.5


@pytest.mark.parametrize(
    ("slopes", "step"),
    [
        ([-1, -0.1, -0.01, 0.001], 20),
        ([-1, -0.1, -0.01, -0.02], None),  # it falls again
        ([-1, -0.1, -0.005, 0.02], None),
        ([-1, 0.01, -0.01, 0.0], 10),
        ([-1, -0.5, -0.4, -0.009], 30),
    ],
)
def test_where_the_loss_stopped(slopes: list[float], step: int | None) -> None:
    assert stopped(windows([1.0] * 4, slopes=slopes)) == step
