"""The golden model: GEMMs of one layer simulated PE by PE and cycle by cycle, in Python (see `systolic` for the array).

Written from DESIGN.md sections 1, 2 and 4 alone, so that it and the emulator check each other: it says which operand
each schedule holds, streams from the left and streams from the top, and the array counts what happens.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tests.systolic import (
    Counts,
    Number,
    Operand,
    OutputStationary,
    Pass,
    Place,
    SystolicArray,
    TurnedStationary,
    WeightStationary,
)


def accesses(counts: Counts) -> int:
    """SRAM words read and written."""
    return sum(count for name, count in counts.items() if name.endswith(("_reads", "_writes")))


def total(*parts: Counts) -> Counts:
    summed: Counts = defaultdict(int)
    for part in parts:
        for name, count in part.items():
            summed[name] += count
    return dict(summed)


def transposed(counts: Counts) -> Counts:
    """Counts of a layer's transpose as those of the layer: X and W change places, and dW leaves as dX does."""
    turned = {"w_reads": counts["x_reads"], "x_reads": counts["w_reads"], "w_writes": 0, "x_hops": 0}
    drained = {"psum_writes": counts["psum_writes"] + counts["dw_writes"], "dw_writes": 0}
    return counts | turned | drained


class Outcome(NamedTuple):
    """Results as int64 or float64 arrays (None: not computed) and the counts by name; `y` is of a forward GEMM."""

    counts: Counts
    dx: NDArray | None = None
    dw: NDArray | None = None
    y: NDArray | None = None


def table(places: dict[Place, Number]) -> NDArray:
    height, width = (1 + max(place[axis] for place in places) for axis in (0, 1))
    return np.array([[places[i, j] for j in range(width)] for i in range(height)])


def streamed_out(array: SystolicArray) -> NDArray:
    return table({place: word.value for place, word in array.psums.items()})


Way = tuple[Counts, NDArray]
"""What one product takes by one dataflow and in one orientation, and the product."""


def better(ways: Iterable[Way]) -> Way:
    """Fewer cycles, then fewer accesses, then the first."""
    return min(ways, key=lambda way: (way[0]["cycles"], accesses(way[0])))


def runner(
    rows: int, cols: int, double_buffered: bool, early: int = 0, *, overlapped_drain: bool = False
) -> Callable[..., SystolicArray]:
    """What runs passes one after the other on an array of its own."""

    def run(*phases: tuple[Pass, ...]) -> SystolicArray:
        array = SystolicArray(rows, cols, double_buffered, early, overlapped_drain=overlapped_drain)
        array.run(phases)
        return array

    return run


def apart(xs: NDArray, ws: NDArray, dys: NDArray, schedule: str, run: Callable[..., SystolicArray]) -> tuple[Way, Way]:
    """dX and dW, each alone and in the better orientation, by one dataflow (ws_only, os_only) or the better (free)."""
    x_bk, x_kb = Operand("x", xs.tolist()), Operand("x", xs.T.tolist())
    w_kn, w_nk = Operand("w", ws.tolist()), Operand("w", ws.T.tolist())
    dy_bn, dy_nb = Operand("dy", dys.tolist()), Operand("dy", dys.T.tolist())

    def held(stream: Operand, operand: Operand) -> Way:
        array = run((WeightStationary(stream, operand),))
        return array.counts, streamed_out(array)

    def summed(left: Operand, top: Operand, to: str) -> Way:
        array = run((OutputStationary(left, top, to),))
        return array.counts, table(array.drained)

    def turned(way: Way) -> Way:
        return way[0], way[1].T

    dx, dw = [], []
    if schedule != "os_only":
        dx += [held(dy_bn, w_nk), turned(held(w_kn, dy_nb))]  # W stays; dY stays
        dw += [held(x_kb, dy_bn), turned(held(dy_nb, x_bk))]  # dY stays; X stays
    if schedule != "ws_only":
        dx += [summed(dy_nb, w_nk, "psum_writes"), turned(summed(w_nk, dy_nb, "psum_writes"))]  # rows hold b; k
        dw += [turned(summed(dy_bn, x_bk, "dw_writes")), summed(x_bk, dy_bn, "dw_writes")]  # rows hold n; k
    return better(dx), better(dw)


