"""jaxgrad.array.closed_form against the tables of DESIGN.md section 2, written here once more, and published ratios."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgrad import Accelerator, Gemm, count, count_forward
from jaxgrad.array import closed_form
from jaxgrad.array.counters import NAMES

Counts = dict[str, int]
NATURAL = ("ws", "os", "sequential", "interleaved")


def cycles(schedule: str, b: int, tiles: int, r: int, c: int, double_buffered: bool) -> int:
    """DESIGN.md section 2, cycles."""
    if double_buffered:
        return {
            "ws": r + (tiles - 1) * max(b, r) + (b + r + c - 2),
            "os": (tiles - 1) * max(b, r) + (b + r + c - 2) + r,
            "sequential": r + 2 * (tiles - 1) * max(b, r) + b + (b + r + c - 2) + r,
            "interleaved": r + (tiles - 1) * max(2 * b, r) + (2 * b + r + c - 2) + r,
        }[schedule]
    return {
        "ws": tiles * (2 * r + c + b - 2),
        "os": tiles * (2 * r + c + b - 2),
        "sequential": 2 * tiles * (2 * r + c + b - 2),
        "interleaved": tiles * (3 * r + c + 2 * b - 2),
    }[schedule]


def traffic(schedule: str, b: int, k: int, n: int, n_r: int, n_c: int, r: int, c: int) -> Counts:
    """DESIGN.md section 2, SRAM accesses, MACs and hops; what is 0 is left out."""
    ws = {
        "macs": b * k * n,
        "effectual_macs": b * k * n,
        "w_reads": k * n,
        "dy_reads": b * n * n_c,
        "psum_reads": b * k * (n_r - 1),
        "psum_writes": b * k * n_r,
        "dy_hops": b * n * n_c * c,
        "psum_hops": b * k * n_r * r,
    }
    os = {
        "macs": b * k * n,
        "effectual_macs": b * k * n,
        "dy_reads": b * n * n_c,
        "x_reads": b * k * n_r,
        "dw_writes": k * n,
        "dy_hops": b * n * n_c * c,
        "x_hops": b * k * n_r * r,
        "acc_updates": b * k * n,
    }
    if schedule in ("ws", "os"):
        return ws if schedule == "ws" else os
    both = {name: ws.get(name, 0) + os.get(name, 0) for name in ws | os}
    if schedule == "interleaved":  # dY is read and moved once for the two of them
        both |= {"dy_reads": b * n * n_c, "dy_hops": b * n * n_c * c}
    return both


def whole(counts: Counts) -> Counts:
    return dict.fromkeys(NAMES, 0) | counts


@settings(max_examples=100)
@given(
    schedule=st.sampled_from(NATURAL),
    sizes=st.tuples(*[st.integers(1, 40)] * 3),
    r=st.integers(1, 9),
    c=st.integers(1, 9),
    double_buffered=st.booleans(),
)
def test_the_tables_of_the_design(
    schedule: str, sizes: tuple[int, int, int], r: int, c: int, double_buffered: bool
) -> None:
    b, k, n = sizes
    n_r, n_c = -(-n // r), -(-k // c)
    expected = traffic(schedule, b, k, n, n_r, n_c, r, c)
    expected["cycles"] = cycles(schedule, b, n_r * n_c, r, c, double_buffered)
    assert count(Gemm(b, k, n), Accelerator(r, c, double_buffered), schedule).as_dict() == whole(expected)


@given(
    sizes=st.tuples(*[st.integers(1, 40)] * 3), r=st.integers(1, 9), c=st.integers(1, 9), double_buffered=st.booleans()
)
def test_the_tables_of_the_design_with_k_streamed(
    sizes: tuple[int, int, int], r: int, c: int, double_buffered: bool
) -> None:
    b, k, n = sizes
    n_r, n_c = -(-n // r), -(-b // c)
    tiles, around = n_r * n_c, -(-c // n_r) if n_c > 1 else 0
    overlapped = r + (tiles - 1) * max(2 * k, r, around) + (2 * k + r + c - 2)
    expected = {
        "cycles": overlapped if double_buffered else tiles * (2 * r + c + 2 * k - 2),
        "macs": 2 * b * k * n,
        "effectual_macs": 2 * b * k * n,
        "w_reads": k * n * n_c,
        "dy_reads": b * n,
        "x_reads": b * k * n_r,
        "psum_reads": b * k * (n_r - 1) + k * n * (n_c - 1),
        "psum_writes": b * k * n_r + k * n * n_c,
        "x_hops": b * k * n_r * r,
        "psum_hops": b * k * n_r * r + k * n * n_c * c,
    }
    assert count(Gemm(b, k, n), Accelerator(r, c, double_buffered), "interleaved_k").as_dict() == whole(expected)


def test_the_example_of_the_design_by_hand() -> None:
    """Gemm(8, 9, 10) on 4x4: ceil(10 / 4) = 3 tiles of rows, ceil(9 / 4) = 3 of columns, 9 in all."""
    gemm = Gemm(batch=8, in_features=9, out_features=10)
    expected = whole(
        {
            "cycles": 270,  # 9 tiles of 4 to load, 2 * 8 + 6 to stream, 4 to drain
            "macs": 1440,
            "effectual_macs": 1440,
            "w_reads": 90,
            "x_reads": 216,  # 72, once for each of 3 tiles of rows
            "dy_reads": 240,  # 80, once for each of 3 tiles of columns
            "psum_reads": 144,
            "psum_writes": 216,
            "dw_writes": 90,
            "dy_hops": 960,
            "x_hops": 864,
            "psum_hops": 864,
            "acc_updates": 720,
        }
    )
    assert count(gemm, Accelerator(4, 4), "interleaved").as_dict() == expected
    # 4 to load, 8 tiles of 16, 16 + 6 for the last one, 4 to drain
    assert count(gemm, Accelerator(4, 4, True), "interleaved").as_dict() == expected | {"cycles": 158}
    apart = expected | {"cycles": 2 * 9 * 18, "dy_reads": 480, "dy_hops": 1920}
    assert count(gemm, Accelerator(4, 4), "sequential").as_dict() == apart


def test_k_streamed_by_hand() -> None:
    """Gemm(8, 9, 10) on 4x4: ceil(10 / 4) = 3 tiles of rows, ceil(8 / 4) = 2 of columns, 6 in all."""
    gemm = Gemm(batch=8, in_features=9, out_features=10)
    expected = whole(
        {
            "cycles": 168,  # 6 tiles of 4 to load, 2 * 9 + 6 to stream
            "macs": 1440,
            "effectual_macs": 1440,
            "w_reads": 180,  # 90, once for each of 2 tiles of columns
            "x_reads": 216,  # 72, once for each of 3 tiles of rows
            "dy_reads": 80,
            "psum_reads": 144 + 90,  # of dX, and of dW
            "psum_writes": 216 + 180,
            "x_hops": 864,
            "psum_hops": 864 + 720,
        }
    )
    assert count(gemm, Accelerator(4, 4), "interleaved_k").as_dict() == expected
    # 4 to load, 5 tiles of 18, 18 + 6 for the last one
    assert count(gemm, Accelerator(4, 4, True), "interleaved_k").as_dict() == expected | {"cycles": 118}
    # One row of PEs, a single k: sums of dW need 4 cycles through the columns before they can come in again.
    narrow = count(Gemm(8, 1, 1), Accelerator(1, 4, True), "interleaved_k")
    assert narrow.cycles == 1 + 4 + (2 + 3)


@pytest.mark.parametrize(
    ("dataflow", "expected"),
    [
        # 3 x 2 tiles of 2 x 3 elements of w; 7 rows of x streamed by each
        ("ws", {"cycles": 6 * (2 + 7 + 3), "w_reads": 20, "x_reads": 70, "psum_reads": 56, "psum_writes": 84}),
        # 4 x 2 tiles of outputs, 5 streamed
        ("os", {"cycles": 8 * (5 + 3 + 2), "w_reads": 80, "x_reads": 70, "psum_writes": 28}),
        # 3 x 3 tiles of 2 x 3 elements of x, 4 columns of w streamed by each
        ("is", {"cycles": 9 * (2 + 4 + 3), "w_reads": 60, "x_reads": 35, "psum_reads": 56, "psum_writes": 84}),
    ],
)
def test_forward_by_hand(dataflow: str, expected: Counts) -> None:
    """Y[7, 4] = X[7, 5] W[5, 4] on a 2 x 3 array."""
    counts = count_forward(Gemm(7, 5, 4), Accelerator(2, 3), dataflow).as_dict()
    accesses = {name: number for name, number in counts.items() if name.endswith(("reads", "writes")) and number}
    assert accesses | {"cycles": counts["cycles"]} == expected
    assert counts["macs"] == 140


def test_counts_are_exact_far_past_32_bits() -> None:
    b, k, n = 3 * 2**18 + 1, 2**20 + 3, 2**18 - 1
    counts = count(Gemm(b, k, n), Accelerator(128, 64), "interleaved").as_dict()
    n_r, n_c = -(-n // 128), -(-k // 64)
    assert counts["macs"] == 2 * b * k * n > 2**53
    assert counts["psum_hops"] == b * k * n_r * 128
    assert counts["dy_reads"] == b * n * n_c
    assert counts["cycles"] == n_r * n_c * (3 * 128 + 64 + 2 * b - 2)


def square_tile(side: int, b: Fraction) -> Gemm:
    """One square tile, b = B / R."""
    batch = b * side
    assert batch.denominator == 1
    return Gemm(int(batch), side, side)


BATCHES = [Fraction(1, 8), Fraction(7, 8), Fraction(1), Fraction(4), Fraction(64)]


@pytest.mark.parametrize("b", BATCHES, ids=str)
def test_published_accesses_of_a_square_tile(b: Fraction) -> None:
    """``2 + 4b`` tiles' worth of words apart, ``2 + 3b`` interleaved: at most the published quarter saved."""
    side = 16
    gemm, array = square_tile(side, b), Accelerator(side, side)
    apart = count(gemm, array, "sequential").accesses()
    together = count(gemm, array, "interleaved").accesses()
    assert (apart, together) == ((2 + 4 * b) * side**2, (2 + 3 * b) * side**2)
    saved = 1 - Fraction(together, apart)
    assert saved < Fraction(1, 4)
    if b == 64:
        assert saved > Fraction(248, 1000)


