"""jaxgrad.array.restrictions: schedules of which a gradient keeps one operand, or drains overlap with loads."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings

from jaxgrad import backward, count, emulate
from jaxgrad.array.choice import backward_mappings, choose, cost
from jaxgrad.array.emulation import FIDELITIES, Emulation
from jaxgrad.array.gemm import Gemm
from jaxgrad.array.mapping import Mapping, Product
from jaxgrad.array.restrictions import overlapped_drain, restricted
from jaxgrad.array.schedules import DW_WS, DX_WS, Schedule, find
from jaxgrad.hardware import Accelerator
from tests import oracle
from tests.layers import integers
from tests.refusals import Refusal, assert_refused
from tests.strategies import Case, cases, on_nasty_cases


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


def simulated(sizes: tuple[int, ...], rows: int, cols: int, schedule: str) -> oracle.Outcome:
    x, w, dy = operands(*sizes)
    return oracle.simulate(x, w, dy, rows, cols, schedule, overlapped_drain=True)


def operands(b: int, k: int, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return integers(1, b, k), integers(2, k, n), integers(3, b, n)


@pytest.mark.parametrize(
    ("schedule", "sizes"),
    [("interleaved", (2, 2, 3)), ("interleaved", (3, 5, 7)), ("interleaved_n", (5, 3, 2))],
)
def test_with_overlapped_drains_all_fidelities_are_the_golden_model(schedule: str, sizes: tuple[int, int, int]) -> None:
    """On 2 x 2 PEs; the first, of two tiles, takes twice 2 + 4 + 2 cycles and 2 for the last drain."""
    x, w, dy = operands(*sizes)
    golden, record = simulated(sizes, 2, 2, schedule), overlapped_drain(schedule)
    assert sizes != (2, 2, 3) or golden.counts["cycles"] == 18
    for fidelity in FIDELITIES:
        dx, dw, counters = emulate(x, w, dy, Accelerator(2, 2), record, fidelity)
        assert counters.as_dict() == golden.counts, fidelity
        np.testing.assert_array_equal(dx, dy @ w.T)
        np.testing.assert_array_equal(dw, x.T @ dy)


@pytest.mark.parametrize("schedule", ["interleaved", "interleaved_n"])
@settings(max_examples=40)
@given(case=cases())
@on_nasty_cases
def test_overlapped_drains_in_closed_form(schedule: str, case: Case) -> None:
    """Single-buffered the golden model's counts; double-buffered those of the schedule as it is."""
    gemm, record = Gemm(case.b, case.k, case.n), overlapped_drain(schedule)
    golden = simulated((case.b, case.k, case.n), case.rows, case.cols, schedule).counts
    counts = count(gemm, Accelerator(case.rows, case.cols), record).as_dict()
    assert counts | {"effectual_macs": golden["effectual_macs"]} == golden
    shadowed = Accelerator(case.rows, case.cols, double_buffered=True)
    assert count(gemm, shadowed, record).as_dict() == count(gemm, shadowed, schedule).as_dict()


def test_drains_overlap_where_a_pass_loads_and_drains() -> None:
    record = overlapped_drain("interleaved")
    assert record.name == record.label == "interleaved, drain overlapped"
    assert overlapped_drain(record) is record
    # One gradient alone loads or drains, not both.
    assert record.alternatives(dw=False) == find("interleaved").alternatives(dw=False)
    for schedule in ("ws_only", "sequential", "free", "interleaved_k", "auto"):
        refused = partial(overlapped_drain, schedule)
        assert_refused(Refusal(refused, "overlapped_drain", f"true with schedule {schedule!r}", "choose schedule"))