def simulate(
    x: ArrayLike, w: ArrayLike, dy: ArrayLike, rows: int, cols: int, schedule: str, *,
    double_buffered: bool = False, weight_update: str = "none", early: int = 0, overlapped_drain: bool = False,
) -> Outcome:  # fmt: skip
    """The backward GEMMs of one layer, dx[b, k] = dy w^T and dw[k, n] = x^T dy, on a rows x cols array.

    Args:
        x, w, dy: [B, K], [K, N], [B, N]; integers are summed exactly, floats in float64.
        schedule: ws, os, sequential, interleaved, interleaved_n, interleaved_k, ws_only, os_only or free; or one
            gradient on tiles in which dY stays, dx_on_dy or dw_on_dy.
        weight_update: none, separate or (interleaved) in_array.
        overlapped_drain: whether a single-buffered tile loads while the one before drains.
    """
    xs, ws, dys = (np.asarray(data) for data in (x, w, dy))
    x_bk, x_kb = Operand("x", xs.tolist()), Operand("x", xs.T.tolist())
    w_nk = Operand("w", ws.T.tolist())
    dy_bn, dy_nb = Operand("dy", dys.tolist()), Operand("dy", dys.T.tolist())
    dx_natural = WeightStationary(dy_bn, w_nk)
    dw_natural = OutputStationary(dy_bn, x_bk, "w_writes" if weight_update == "in_array" else "dw_writes")

    run = runner(rows, cols, double_buffered, early, overlapped_drain=overlapped_drain)
    dx = dw = None
    if schedule == "interleaved_n":  # rows hold b, columns k; dX is summed in the even slots, dW flows in the odd ones
        array = run((OutputStationary(dy_nb, w_nk, "psum_writes"), WeightStationary(dy_nb, x_bk)))
        counts, dx, dw = array.counts, table(array.drained), streamed_out(array).T
    elif schedule == "interleaved_k":  # rows hold n, columns b, dY stays: dX's sums flow down, dW's to the right
        held = Operand("dy", dys.T.tolist())
        array = run((WeightStationary(Operand("w", ws.tolist()), held), TurnedStationary(x_kb, held)))
        counts, dx = array.counts, streamed_out(array).T
        dw = table({place: word.value for place, word in array.turned_psums.items()})
    elif schedule == "dx_on_dy":
        array = run((WeightStationary(Operand("w", ws.tolist()), Operand("dy", dys.T.tolist())),))
        counts, dx = array.counts, streamed_out(array).T
    elif schedule == "dw_on_dy":
        array = run((WeightStationary(x_kb, dy_bn),))
        counts, dw = array.counts, streamed_out(array)
    elif schedule in ("ws", "os", "sequential", "interleaved"):
        phases: dict[str, list[tuple[Pass, ...]]] = {
            "ws": [(dx_natural,)],
            "os": [(dw_natural,)],
            "sequential": [(dx_natural,), (dw_natural,)],
            "interleaved": [(dx_natural, dw_natural)],
        }
        array = run(*phases[schedule])
        counts = array.counts
        dx = streamed_out(array) if schedule != "os" else None
        dw = table(array.drained).T if schedule != "ws" else None
    elif schedule in ("ws_only", "os_only", "free"):
        (first, dx), (second, dw) = apart(xs, ws, dys, schedule, run)
        counts = total(first, second)
    else:
        raise ValueError(f"schedule: {schedule!r}")
    if weight_update == "separate":  # the optimizer, outside of the array: every w and its dw are read, w is written
        for _ in range(ws.size):
            for counter in ("w_reads", "dw_reads", "w_writes"):
                counts[counter] += 1
    return Outcome(counts, dx=dx, dw=dw)