def test_published_accesses_with_the_weight_update_in_the_array() -> None:
    """``(5 + 4b) / (2 + 3b)``, the published 1.9 near b = 0.7."""
    b = Fraction(11, 16)
    gemm, array = square_tile(16, b), Accelerator(16, 16)
    apart = count(gemm, array, "sequential", weight_update="separate").accesses()
    together = count(gemm, array, "interleaved", weight_update="in_array").accesses()
    assert Fraction(apart, together) == (5 + 4 * b) / (2 + 3 * b)
    assert apart / together == pytest.approx(1.9, abs=0.02)


@pytest.mark.parametrize("b", BATCHES, ids=str)
def test_published_serial_cycles(b: Fraction) -> None:
    """``(2b + 6) / (2b + 4)``, but for the two cycles by which a wavefront is shorter than R + C."""
    side = 64
    gemm, array = square_tile(side, b), Accelerator(side, side)
    assert count(gemm, array, "sequential").as_dict()["cycles"] == (2 * b + 6) * side - 4
    assert count(gemm, array, "interleaved").as_dict()["cycles"] == (2 * b + 4) * side - 2


@pytest.mark.parametrize(("batch", "ratio"), [(1, 2.0), (8, 2.0), (16, 1.0), (64, 1.0)])
def test_published_cycles_when_load_and_drain_are_hidden(batch: int, ratio: float) -> None:
    """Up to 2, where the two streams together are no longer than a load; nothing where either fills the array alone."""
    gemm, array = Gemm(batch, 1600, 1600), Accelerator(16, 16, double_buffered=True)
    apart, together = (count(gemm, array, name).as_dict()["cycles"] for name in ("sequential", "interleaved"))
    assert apart / together == pytest.approx(ratio, rel=1e-3)


def test_slots_of_one_kind_share_the_link() -> None:
    """Compositions that no schedule uses: two operands come in, or two results go out, one after the other."""
    serial, shadowed = Accelerator(2, 3), Accelerator(2, 3, True)
    # 4 tiles; each 2 * 2 to load or drain, 2 * 5 slots, 3 for the skew
    assert closed_form.cycles(("operand", "operand"), "alternate", 5, 4, 6, serial) == 4 * (4 + 10 + 3)
    assert closed_form.cycles(("result", "result"), "alternate", 5, 4, 6, serial) == 4 * (4 + 10 + 3)
    assert closed_form.cycles(("operand", "operand"), "alternate", 5, 4, 6, shadowed) == 4 + 4 * 10 + 3
    # One streamed row: two loads take longer than its two slots.
    assert closed_form.cycles(("operand", "operand"), "alternate", 1, 4, 6, shadowed) == 4 + 3 * 4 + 2 + 3
