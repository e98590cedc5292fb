"""Composed passes on a 2 x 2 array, every register worked out by hand, cycle by cycle."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad.array.passes import overlapped, serial
from jaxgrad.array.passes.base import Pass, Wave
from jaxgrad.array.passes.combinators import double_buffered, interleave, transposed
from jaxgrad.array.passes.output_stationary import output_stationary
from jaxgrad.array.passes.weight_stationary import weight_stationary
from tests.array.passes.watch import macs, shifts, watched


def floats(values: list[list[int]]) -> jax.Array:
    return jnp.array(values, jnp.float32)


def test_interleaved_by_hand() -> None:
    """Each row of dY is held for two cycles: the even wave carries partial sums past w, the odd one x past acc."""
    dy, w, x = [[1, 2], [3, 4]], [[5, 6], [7, 8]], [[10, 20], [30, 40]]
    pass_, seen = watched(interleave(weight_stationary(), output_stationary()))
    assert pass_.keeps == ("operand", "result")
    (dx, dw), _ = serial.run(pass_, floats(dy), (floats(w), floats(x)), 2, 2)
    jax.effects_barrier()
    assert [shift.registers[0].w.tolist() for shift in shifts(seen, 0)] == [[[7, 8], [0, 0]], [[5, 6], [7, 8]]]
    streaming = macs(seen)
    assert [cycle.h.tolist() for cycle in streaming] == [
        [[1, 0], [0, 0]],
        [[1, 1], [2, 0]],
        [[3, 1], [2, 2]],
        [[3, 3], [4, 2]],
        [[0, 3], [4, 4]],
        [[0, 0], [0, 4]],
    ]
    # A psum and an x follow each other down column 0: 5, 10, 15, 30 from PE (0, 0), and 19, 10, 43, 30 from PE (1, 0).
    assert [cycle.v.tolist() for cycle in streaming] == [
        [[5, 0], [0, 0]],
        [[10, 6], [19, 0]],
        [[15, 20], [10, 22]],
        [[30, 18], [43, 20]],
        [[0, 40], [30, 50]],
        [[0, 0], [0, 40]],
    ]
    # The sum changes in the odd wave only: in PE (0, 0) at 1*10 and at + 3*30.
    assert [cycle.registers[1].acc.tolist() for cycle in streaming] == [
        [[0, 0], [0, 0]],
        [[10, 0], [0, 0]],
        [[10, 20], [20, 0]],
        [[100, 20], [20, 40]],
        [[100, 140], [140, 40]],
        [[100, 140], [140, 200]],
    ]
    assert all(cycle.registers[0].w.tolist() == w for cycle in streaming)
    assert [shift.bottom.tolist() for shift in shifts(seen, 1)] == [[140, 200], [100, 140]]
    np.testing.assert_array_equal(dx, [[19, 22], [43, 50]])
    np.testing.assert_array_equal(dw, [[100, 140], [140, 200]])


def test_shadow_weights_by_hand() -> None:
    """Two tiles of two rows: the second tile's weights come into the shadow behind the wave that takes the first's."""
    dy, w = [[1, 2, 3, 4], [5, 6, 7, 8]], [[1, 2], [3, 4], [5, 6], [7, 8]]
    pass_, seen = watched(double_buffered(weight_stationary()))
    (dx,), _ = overlapped.run(pass_, floats(dy), (floats(w),), 2, 2, "alternate")
    jax.effects_barrier()
    running = macs(seen)
    # Cycles 0 and 1 load column 0, 1 and 2 column 1; tile 0 streams from cycle 2, tile 1 from cycle 4.
    assert [cycle.h.tolist() for cycle in running] == [
        [[0, 0], [0, 0]],
        [[0, 0], [0, 0]],
        [[1, 0], [0, 0]],
        [[5, 1], [2, 0]],
        [[3, 5], [6, 2]],
        [[7, 3], [4, 6]],
        [[0, 7], [8, 4]],
        [[0, 0], [0, 8]],
    ]
    assert [cycle.registers.active.w.tolist() for cycle in running] == [
        [[0, 0], [0, 0]],
        [[0, 0], [0, 0]],
        [[1, 0], [0, 0]],
        [[1, 2], [3, 0]],
        [[5, 2], [3, 4]],
        [[5, 6], [7, 4]],
        [[5, 6], [7, 8]],
        [[5, 6], [7, 8]],
    ]
    # At the end of the cycle, when the load has shifted: the last row of a tile comes first and goes lowest.
    assert [shift.registers.shadow.w.tolist() for shift in shifts(seen, 0)] == [
        [[3, 0], [0, 0]],
        [[1, 4], [3, 0]],
        [[7, 2], [3, 4]],
        [[5, 8], [7, 4]],
        [[5, 6], [7, 8]],
        [[5, 6], [7, 8]],
        [[5, 6], [7, 8]],
        [[5, 6], [7, 8]],
    ]
    # 7 leaves column 0 in cycle 3 and comes back in cycle 4, as the partial sum of 22 = 7 + 5*3.
    assert [cycle.v.tolist() for cycle in running] == [
        [[0, 0], [0, 0]],
        [[0, 0], [0, 0]],
        [[1, 0], [0, 0]],
        [[5, 2], [7, 0]],
        [[22, 10], [23, 10]],
        [[58, 28], [50, 34]],
        [[0, 76], [114, 60]],
        [[0, 0], [0, 140]],
    ]
    np.testing.assert_array_equal(dx, [[50, 60], [114, 140]])


def test_shadow_accumulators_by_hand() -> None:
    """Two tiles of two rows: the first tile's sums drain through the shadow while the second one's add up."""
    dy, x = [[1, 2, 3, 4], [5, 6, 7, 8]], [[1, 2], [3, 4]]
    pass_, seen = watched(double_buffered(output_stationary()))
    (dw,), _ = overlapped.run(pass_, floats(dy), (floats(x),), 2, 2, "alternate")
    jax.effects_barrier()
    running, draining = macs(seen), shifts(seen, 0)
    assert [cycle.registers.active.acc.tolist() for cycle in running] == [
        [[1, 0], [0, 0]],
        [[0, 2], [2, 0]],
        [[3, 0], [0, 4]],
        [[0, 6], [4, 0]],
        [[0, 0], [0, 8]],
        [[0, 0], [0, 0]],
        [[0, 0], [0, 0]],
        [[0, 0], [0, 0]],
    ]
    # 16 = 1*1 + 5*3 moves to the shadow of PE (0, 0) in cycle 1, down in cycle 3, and out in cycle 4.
    assert [cycle.registers.shadow.acc.tolist() for cycle in running] == [
        [[0, 0], [0, 0]],
        [[16, 0], [0, 0]],
        [[16, 22], [20, 0]],
        [[24, 22], [16, 28]],
        [[24, 34], [28, 22]],
        [[24, 34], [24, 40]],
        [[24, 34], [24, 34]],
        [[24, 34], [24, 34]],
    ]
    # Column 0 drains in cycles 3 to 6, column 1 in cycles 4 to 7.
    assert [int(shift.bottom[0]) for shift in draining[3:7]] == [20, 16, 28, 24]
    assert [int(shift.bottom[1]) for shift in draining[4:8]] == [28, 22, 40, 34]
    np.testing.assert_array_equal(dw, [[16, 22], [20, 28], [24, 34], [28, 40]])


def test_an_operand_used_both_ways_by_hand() -> None:
    """dY stays, rows n and columns b: in even waves w goes right and sums of dX down, in odd ones x down and sums of dW
    right. The first two cycles load dY's columns, its last row of n first."""
    dy, w, x = [[1, 2], [3, 4]], [[5, 6], [7, 8]], [[10, 20], [30, 40]]
    pass_, seen = watched(interleave(weight_stationary(), transposed(weight_stationary())))
    assert pass_.keeps == ("operand", "nothing")
    (dx, dw), _ = overlapped.run(pass_, floats(w), (floats(dy).T, floats(x).T), 2, 2, "alternate", shadows=False)
    jax.effects_barrier()
    assert [shift.registers[0].w.tolist() for shift in shifts(seen, 0)[:2]] == [[[2, 4], [0, 0]], [[1, 3], [2, 4]]]
    streaming = macs(seen)
    assert len(streaming) == 8
    assert all(cycle.registers[0].w.tolist() == [[1, 3], [2, 4]] for cycle in streaming[2:])
    # To the right: w in the even waves, sums of dW in the odd ones. 10 = 1*10 leaves PE (0, 0), 100 = 10 + 3*30 row 0.
    assert [cycle.h.tolist() for cycle in streaming[2:]] == [
        [[5, 0], [0, 0]],
        [[10, 5], [6, 0]],
        [[7, 100], [20, 6]],
        [[20, 7], [8, 140]],
        [[0, 140], [40, 8]],
        [[0, 0], [0, 200]],
    ]
    # Downwards: sums of dX in the even waves, 5 = 5*1 and 17 = 5 + 6*2 in column 0, x in the odd ones.
    assert [cycle.v.tolist() for cycle in streaming[2:]] == [
        [[5, 0], [0, 0]],
        [[10, 15], [17, 0]],
        [[7, 30], [10, 39]],
        [[20, 21], [23, 30]],
        [[0, 40], [20, 53]],
        [[0, 0], [0, 40]],
    ]
    np.testing.assert_array_equal(dx, [[17, 39], [23, 53]])  # [k, b]
    np.testing.assert_array_equal(dw, [[100, 140], [140, 200]])  # [k, n]


