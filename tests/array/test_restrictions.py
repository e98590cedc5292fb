"""jaxgrad.array.restrictions: schedules of which dW, or dX, keeps one operand."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from jaxgrad import backward, count
from jaxgrad.array.choice import backward_mappings, choose, cost
from jaxgrad.array.emulation import Emulation
from jaxgrad.array.gemm import Gemm
from jaxgrad.array.mapping import Mapping, Product
from jaxgrad.array.restrictions import restricted
from jaxgrad.array.schedules import DW_WS, DX_WS, Schedule, find
from jaxgrad.hardware import Accelerator
from tests.layers import integers
from tests.refusals import Refusal, assert_refused


@pytest.mark.parametrize(("stationary", "x_reads"), [("x", 7 * 5), ("dy", 3 * 7 * 5)])
def test_one_operand_of_dw_stays(stationary: str, x_reads: int) -> None:
    """X is loaded once, or streamed for each of three tiles along n; dX is as it was."""
    gemm, array = Gemm(7, 5, 9), Accelerator(2, 4)
    record = restricted("ws_only", stationary)
    assert record.name == f"ws_only, {stationary} stationary"
    assert record.alternatives(dw=False) == find("ws_only").alternatives(dw=False)
    ((mapping,),) = record.alternatives(dx=False)
    assert mapping.operand(0)[0] == stationary
    assert count(gemm, array, record).as_dict()["x_reads"] == x_reads
    costs = [cost(restricted("ws_only", name).alternatives(dx=False)[0], gemm, array) for name in ("x", "dy")]
    assert cost(choose("ws_only", gemm, array, dx=False).mappings, gemm, array) == min(costs)
    x, w, dy = integers(1, 7, 5), integers(2, 5, 9), integers(3, 7, 9)
    _, dw, _ = backward(x, w, dy, Emulation(array, record))
    np.testing.assert_array_equal(np.asarray(dw), x.T @ dy)


def test_one_operand_of_dx_stays() -> None:
    """Gemm(4, 64, 4) on 4 x 4 PEs: dY is one tile, W 16; and what the schedule does anyway is no other one."""
    gemm, array = Gemm(4, 64, 4), Accelerator(4, 4)
    for operand, orientation in (("w", 0), ("dy", 1)):
        record = restricted("ws_only", "best", stationary_dx=operand)
        assert record.name == f"ws_only, {operand} stationary for dX"
        assert backward_mappings(record, gemm, array) == (DX_WS[orientation], DW_WS[0])
    assert restricted("sequential", "best", stationary_dx="w") is find("sequential")
    both = restricted("ws_only", "x", stationary_dx="w")
    assert backward_mappings(both, gemm, array) == (DX_WS[0], DW_WS[1])
    refused = partial(restricted, "os_only", "best", stationary_dx="w")
    assert_refused(Refusal(refused, "stationary_dx", "'w' with schedule 'os_only'", "choose best"))


def test_what_has_no_such_mapping_is_not_restricted() -> None:
    assert restricted("interleaved", "best") is find("interleaved")
    x_stays = Schedule("mine", [Mapping((Product("ws", "dw"), Product("os", "dx")), "nbk")])
    assert restricted(x_stays, "x") is x_stays
    assert restricted("interleaved_k", "dy") is find("interleaved_k")  # where dX's dY serves dW too
    others = (("interleaved_k", "x"), ("interleaved", "x"), ("os_only", "dy"), ("auto", "x"), ("ws", "x"))
    for schedule, stationary in ((x_stays, "dy"), *others):
        shown = f"{stationary!r} with schedule {find(schedule).name!r}"
        assert_refused(Refusal(partial(restricted, schedule, stationary), "stationary", shown, "choose best"))
    assert_refused(Refusal(lambda: restricted("ws_only", "w"), "stationary", "'w'", "best, x, dy"))
