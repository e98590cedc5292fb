"""The golden model against the closed forms of DESIGN.md section 2, written out here once more, and against numpy."""

import numpy as np
import pytest

from tests.oracle import Counts, accesses, better, simulate, simulate_forward, total
from tests.systolic import NAMES, Hazard

SCHEDULES = ("ws", "os", "sequential", "interleaved", "interleaved_n", "interleaved_k", "ws_only", "os_only", "free")
CORNERS = [  # B, K, N, R, C
    (1, 1, 1, 1, 1),
    (5, 4, 3, 1, 1),
    (1, 1, 1, 5, 4),
    (2, 7, 9, 5, 1),  # R >> B
    (2, 7, 9, 1, 5),  # C >> B
    (9, 5, 1, 4, 2),
    (9, 1, 5, 2, 4),
    (3, 8, 6, 3, 4),  # B = R: tile streams close up, loads and drains without a pause
    (2, 6, 8, 4, 3),  # 2B = R: the same when interleaved
]


def random_cases(count: int) -> list[tuple[int, ...]]:
    rng = np.random.default_rng(2)
    return [(*rng.integers(1, 10, 3).tolist(), *rng.integers(1, 7, 2).tolist()) for _ in range(count)]


def tiles_of(size: int, lanes: int) -> int:
    return -(-size // lanes)


def gemm(slots: int, tiles: int, length: int, rows: int, cols: int, double: bool, loads: bool, drains: bool) -> int:
    """Cycles of one GEMM, or of two interleaved; a double-buffered array hides all loads but the first, all drains but
    the last."""
    loads_and_drains = rows * (loads + drains)
    if double:
        return loads_and_drains + (tiles - 1) * max(slots * length, rows) + slots * length + rows + cols - 2
    return tiles * (loads_and_drains + slots * length + rows + cols - 2)


def held(
    operand: str, stream: str, out: int, length: int, p: int, q: int, rows: int, cols: int, double: bool
) -> Counts:
    """A WS pass: `operand` [p, q] stays, `stream` [length, p] enters from the left; `out` is length * q."""
    down, across = tiles_of(p, rows), tiles_of(q, cols)
    counts = {
        "cycles": gemm(1, down * across, length, rows, cols, double, loads=True, drains=False),
        "macs": length * p * q,
        f"{operand}_reads": p * q,
        f"{stream}_reads": length * p * across,
        "psum_reads": out * (down - 1),
        "psum_writes": out * down,
        "psum_hops": out * down * rows,
    }
    return counts | ({} if stream == "w" else {f"{stream}_hops": length * p * across * cols})


def summed(left: str, top: str, to: str, length: int, p: int, q: int, rows: int, cols: int, double: bool) -> Counts:
    """An OS pass: the sums [p, q] stay, `left` [length, p] and `top` [length, q] are streamed."""
    down, across = tiles_of(p, rows), tiles_of(q, cols)
    counts = {
        "cycles": gemm(1, down * across, length, rows, cols, double, loads=False, drains=True),
        "macs": length * p * q,
        "acc_updates": length * p * q,
        f"{left}_reads": length * p * across,
        f"{top}_reads": length * q * down,
        to: p * q,
    }
    hops = {f"{left}_hops": length * p * across * cols, f"{top}_hops": length * q * down * rows}
    return counts | {name: count for name, count in hops.items() if name != "w_hops"}


def closed_form(b: int, k: int, n: int, r: int, c: int, schedule: str, double: bool, weight_update: str) -> Counts:
    """All counters but effectual_macs; zeros left out."""
    sizes = (r, c, double)
    dx_ws = held("w", "dy", b * k, b, n, k, *sizes)
    dw_os = summed("dy", "x", "dw_writes", b, n, k, *sizes)
    tiles = tiles_of(n, r) * tiles_of(k, c)
    if schedule == "ws":
        counts = dx_ws
    elif schedule == "os":
        counts = dw_os
    elif schedule == "sequential":
        counts = total(dx_ws, dw_os)
        if double:
            counts["cycles"] = r + 2 * (tiles - 1) * max(b, r) + b + (b + r + c - 2) + r
    elif schedule == "interleaved":
        counts = total(dx_ws, dw_os)
        counts["cycles"] = gemm(2, tiles, b, r, c, double, loads=True, drains=True)
        for shared in ("dy_reads", "dy_hops"):
            counts[shared] //= 2
    elif schedule == "interleaved_n":
        x_stays = held("x", "dy", n * k, n, b, k, *sizes)
        counts = total(summed("dy", "w", "psum_writes", n, b, k, *sizes), x_stays)
        counts["cycles"] = gemm(2, tiles_of(b, r) * tiles_of(k, c), n, r, c, double, loads=True, drains=True) - double
        for shared in ("dy_reads", "dy_hops"):
            counts[shared] //= 2
    elif schedule == "interleaved_k":
        counts = total(held("dy", "w", k * b, k, n, b, *sizes), held("dy", "x", k * n, k, b, n, c, r, double))
        counts["dy_reads"] //= 2
        down, across = tiles_of(n, r), tiles_of(b, c)
        counts["cycles"] = gemm(2, down * across, k, r, c, double, loads=True, drains=False)
        if double and across > 1:  # sums of dW cross the columns before they go on, a column of tiles later
            period = max(2 * k, r)
            counts["cycles"] += (down * across - 1) * (max(period, tiles_of(c, down)) - period)
    else:
        dx_ways, dw_ways = [], []
        if schedule != "os_only":
            dx_ways += [dx_ws, held("dy", "w", k * b, k, n, b, *sizes)]
            dw_ways += [held("dy", "x", k * n, k, b, n, *sizes), held("x", "dy", n * k, n, b, k, *sizes)]
        if schedule != "ws_only":
            to = "psum_writes"
            dx_ways += [summed("dy", "w", to, n, b, k, *sizes), summed("w", "dy", to, n, k, b, *sizes)]
            dw_ways += [dw_os, summed("x", "dy", "dw_writes", b, k, n, *sizes)]
        nothing = np.zeros(())
        counts = total(*(better((way, nothing) for way in ways)[0] for ways in (dx_ways, dw_ways)))
    if weight_update == "separate":
        counts = total(counts, {"w_reads": k * n, "dw_reads": k * n, "w_writes": k * n})
    elif weight_update == "in_array":
        counts["w_writes"] = counts.pop("dw_writes")
    return counts


def closed_form_forward(b: int, k: int, n: int, r: int, c: int, dataflow: str, double: bool) -> Counts:
    sizes = (r, c, double)
    return {
        "ws": lambda: held("w", "x", b * n, b, k, n, *sizes),
        "is": lambda: held("x", "w", n * b, n, k, b, *sizes),
        "os": lambda: summed("x", "w", "psum_writes", k, b, n, *sizes),
    }[dataflow]()


def data(b: int, k: int, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(b + 10 * k + 100 * n)
    return rng.integers(-2, 3, (b, k)), rng.integers(-2, 3, (k, n)), rng.integers(-2, 3, (b, n))  # a fifth are zeros


def nonzero_products(left: np.ndarray, right: np.ndarray) -> int:
    return int(((left != 0).astype(int) @ (right != 0).astype(int)).sum())


def without_effectual(counts: Counts) -> Counts:
    assert tuple(counts) == NAMES
    return {name: count for name, count in counts.items() if count and name != "effectual_macs"}


def nonzero(counts: Counts) -> Counts:
    return {name: count for name, count in counts.items() if count}


@pytest.mark.parametrize("double", [False, True], ids=["serial", "double_buffered"])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_backward_equals_the_closed_forms(schedule: str, double: bool) -> None:
    for b, k, n, r, c in [*CORNERS, *random_cases(25)]:
        x, w, dy = data(b, k, n)
        for update in ("none", "separate", "in_array") if schedule == "interleaved" else ("none", "separate"):
            result = simulate(x, w, dy, r, c, schedule, double_buffered=double, weight_update=update)
            expected = closed_form(b, k, n, r, c, schedule, double, update)
            assert without_effectual(result.counts) == nonzero(expected), (b, k, n, r, c, update)
            effectual = 0
            if schedule != "os":
                effectual += nonzero_products(dy, w.T)
                np.testing.assert_array_equal(result.dx, dy @ w.T)
            if schedule != "ws":
                effectual += nonzero_products(x.T, dy)
                np.testing.assert_array_equal(result.dw, x.T @ dy)
            assert result.counts["effectual_macs"] == effectual, (b, k, n, r, c)


@pytest.mark.parametrize("double", [False, True], ids=["serial", "double_buffered"])
@pytest.mark.parametrize("dataflow", ["ws", "os", "is"])
def test_forward_equals_the_closed_forms(dataflow: str, double: bool) -> None:
    for b, k, n, r, c in [*CORNERS, *random_cases(25)]:
        x, w, _ = data(b, k, n)
        result = simulate_forward(x, w, r, c, dataflow, double_buffered=double)
        expected = closed_form_forward(b, k, n, r, c, dataflow, double)
        assert without_effectual(result.counts) == nonzero(expected), (b, k, n, r, c)
        assert result.counts["effectual_macs"] == nonzero_products(x, w)
        np.testing.assert_array_equal(result.y, x @ w)


def test_interleaved_by_hand() -> None:
    """A 1x1 array, one element of everything: load; psum slot; x slot; drain."""
    result = simulate([[2]], [[3]], [[5]], 1, 1, "interleaved")
    assert (result.dx, result.dw) == (15, 10)
    assert nonzero(result.counts) == {
        "cycles": 4, "macs": 2, "effectual_macs": 2, "w_reads": 1, "x_reads": 1, "dy_reads": 1, "psum_writes": 1,
        "dw_writes": 1, "dy_hops": 1, "x_hops": 1, "psum_hops": 1, "acc_updates": 1,
    }  # fmt: skip
    assert accesses(result.counts) == 5


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("shape", [(6, 5, 7, 3, 2), (2, 5, 7, 5, 2)], ids=["stream_bound", "load_bound"])
def test_tiles_cannot_follow_any_closer(schedule: str, shape: tuple[int, ...]) -> None:
    *sizes, r, c = shape
    simulate(*data(*sizes), r, c, schedule, double_buffered=True)
    with pytest.raises(Hazard):
        simulate(*data(*sizes), r, c, schedule, double_buffered=True, early=1)


@pytest.mark.parametrize("schedule", ["interleaved", "interleaved_n"])
def test_a_drain_that_overlaps_with_the_next_load_saves_r_cycles_a_tile_but_the_last(schedule: str) -> None:
    for b, k, n, r, c in [*CORNERS, *random_cases(25)]:
        x, w, dy = data(b, k, n)
        result = simulate(x, w, dy, r, c, schedule, overlapped_drain=True)
        alone = closed_form(b, k, n, r, c, schedule, False, "none")
        along = n if schedule == "interleaved" else b
        alone["cycles"] -= (tiles_of(along, r) * tiles_of(k, c) - 1) * r
        assert without_effectual(result.counts) == nonzero(alone), (b, k, n, r, c)
        np.testing.assert_array_equal(result.dx, dy @ w.T)
        np.testing.assert_array_equal(result.dw, x.T @ dy)
    with pytest.raises(Hazard, match="PEs shift or stream"):
        simulate(*data(6, 5, 7), 3, 2, schedule, overlapped_drain=True, early=1)


def test_sums_that_leave_at_the_right_cannot_come_in_again_any_sooner() -> None:
    """A row of 4 PEs, one k: what bounds the time is neither the stream nor the load."""
    sizes = (6, 1, 1)
    assert simulate(*data(*sizes), 1, 4, "interleaved_k", double_buffered=True).counts["cycles"] == 1 + 4 + 2 + 3
    with pytest.raises(Hazard, match="column of tiles before is not in the buffer"):
        simulate(*data(*sizes), 1, 4, "interleaved_k", double_buffered=True, early=1)


def test_infinity_and_nan_go_through() -> None:
    x, w, dy = [[np.inf, 1.0]], [[0.0], [np.nan]], [[0.0]]
    result = simulate(x, w, dy, 2, 2, "interleaved")
    np.testing.assert_array_equal(result.dx, [[0.0, np.nan]])
    np.testing.assert_array_equal(result.dw, [[np.nan], [0.0]])
    assert result.counts["effectual_macs"] == 0
