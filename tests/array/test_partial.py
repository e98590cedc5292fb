"""jaxgrad.array.partial: dW of the first columns of x alone; registers, tiles, closed form and golden model agree."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jaxgrad import Accelerator, Emulation, Gemm, count, emulate
from jaxgrad.array import closed_form
from jaxgrad.array.emulation import FIDELITIES, backward
from jaxgrad.array.passes.tile_events import walk
from jaxgrad.array.restrictions import overlapped_drain
from jaxgrad.array.schedules import Schedule, find
from tests import oracle
from tests.layers import integers, sparse_integers

DRAIN_OVERLAPPED = "interleaved, drain overlapped"
COMPILED = ("interleaved", "interleaved_n", "interleaved_k", "sequential", DRAIN_OVERLAPPED)
SCHEDULES = (*COMPILED, "ws_only", "os_only", "free")
CHOICES = {name: [member.name for member in find(name).members] for name in ("auto", "best")}


class Case(NamedTuple):
    """A layer's sizes, of how many columns of x dW is wanted, and the array."""

    b: int
    k: int
    n: int
    columns: int
    array: Accelerator


size, lanes = st.integers(1, 9), st.integers(1, 4)
cases = st.builds(
    lambda b, k, n, array, share: Case(b, k, n, 1 + share % k, array),
    size, size, size, st.builds(Accelerator, lanes, lanes, st.booleans()), st.integers(0, 99),
)  # fmt: skip
ODD = (
    Case(3, 5, 4, 3, Accelerator(2, 3)),  # all of a column of tiles; the other has two real columns
    Case(3, 7, 5, 4, Accelerator(2, 3, double_buffered=True)),  # one column of the second tile; the third is dX's
    Case(2, 4, 3, 1, Accelerator(1, 1, double_buffered=True)),
    Case(1, 6, 2, 5, Accelerator(4, 4)),  # the edge column of tiles is the last
)


def record(schedule: str) -> Schedule:
    return overlapped_drain("interleaved") if schedule == DRAIN_OVERLAPPED else find(schedule)


def operands(case: Case) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x = sparse_integers(0, case.b, case.columns)
    return x, integers(1, case.k, case.n), sparse_integers(2, case.b, case.n)


@functools.cache
def golden(case: Case, schedule: str, *, dense: bool = False) -> oracle.Outcome:
    x, w, dy = (np.ones_like(each) if dense else each for each in operands(case))
    name, drain = ("interleaved", True) if schedule == DRAIN_OVERLAPPED else (schedule, False)
    rows, cols, shadows = case.array.rows, case.array.cols, case.array.double_buffered
    return oracle.simulate_first_columns(
        x, w, dy, rows, cols, name, double_buffered=shadows, overlapped_drain=drain and not shadows
    )


def counted(case: Case, schedule: str, **how: Any) -> dict[str, int]:
    gemm = Gemm(case.b, case.k, case.n)
    return count(gemm, case.array, record(schedule), columns=case.columns, **how).as_dict()


def test_by_hand() -> None:
    """B = 2, K = 5, N = 2 and dW of one column of x on a 2 x 2 array: one of three columns of tiles has both slots."""
    assert counted(Case(2, 5, 2, 1, Accelerator(2, 2)), "interleaved") == {
        "cycles": (2 + 2 * 2 + 2 + 2) + 2 * (2 + 2 + 2),  # load, stream of two slots, skew, drain; then dX alone, twice
        "macs": 2 * 5 * 2 + 2 * 1 * 2,
        "effectual_macs": 24,
        "w_reads": 5 * 2,
        "w_writes": 0,
        "x_reads": 2 * 1,
        "dy_reads": 2 * 2 * 3,
        "psum_reads": 0,
        "psum_writes": 2 * 5,
        "dw_reads": 0,
        "dw_writes": 1 * 2,
        "dy_hops": 2 * 2 * 3 * 2,
        "x_hops": 2 * 1 * 2,  # a column of real words through two rows; that beside it carries none
        "psum_hops": 2 * 5 * 2,
        "acc_updates": 2 * 1 * 2,
    }


@pytest.mark.parametrize("schedule", SCHEDULES)
@settings(max_examples=30)
@given(case=cases)
@example(case=ODD[0])
@example(case=ODD[1])
@example(case=ODD[2])
@example(case=ODD[3])
def test_closed_form(schedule: str, case: Case) -> None:
    assert counted(case, schedule) == golden(case, schedule, dense=True).counts


