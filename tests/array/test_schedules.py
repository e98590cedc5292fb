"""jaxgrad.array.schedules: what runs for a name, and how the better of two is chosen."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgrad import backward, count, count_forward, forward
from jaxgrad.array.choice import Cost, backward_mappings, choose, cost
from jaxgrad.array.emulation import Emulation
from jaxgrad.array.forwards import FORWARDS
from jaxgrad.array.gemm import Gemm
from jaxgrad.array.mapping import Mapping, Product
from jaxgrad.array.schedules import (
    DW_OS,
    DW_WS,
    DX_OS,
    DX_WS,
    INTERLEAVED,
    INTERLEAVED_K,
    PRICED,
    SCHEDULES,
    SEQUENTIAL,
    TRAINING_SCHEDULES,
    Schedule,
    find,
    lacking,
)
from jaxgrad.costs.hierarchy import can_run
from jaxgrad.hardware import Accelerator
from jaxgrad.hardware.technology import PE_KINDS
from tests.refusals import Refusal, assert_refused

BEST = tuple(name for name in TRAINING_SCHEDULES if name not in ("auto", "best"))
AUTO = ("interleaved", "sequential", "ws_only", "os_only")
gemms = st.builds(Gemm, *[st.integers(1, 60)] * 3)
arrays = st.builds(Accelerator, st.integers(1, 12), st.integers(1, 12), st.booleans())
wanted = st.sampled_from([(True, True), (True, False), (False, True)])


def both(gemm: Gemm, array: Accelerator, schedule: str) -> Cost:
    return cost(backward_mappings(schedule, gemm, array), gemm, array)


def test_cost_adds_up_mappings_by_hand() -> None:
    """dX and dW of Gemm(2, 3, 2) on a 2 x 3 array, a tile each: 2 + 2 + 3 cycles, 6 + 4 + 6 words, and the same."""
    gemm, array = Gemm(2, 3, 2), Accelerator(2, 3)
    assert cost([DX_WS[0]], gemm, array) == Cost(7, 16)
    assert cost([DW_OS[0]], gemm, array) == Cost(7, 16)
    assert cost([DX_WS[0], DW_OS[0]], gemm, array) == Cost(14, 32)
    assert cost([INTERLEAVED], gemm, array) == Cost(11, 28)
    assert cost([], gemm, array) == Cost(0, 0)


GEMM, ARRAY = Gemm(5, 6, 7), Accelerator(3, 2)


@pytest.mark.parametrize(
    ("schedule", "dx", "dw", "expected"),
    [
        ("ws", True, False, (DX_WS[0],)),
        ("ws", True, True, (DX_WS[0],)),
        ("os", False, True, (DW_OS[0],)),
        ("os", True, True, (DW_OS[0],)),
        ("sequential", True, True, (SEQUENTIAL,)),
        ("interleaved", True, True, (INTERLEAVED,)),
        # With one gradient to compute there is nothing to interleave it with: its natural pass runs alone.
        *[(name, True, False, (DX_WS[0],)) for name in ("sequential", "interleaved", "ws_only")],
        *[(name, False, True, (DW_OS[0],)) for name in ("sequential", "interleaved")],
        # 8 tiles of 11 cycles with k in the rows, 9 with n; with X in the PEs 6 of 13, with dY 8 of 12.
        ("os_only", False, True, (DW_OS[1],)),
        ("free", False, True, (DW_WS[1],)),
        # Where dY serves both, it stays for either.
        ("interleaved_k", True, True, (INTERLEAVED_K,)),
        ("interleaved_k", True, False, (Mapping((Product("ws", "dx"),), "knb"),)),
        ("interleaved_k", False, True, (DW_WS[0],)),
        *[(name, False, False, ()) for name in SCHEDULES],
    ],
)
def test_what_runs(schedule: str, dx: bool, dw: bool, expected: tuple) -> None:
    assert backward_mappings(schedule, GEMM, ARRAY, dx=dx, dw=dw) == expected


# The stationary operand is what its tiles load; few tiles and long streams are cheap.
@pytest.mark.parametrize(
    ("gemm", "stationary", "of_dx"),
    [(Gemm(4, 64, 4), 0, 1), (Gemm(4, 4, 64), 1, 0)],
    ids=["dY stays while X^T streams", "X stays while dY^T streams"],
)
def test_ws_only_takes_the_better_orientation_of_dw(gemm: Gemm, stationary: int, of_dx: int) -> None:
    array = Accelerator(4, 4)
    better, worse = (cost([DW_WS[i]], gemm, array) for i in (stationary, 1 - stationary))
    # One tile, 64 streamed, or 16 tiles, 4 streamed; 4 to load, 6 for the skew.
    assert (better.cycles, worse.cycles) == (64 + 10, 16 * (4 + 10))
    assert backward_mappings("ws_only", gemm, array) == (DX_WS[of_dx], DW_WS[stationary])
    assert backward_mappings("ws_only", gemm, array, dx=False) == (DW_WS[stationary],)


@pytest.mark.parametrize(
    ("gemm", "stationary"),
    [(Gemm(64, 4, 4), 0), (Gemm(4, 64, 4), 1)],
    ids=["W stays while dY streams", "dY stays while W streams"],
)
def test_ws_only_takes_the_better_orientation_of_dx(gemm: Gemm, stationary: int) -> None:
    array = Accelerator(4, 4)
    better, worse = (cost([DX_WS[i]], gemm, array) for i in (stationary, 1 - stationary))
    # One tile, 64 streamed, or 16 tiles, 4 streamed; 4 to load, 6 for the skew. Of dX, 256 words go out of each tile of
    # its sums; the stream and what stays are read once or 16 times.
    assert better == (64 + 10, 16 + 256 + 256)
    assert worse == (16 * (4 + 10), 256 + 16 * 16 + 256)
    assert backward_mappings("ws_only", gemm, array, dw=False) == (DX_WS[stationary],)
    assert backward_mappings("free", gemm, array, dw=False) == (DX_WS[stationary],)


@pytest.mark.parametrize(
    ("array", "in_rows"), [(Accelerator(2, 8), 0), (Accelerator(8, 2), 1)], ids=["b in the rows", "k in the rows"]
)
def test_os_only_takes_the_better_orientation_of_dx(array: Accelerator, in_rows: int) -> None:
    """dX[2, 8] is one tile of a 2 x 8 array, or of an 8 x 2 array when turned; dW[8, 5] three, but four otherwise."""
    gemm = Gemm(2, 8, 5)
    assert cost([DW_OS[in_rows]], gemm, array).cycles == 3 * (2 * array.rows + array.cols + 2 - 2)
    assert cost([DW_OS[1 - in_rows]], gemm, array).cycles == 4 * (2 * array.rows + array.cols + 2 - 2)
    assert backward_mappings("os_only", gemm, array) == (DX_OS[in_rows], DW_OS[in_rows])
    assert backward_mappings("os_only", gemm, array, dw=False) == (DX_OS[in_rows],)


def test_accesses_break_a_tie_of_orientations() -> None:
    """Two tiles that stream 1 row each, or one that streams 4: as fast, but X is read twice in the first."""
    gemm, array = Gemm(1, 1, 4), Accelerator(1, 2)
    assert [cost([mapping], gemm, array) for mapping in DW_WS] == [Cost(6, 10), Cost(6, 9)]
    assert backward_mappings("ws_only", gemm, array) == (DX_WS[0], DW_WS[1])


def test_auto_goes_by_its_objective() -> None:
    """16 interleaved tiles of 21 cycles; on WS alone twice 8 of 19, but W, X and the partial sums come again."""
    gemm, array = Gemm(8, 16, 2), Accelerator(2, 1)
    assert both(gemm, array, "interleaved") == Cost(336, 576)
    assert both(gemm, array, "ws_only") == Cost(304, 896)
    assert backward_mappings("auto", gemm, array, objective="cycles") == (DX_WS[1], DW_WS[0])
    assert backward_mappings("auto", gemm, array, objective="accesses") == (INTERLEAVED,)


@given(gemm=gemms, array=arrays, want=wanted)
def test_single_dataflow_baselines_are_the_better_of_their_orientations(
    gemm: Gemm, array: Accelerator, want: tuple[bool, bool]
) -> None:
    dx, dw = want
    free = (*DX_WS, *DX_OS), (*DW_WS, *DW_OS)
    for schedule, ways in (("ws_only", (DX_WS, DW_WS)), ("os_only", (DX_OS, DW_OS)), ("free", free)):
        expected = Cost(0, 0)
        for needed, orientations in zip((dx, dw), ways, strict=True):
            if needed:
                best = min(cost([way], gemm, array) for way in orientations)
                expected = Cost(expected.cycles + best.cycles, expected.accesses + best.accesses)
        assert cost(backward_mappings(schedule, gemm, array, dx=dx, dw=dw), gemm, array) == expected


@pytest.mark.parametrize(("choice", "members"), [("auto", AUTO), ("best", BEST)])
@given(gemm=gemms, array=arrays, want=wanted)
def test_a_choice_is_the_cheapest_by_its_objective(
    choice: str, members: tuple[str, ...], gemm: Gemm, array: Accelerator, want: tuple[bool, bool]
) -> None:
    dx, dw = want
    others = [cost(backward_mappings(name, gemm, array, dx=dx, dw=dw), gemm, array) for name in members]
    for objective in ("cycles", "accesses"):
        plan = backward_mappings(choice, gemm, array, objective=objective, dx=dx, dw=dw)
        chosen = cost(plan, gemm, array)
        if objective == "cycles":
            assert chosen == min(others)
        else:
            assert chosen[::-1] == min(other[::-1] for other in others)


def test_best_is_among_all_that_train_and_choose_nothing() -> None:
    assert tuple(member.name for member in find("best").members) == BEST
    assert not find("best").fused


@pytest.mark.parametrize("objective", PRICED)
def test_the_array_alone_knows_no_energy(objective: str) -> None:
    """A schedule that is no choice needs none."""
    refused = lambda: choose("best", GEMM, ARRAY, objective=objective)  # noqa: E731
    assert_refused(Refusal(refused, "objective", repr(objective), "on the array alone choose 'cycles' or 'accesses'"))
    assert choose("free", GEMM, ARRAY, objective=objective) == choose("free", GEMM, ARRAY)


# Laws that every record keeps, whatever it is.


@pytest.mark.parametrize("name", SCHEDULES)
@given(gemm=gemms, array=arrays, want=wanted)
def test_what_runs_computes_what_is_wanted_and_given(
    name: str, gemm: Gemm, array: Accelerator, want: tuple[bool, bool]
) -> None:
    """Each wanted gradient that it gives exactly once, nothing else; one of its members', and one's own where alone."""
    dx, dw = want
    schedule = find(name)
    for objective in ("cycles", "accesses"):
        chosen = choose(name, gemm, array, objective=objective, dx=dx, dw=dw)
        computed = [product.result for mapping in chosen.mappings for product in mapping.products]
        expected = [result for result, is_wanted in (("dx", dx), ("dw", dw)) if is_wanted and result in schedule.gives]
        assert sorted(computed) == sorted(expected)
        assert chosen.schedule in schedule.members
        options = chosen.schedule.alternatives(dx=dx, dw=dw)
        assert all(mapping in choice for mapping, choice in zip(chosen.mappings, options, strict=True))


# Which PEs' schedules a PE runs: it has their registers and links.
RUNS = {
    "ws": {"ws"},
    "os": {"os"},
    "interleaved": {"ws", "os", "interleaved"},
    "ws_transposable": {"ws", "ws_transposable"},
    "interleaved_transposable": set(PE_KINDS),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_what_follows_from_a_record(name: str) -> None:
    schedule = find(name)
    assert all(member.gives == schedule.gives for member in schedule.members)
    assert schedule.trains == (name in TRAINING_SCHEDULES) == (not lacking(schedule, dx=True, dw=True))
    assert schedule.pe_kind in PE_KINDS
    assert {member.pe_kind for member in schedule.members} <= RUNS[schedule.pe_kind]
    assert schedule.description
    assert can_run(name, "best")
    assert can_run(name, "separate") == any(not member.fused for member in schedule.members)


def integers(*shape: int) -> np.ndarray:
    """From -2 to 2, of which float32 adds up more than are here exactly."""
    return np.random.default_rng(sum(shape)).integers(-2, 3, shape).astype(np.float32)


small = st.builds(Gemm, *[st.integers(1, 6)] * 3)
few = st.builds(Accelerator, st.integers(1, 4), st.integers(1, 4), st.booleans())


@pytest.mark.parametrize("name", SCHEDULES)
@settings(max_examples=3)
@given(gemm=small, array=few)
def test_registers_compute_the_gradients_and_count_the_closed_form(name: str, gemm: Gemm, array: Accelerator) -> None:
    b, k, n = gemm.sizes.values()
    x, w, dy = integers(b, k), integers(k, n), integers(b, n)
    dx, dw = ("dx" in find(name).gives, "dw" in find(name).gives)
    of_x, of_w, counters = backward(x, w, dy, Emulation(array, name, "register"), dx=dx, dw=dw)
    assert (of_x is not None, of_w is not None) == (dx, dw)
    if of_x is not None:
        np.testing.assert_array_equal(of_x, dy @ w.T)
    if of_w is not None:
        np.testing.assert_array_equal(of_w, x.T @ dy)
    closed = count(gemm, array, name).as_dict()
    assert counters.as_dict() | {"effectual_macs": closed["effectual_macs"]} == closed


@pytest.mark.parametrize("name", FORWARDS)
@settings(max_examples=3)
@given(gemm=small, array=few)
def test_registers_compute_y_and_count_the_closed_form(name: str, gemm: Gemm, array: Accelerator) -> None:
    x, w = integers(gemm.batch, gemm.in_features), integers(gemm.in_features, gemm.out_features)
    y, counters = forward(x, w, Emulation(array, fidelity="register", forward=name))
    np.testing.assert_array_equal(y, x @ w)
    closed = count_forward(gemm, array, name).as_dict()
    assert counters.as_dict() | {"effectual_macs": closed["effectual_macs"]} == closed


# Records that are none.

Y = Mapping((Product("ws", "y"),), "bkn")


@pytest.mark.parametrize(
    ("make", "field", "shown", "remedy"),
    [
        (lambda: Schedule("", [DX_WS[0]]), "name", "''", "a name"),
        (lambda: Schedule(3, [DX_WS[0]]), "name", "3", "a name"),  # pyright: ignore[reportArgumentType]
        (lambda: Schedule("mine"), "runs", "neither of runs and among", "one of the two"),
        (lambda: Schedule("mine", [DX_WS[0]], among=["auto"]), "runs", "both of runs and among", "one of the two"),
        (lambda: Schedule("mine", [[DX_WS[0], DW_OS[0]]]), "runs", "Mapping", "compute the same gradients"),
        (lambda: Schedule("mine", [[]]), "runs", "()", "compute the same gradients"),
        (lambda: Schedule("mine", ["ws"]), "runs", "('w', 's')", "compute the same gradients"),  # pyright: ignore[reportArgumentType]
        (lambda: Schedule("mine", [DX_WS[0], INTERLEAVED]), "runs", "['dx', 'dx', 'dw']", "dx and dw, each once"),
        (lambda: Schedule("mine", [Y]), "runs", "['y']", "dx and dw, each once"),
        (lambda: Schedule("mine", among=["auto", "ws"]), "among", "['auto', 'ws']", "the same gradients"),
        (lambda: Schedule("mine", among=["autos"]), "schedule", "'autos'", "did you mean 'auto'?"),
    ],
)
def test_no_schedule_is_refused(make: Callable[[], object], field: str, shown: str, remedy: str) -> None:
    assert_refused(Refusal(make, field, shown, remedy))


def test_a_choice_among_choices_is_one_among_all_of_theirs() -> None:
    nested = Schedule("nested", among=["ws_only", "auto"])
    assert [member.name for member in nested.members] == ["ws_only", "interleaved", "sequential", "os_only"]
    assert nested.description == "for each layer the cheapest of ws_only and auto"