def simulate_first_columns(
    x: ArrayLike, w: ArrayLike, dy: ArrayLike, rows: int, cols: int, schedule: str, *,
    double_buffered: bool = False, overlapped_drain: bool = False,
) -> Outcome:  # fmt: skip
    """As ``simulate``, of an x of which only the first columns are there: dW has as many rows, dX has all its columns.

    What computes both at once does so on the columns of tiles in which some of x are, or, where k is streamed, on these
    columns alone; dX of the others comes after it, by itself.
    """
    xs, ws, dys = (np.asarray(data) for data in (x, w, dy))
    columns, in_features = xs.shape[1], len(ws)
    if columns == in_features:
        return simulate(
            x, w, dy, rows, cols, schedule, double_buffered=double_buffered, overlapped_drain=overlapped_drain
        )
    x_bk, x_kb = Operand("x", xs.tolist()), Operand("x", xs.T.tolist())
    dy_bn, dy_nb = Operand("dy", dys.tolist()), Operand("dy", dys.T.tolist())
    run = runner(rows, cols, double_buffered, overlapped_drain=overlapped_drain)
    shared = min(in_features, -(-columns // cols) * cols)
    if schedule == "interleaved_k":
        shared = columns

    def w_nk(part: slice) -> Operand:
        return Operand("w", ws[part].T.tolist())

    def w_kn(part: slice) -> Operand:
        return Operand("w", ws[part].tolist())

    both, others = slice(shared), slice(shared, None)
    if schedule == "interleaved":
        first = run((WeightStationary(dy_bn, w_nk(both)), OutputStationary(dy_bn, x_bk, "dw_writes")))
        dx, dw = streamed_out(first), table(first.drained).T
    elif schedule == "interleaved_n":
        first = run((OutputStationary(dy_nb, w_nk(both), "psum_writes"), WeightStationary(dy_nb, x_bk)))
        dx, dw = table(first.drained), streamed_out(first).T
    elif schedule == "interleaved_k":
        first = run((WeightStationary(w_kn(both), dy_nb), TurnedStationary(x_kb, dy_nb)))
        dx, dw = streamed_out(first).T, table({place: word.value for place, word in first.turned_psums.items()})
    elif schedule == "sequential":
        of_dx = run((WeightStationary(dy_bn, w_nk(slice(None))),))
        of_dw = run((OutputStationary(dy_bn, x_bk, "dw_writes"),))
        return Outcome(total(of_dx.counts, of_dw.counts), dx=streamed_out(of_dx), dw=table(of_dw.drained).T)
    else:
        (of_x, dx), (of_w, dw) = apart(xs, ws, dys, schedule, run)
        return Outcome(total(of_x, of_w), dx=dx, dw=dw)
    if shared == in_features:
        return Outcome(first.counts, dx=dx, dw=dw)
    alone: dict[str, Pass] = {
        "interleaved": WeightStationary(dy_bn, w_nk(others)),
        "interleaved_n": OutputStationary(dy_nb, w_nk(others), "psum_writes"),
        "interleaved_k": WeightStationary(w_kn(others), dy_nb),
    }
    rest = run((alone[schedule],))
    by_schedule = {"interleaved": streamed_out, "interleaved_n": lambda array: table(array.drained)}
    last = by_schedule.get(schedule, lambda array: streamed_out(array).T)(rest)
    return Outcome(total(first.counts, rest.counts), dx=np.concatenate([dx, last], axis=1), dw=dw)


def simulate_forward(
    x: ArrayLike, w: ArrayLike, rows: int, cols: int, dataflow: str, *, double_buffered: bool = False
) -> Outcome:
    """y[b, n] = x w on a rows x cols array; dataflow is ws, os (rows hold b, columns n) or is."""
    xs, ws = np.asarray(x), np.asarray(w)
    array = SystolicArray(rows, cols, double_buffered)
    if dataflow == "ws":
        array.run([(WeightStationary(Operand("x", xs.tolist()), Operand("w", ws.tolist())),)])
        return Outcome(array.counts, y=streamed_out(array))
    x_kb = Operand("x", xs.T.tolist())
    if dataflow == "is":
        array.run([(WeightStationary(Operand("w", ws.T.tolist()), x_kb),)])
        return Outcome(array.counts, y=streamed_out(array).T)
    if dataflow == "os":
        array.run([(OutputStationary(x_kb, Operand("w", ws.tolist()), "psum_writes"),)])
        return Outcome(array.counts, y=table(array.drained))
    raise ValueError(f"dataflow: {dataflow!r}")
