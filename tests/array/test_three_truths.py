"""Register, tile and native fidelity are one truth (DESIGN.md section 3), and the golden model's and numpy's as well.

On data that float32 adds up exactly, every gradient is compared for equality (the sign of a zero apart: IEEE leaves it
to whether a sum of minus zeros starts from a zero). NaN and infinity are part of that: with finite sums far from
overflow, an element is NaN if one of its products is (0 * inf included) or if products of both infinite signs meet, in
whatever order they are added; so they appear in the same places everywhere.
"""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from jax import Array

from jaxgrad import Accelerator, Gemm
from jaxgrad.array.counting import count, count_forward
from jaxgrad.array.emulation import FIDELITIES, Emulation, backward, emulate, forward
from jaxgrad.array.schedules import find
from tests import oracle
from tests.strategies import EXACT, ROUNDED, Case, Floats, cases, on_nasty_cases

SCHEDULES = ("ws", "os", "sequential", "interleaved", "interleaved_n", "interleaved_k", "ws_only", "os_only")
TRAINING = ("sequential", "interleaved", "interleaved_n", "interleaved_k", "ws_only", "os_only")
FREE = "free"  # one of what ws_only and os_only run for each product, so that it compiles nothing new
CHOICES = {name: [member.name for member in find(name).members] for name in ("auto", "best")}
FORWARDS = ("ws", "os", "is")
DATA = {**EXACT, **ROUNDED}
TINY = float(np.finfo(np.float32).tiny)  # a product below it may be flushed to zero

# Each example compiles three programs, so these tests draw few and rely on NASTY and on many kinds of data; those that
# ask for counts alone compile nothing and draw many.
compiling = settings(max_examples=5)
counting = settings(max_examples=40)


def array_of(case: Case) -> Accelerator:
    return Accelerator(case.rows, case.cols, case.double_buffered)


def gemm_of(case: Case) -> Gemm:
    return Gemm(case.b, case.k, case.n)


def layer(case: Case, kind: str) -> tuple[Floats, Floats, Floats]:
    """x, w and dy of one kind of data."""
    rng, make = np.random.default_rng(case.seed), DATA[kind]
    return make(rng, (case.b, case.k)), make(rng, (case.k, case.n)), make(rng, (case.b, case.n))


@functools.cache
def simulated(case: Case, kind: str, schedule: str) -> oracle.Outcome:
    return oracle.simulate(*layer(case, kind), case.rows, case.cols, schedule, double_buffered=case.double_buffered)


def assert_product(got: Array | None, left: Floats, right: Floats, golden: np.ndarray | None, kind: str) -> None:
    """`got` is left @ right, and what the golden model says, as closely as the kind of data allows."""
    if golden is None:
        assert got is None
        return
    assert got is not None
    assert got.dtype == np.float32
    with np.errstate(invalid="ignore"):
        exact = left.astype(np.float64) @ right.astype(np.float64)
    if kind in EXACT:
        np.testing.assert_array_equal(got, golden)
        np.testing.assert_array_equal(got, exact)
        return
    terms = left.shape[1]
    rounding = terms * np.finfo(np.float32).eps * (np.abs(left).astype(np.float64) @ np.abs(right))
    flushing = terms * TINY * max(1.0, np.abs(left).max(), np.abs(right).max())
    for truth in (golden, exact):
        np.testing.assert_array_less(np.abs(np.asarray(got, np.float64) - truth), rounding + flushing)


@pytest.mark.parametrize("schedule", SCHEDULES)
@compiling
@given(case=cases())
@on_nasty_cases
def test_backward(schedule: str, case: Case) -> None:
    for kind in DATA:
        x, w, dy = layer(case, kind)
        golden = simulated(case, kind, schedule)
        for fidelity in FIDELITIES:
            dx, dw, counters = emulate(x, w, dy, array_of(case), schedule=schedule, fidelity=fidelity)
            assert counters.as_dict() == golden.counts, (fidelity, kind)
            assert_product(dx, dy, w.T, golden.dx, kind)
            assert_product(dw, x.T, dy, golden.dw, kind)


@pytest.mark.parametrize("dataflow", FORWARDS)
@compiling
@given(case=cases())
@on_nasty_cases
def test_forward(dataflow: str, case: Case) -> None:
    for kind in DATA:
        x, w, _ = layer(case, kind)
        golden = oracle.simulate_forward(x, w, case.rows, case.cols, dataflow, double_buffered=case.double_buffered)
        for fidelity in FIDELITIES:
            y, counters = forward(x, w, Emulation(array_of(case), fidelity=fidelity, forward=dataflow))
            assert counters.as_dict() == golden.counts, (fidelity, kind)
            assert_product(y, x, w, golden.y, kind)


@pytest.mark.parametrize("schedule", [*SCHEDULES, FREE])
@counting
@given(case=cases())
@on_nasty_cases
def test_closed_form(schedule: str, case: Case) -> None:
    golden = simulated(case, "dense_integers", schedule)
    assert count(gemm_of(case), array_of(case), schedule).as_dict() == golden.counts