@pytest.mark.parametrize(
    ("schedule", "case"),
    [*((schedule, case) for schedule in COMPILED for case in ODD[:2]), *(("interleaved", case) for case in ODD[2:])],
)
def test_registers_and_tiles(schedule: str, case: Case) -> None:
    x, w, dy = operands(case)
    truth = golden(case, schedule)
    np.testing.assert_array_equal(truth.dx, dy @ w.T)
    np.testing.assert_array_equal(truth.dw, x.T @ dy)
    for fidelity in FIDELITIES:
        dx, dw, counters = emulate(x, w, dy, case.array, record(schedule), fidelity)
        assert counters.as_dict() == truth.counts, fidelity
        np.testing.assert_array_equal(dx, truth.dx)
        np.testing.assert_array_equal(dw, truth.dw)


@settings(max_examples=60)
@given(case=cases)
def test_the_walk_over_tiles_of_unequal_slots_comes_to_the_closed_form(case: Case) -> None:
    order = ("operand", "result") if case.b % 2 else ("result", "operand")
    sizes = (case.b, case.n, (case.k, case.columns))
    closed = closed_form.events(order, "alternate", *sizes, case.array)
    shapes_alone = tuple(slot._replace(effectual_macs=0) for slot in closed.slots)
    assert walk(order, "alternate", *sizes, case.array) == closed._replace(slots=shapes_alone)


@pytest.mark.parametrize(("objective", "other"), [("cycles", "accesses"), ("accesses", "cycles")])
@pytest.mark.parametrize("choice", CHOICES)
@settings(max_examples=15)
@given(case=cases)
def test_a_choice_goes_by_the_whole(choice: str, objective: str, other: str, case: Case) -> None:
    def cost(counts: oracle.Counts) -> tuple[int, int]:
        by_name = {"cycles": counts["cycles"], "accesses": oracle.accesses(counts)}
        return by_name[objective], by_name[other]

    candidates = [golden(case, schedule, dense=True).counts for schedule in CHOICES[choice]]
    chosen = counted(case, choice, objective=objective)
    assert chosen in candidates
    assert cost(chosen) == min(map(cost, candidates))


@given(case=cases)
@settings(max_examples=10)
def test_all_columns_are_the_whole(case: Case) -> None:
    gemm = Gemm(case.b, case.k, case.n)
    for schedule in SCHEDULES:
        whole = count(gemm, case.array, record(schedule), weight_update="separate")
        every = count(gemm, case.array, record(schedule), weight_update="separate", columns=case.k)
        assert every.as_dict() == whole.as_dict()


def test_one_gradient_alone() -> None:
    case = ODD[1]
    x, w, dy = operands(case)
    emulation = Emulation(case.array, "interleaved", "tile")
    dx, none, spent = backward(x, w, dy, emulation, dw=False)
    assert none is None
    np.testing.assert_array_equal(dx, dy @ w.T)
    whole = count(Gemm(case.b, case.k, case.n), case.array, "ws").as_dict()
    assert spent.as_dict() | {"effectual_macs": 0} == whole | {"effectual_macs": 0}
    none, dw, spent = backward(x, w, dy, emulation, dx=False)
    assert none is None
    np.testing.assert_array_equal(dw, x.T @ dy)
    small = count(Gemm(case.b, case.columns, case.n), case.array, "os").as_dict()
    assert spent.as_dict() | {"effectual_macs": 0} == small | {"effectual_macs": 0}


def test_weights_are_updated_beside_an_array_that_has_not_all_of_dw() -> None:
    """As ``separate`` has it, also where ``in_array`` is asked for."""
    case = ODD[0]
    counts, separate, in_array = (
        counted(case, "interleaved", weight_update=how) for how in ("none", "separate", "in_array")
    )
    weights = case.k * case.n
    added = dict.fromkeys(("w_reads", "dw_reads", "w_writes"), weights)
    assert separate == in_array == counts | {name: counts[name] + number for name, number in added.items()}
    x, w, dy = operands(case)
    _, _, spent = emulate(x, w, dy, case.array, "interleaved", weight_update="in_array")
    assert {name: spent.as_dict()[name] for name in added} == {name: separate[name] for name in added}