def test_both_ways_take_over_a_shadow_at_once() -> None:
    """Two tiles of b, one streamed row each: dY's second column waits in the shadow until w's row passes again."""
    pass_, seen = watched(
        interleave(double_buffered(weight_stationary()), double_buffered(transposed(weight_stationary())))
    )
    dy, w, x = [[2], [3]], [[5]], [[10], [20]]  # b = 2, n = k = 1
    (dx, dw), _ = overlapped.run(pass_, floats(w), (floats(dy).T, floats(x).T), 1, 1, "alternate")
    jax.effects_barrier()
    # 1 to load, then w and x past 2, w and x past 3; the sum of dW that left, 20, comes in again.
    assert [cycle.registers[0].active.w.item() for cycle in macs(seen)] == [0, 2, 2, 3, 3]
    assert [cycle.h.item() for cycle in macs(seen)] == [0, 5, 20, 5, 80]
    assert [cycle.v.item() for cycle in macs(seen)] == [0, 10, 10, 15, 20]
    assert (dx.tolist(), dw.tolist()) == ([[10, 15]], [[80]])


def test_what_cannot_be_used_both_ways() -> None:
    with pytest.raises(AssertionError, match="an operand that stays"):
        transposed(output_stationary())
    for parts in (
        (transposed(weight_stationary()),),
        (output_stationary(), transposed(weight_stationary())),
        (weight_stationary(), transposed(weight_stationary()), output_stationary()),
    ):
        with pytest.raises(AssertionError, match="the operand of the pass before it"):
            interleave(*parts)