@pytest.mark.parametrize("dataflow", FORWARDS)
@counting
@given(case=cases())
@on_nasty_cases
def test_closed_form_forward(dataflow: str, case: Case) -> None:
    x, w, _ = layer(case, "dense_integers")
    golden = oracle.simulate_forward(x, w, case.rows, case.cols, dataflow, double_buffered=case.double_buffered)
    assert count_forward(gemm_of(case), array_of(case), dataflow).as_dict() == golden.counts


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize(("objective", "other"), [("cycles", "accesses"), ("accesses", "cycles")])
@counting
@given(case=cases())
@on_nasty_cases
def test_a_choice_is_the_cheapest(objective: str, other: str, choice: str, case: Case) -> None:
    def cost(counts: oracle.Counts) -> tuple[int, int]:
        by_name = {"cycles": counts["cycles"], "accesses": oracle.accesses(counts)}
        return by_name[objective], by_name[other]

    chosen = count(gemm_of(case), array_of(case), choice, objective=objective).as_dict()
    candidates = [simulated(case, "dense_integers", schedule).counts for schedule in CHOICES[choice]]
    assert chosen in candidates
    assert cost(chosen) == min(map(cost, candidates))


SMALL = Case(3, 5, 4, 2, 3, True, 7)


@pytest.mark.parametrize("fidelity", FIDELITIES)
@pytest.mark.parametrize(
    ("schedule", "weight_update"), [*((schedule, "separate") for schedule in TRAINING), ("interleaved", "in_array")]
)
def test_weight_update(schedule: str, weight_update: str, fidelity: str) -> None:
    x, w, dy = layer(SMALL, "relu_sparse")
    how = {"double_buffered": SMALL.double_buffered, "weight_update": weight_update}
    golden = oracle.simulate(x, w, dy, SMALL.rows, SMALL.cols, schedule, **how)
    dx, dw, counters = emulate(x, w, dy, array_of(SMALL), schedule, fidelity, weight_update=weight_update)
    assert counters.as_dict() == golden.counts
    assert_product(dx, dy, w.T, golden.dx, "relu_sparse")
    assert_product(dw, x.T, dy, golden.dw, "relu_sparse")
    dense = oracle.simulate(*layer(SMALL, "dense_integers"), SMALL.rows, SMALL.cols, schedule, **how)
    assert count(gemm_of(SMALL), array_of(SMALL), schedule, weight_update=weight_update).as_dict() == dense.counts


def alone(case: Case, kind: str, schedule: str) -> dict[str, oracle.Counts]:
    """What one of the two gradients takes: a baseline runs them one after the other, dX on ws, dW on os by nature."""
    if schedule == "interleaved_n":  # its slots, alone: the layer transposed
        x, w, dy = layer(case, kind)
        dw, dx = (
            oracle.simulate(w.T, x.T, dy.T, case.rows, case.cols, one, double_buffered=case.double_buffered).counts
            for one in ("ws", "os")
        )
        return {"dx": oracle.transposed(dx), "dw": oracle.transposed(dw)}
    if schedule == "interleaved_k":  # dY stays for either, and the sums of either flow down
        return {one: simulated(case, kind, f"{one}_on_dy").counts for one in ("dx", "dw")}
    if schedule in ("ws_only", "os_only", FREE):
        (dx, _), (dw, _) = oracle.apart(
            *layer(case, kind), schedule, oracle.runner(case.rows, case.cols, case.double_buffered)
        )
    else:
        dx, dw = (simulated(case, kind, one).counts for one in ("ws", "os"))
    return {"dx": dx, "dw": dw}


@pytest.mark.parametrize("schedule", [*TRAINING, FREE])
@counting
@given(case=cases())
@on_nasty_cases
def test_one_gradient_alone_in_closed_form(schedule: str, case: Case) -> None:
    gemm, array = gemm_of(case), array_of(case)
    golden = alone(case, "dense_integers", schedule)
    assert count(gemm, array, schedule, dw=False).as_dict() == golden["dx"]
    assert count(gemm, array, schedule, dx=False).as_dict() == golden["dw"]


@pytest.mark.parametrize("fidelity", FIDELITIES)
@pytest.mark.parametrize("schedule", TRAINING)
def test_one_gradient_alone(schedule: str, fidelity: str) -> None:
    x, w, dy = layer(SMALL, "relu_sparse")
    emulation, golden = Emulation(array_of(SMALL), schedule, fidelity), alone(SMALL, "relu_sparse", schedule)
    dx, unwanted, counters = backward(x, w, dy, emulation, dw=False)
    assert unwanted is None
    assert counters.as_dict() == golden["dx"]
    assert_product(dx, dy, w.T, dy @ w.T, "relu_sparse")
    unwanted, dw, counters = backward(x, w, dy, emulation, dx=False)
    assert unwanted is None
    assert counters.as_dict() == golden["dw"]
    assert_product(dw, x.T, dy, x.T @ dy, "relu_sparse")
