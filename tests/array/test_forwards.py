"""jaxgrad.array.forwards: the records of forward passes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from jaxgrad import Accelerator, Emulation, Gemm, count_forward, forward
from jaxgrad.array import forwards
from jaxgrad.array.forwards import Forward
from jaxgrad.array.mapping import Mapping, Product
from jaxgrad.array.schedules import DX_WS, INTERLEAVED
from tests.refusals import Refusal, assert_refused

TURNED = Forward("turned", Mapping((Product("os", "y"),), "knb"))


def test_one_of_one_s_own_runs_and_is_found_by_name() -> None:
    """Y summed in the PEs, n in the rows and b in the columns, K streamed: W is the horizontal operand."""
    gemm, array = Gemm(5, 3, 4), Accelerator(2, 3)
    forwards.register(TURNED)
    try:
        x, w = np.arange(15.0).reshape(5, 3).astype(np.float32), np.ones((3, 4), np.float32)
        for fidelity in ("register", "tile", "native"):
            y, counters = forward(x, w, Emulation(array, fidelity=fidelity, forward="turned"))
            np.testing.assert_array_equal(y, x @ w)
            counted = counters.as_dict()
            assert counted["cycles"] == 4 * (2 * 2 + 3 + 3 - 2)  # 2 x 2 tiles
            assert (counted["w_reads"], counted["x_reads"], counted["psum_writes"]) == (12 * 2, 15 * 2, 20)
        assert count_forward(gemm, array, TURNED).as_dict()["cycles"] == 32
    finally:
        forwards.unregister("turned")
    assert list(forwards.FORWARDS) == ["ws", "os", "is"]


@pytest.mark.parametrize(
    "mapping", [DX_WS[0], INTERLEAVED, None, "ws"], ids=["dX", "both gradients", "nothing", "a name"]
)
def test_what_computes_no_y_is_refused(mapping: Any) -> None:
    assert_refused(Refusal(lambda: Forward("mine", mapping), "mapping", "", "one of y alone"))