def everything_after(pass_: Pass) -> list[np.ndarray]:
    """All registers and links of a 2 x 3 array after a few steps and shifts, from made-up values on every link."""
    registers, seen = pass_.init(2, 3, jnp.float32), []
    for slot in range(len(pass_.keeps)):
        for row in (1.0, 2.0):
            registers, _ = pass_.shift(registers, slot, jnp.array([row, 3 * row, 5 * row]) + slot, True)
    for cycle in range(4):
        owner = (cycle - np.indices((2, 3)).sum(0)) % len(pass_.keeps)
        h, v = (jnp.arange(6.0).reshape(2, 3) * scale + cycle for scale in (1, 7))
        registers, *links = pass_.step(registers, h, v, Wave(owner))
        seen += [link for link in links if link is not None]
    return [np.asarray(plane) for plane in (*seen, *jax.tree.leaves(registers))]


@pytest.mark.parametrize("nested", ["left", "right", "alone"])
def test_interleave_is_associative(nested: str) -> None:
    ws, os = weight_stationary(), output_stationary()
    composed = {
        "left": interleave(interleave(ws, os), ws),
        "right": interleave(ws, interleave(os, ws)),
        "alone": interleave(interleave(ws, os, ws)),
    }[nested]
    flat = interleave(ws, os, ws)
    assert composed.keeps == flat.keeps == ("operand", "result", "operand")
    for got, expected in zip(everything_after(composed), everything_after(flat), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_a_slot_shifts_its_own_registers_alone() -> None:
    pass_ = interleave(weight_stationary(), output_stationary(), weight_stationary())
    for slot in range(3):
        before = pass_.init(2, 2, jnp.float32)
        after, _ = pass_.shift(before, slot, jnp.array([1.0, 2.0]), True)
        for other in range(3):
            expected = [[1, 2], [0, 0]] if other == slot else [[0, 0], [0, 0]]
            np.testing.assert_array_equal(jax.tree.leaves(after[other])[0], expected)


def test_a_tile_of_each_at_once() -> None:
    pass_ = interleave(output_stationary(), weight_stationary())
    h, x, w = floats([[1, 2], [3, 4]]), floats([[10, 20], [30, 40]]), floats([[5, 6], [7, 8]])
    dw, dx = pass_.tile(h, (x, w), (None, floats([[1, 1], [1, 1]])))
    np.testing.assert_array_equal(dw, [[100, 140], [140, 200]])
    np.testing.assert_array_equal(dx, [[20, 23], [44, 51]])
