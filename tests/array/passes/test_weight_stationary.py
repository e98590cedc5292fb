"""The weight-stationary pass on a 2 x 2 array, every register worked out by hand, cycle by cycle."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad.array.passes import serial
from jaxgrad.array.passes.base import Wave
from jaxgrad.array.passes.weight_stationary import WeightStationary, weight_stationary
from tests.array.passes.watch import macs, shifts, watched

H = [[1, 2], [3, 4]]  # two rows of dY stream in from the left
W = [[5, 6], [7, 8]]


def test_by_hand() -> None:
    pass_, seen = watched(weight_stationary())
    (result,), _ = serial.run(pass_, jnp.array(H, jnp.float32), (jnp.array(W, jnp.float32),), 2, 2)
    jax.effects_barrier()
    # W comes in from the top, its last row first.
    loading = [shift.registers.w.tolist() for shift in shifts(seen, 0)]
    assert loading == [[[7, 8], [0, 0]], [[5, 6], [7, 8]]]
    streaming = macs(seen)
    # Row 1 of the array gets its column of dY a cycle late; h moves right.
    assert [cycle.h.tolist() for cycle in streaming] == [
        [[1, 0], [0, 0]],
        [[3, 1], [2, 0]],
        [[0, 3], [4, 2]],
        [[0, 0], [0, 4]],
    ]
    # v = v above + w h: 5 = 5*1; then 19 = 5 + 7*2 leaves column 0, and so on.
    assert [cycle.v.tolist() for cycle in streaming] == [
        [[5, 0], [0, 0]],
        [[15, 6], [19, 0]],
        [[0, 18], [43, 22]],
        [[0, 0], [0, 50]],
    ]
    assert all(cycle.registers.w.tolist() == W for cycle in streaming)
    np.testing.assert_array_equal(result, [[19, 22], [43, 50]])


def test_step_and_shift_leave_the_rest_alone() -> None:
    pass_ = weight_stationary()
    w = jnp.array([[1.0, 2.0], [3.0, 4.0]])
    h, v = jnp.array([[1.0, 10.0], [100.0, 0.0]]), jnp.array([[5.0, 5.0], [5.0, 5.0]])
    step = pass_.step(WeightStationary(w), h, v, Wave(jnp.zeros((2, 2), jnp.int32)))
    np.testing.assert_array_equal(step.v, [[6, 25], [305, 5]])
    np.testing.assert_array_equal(step.multiplicand, w)
    np.testing.assert_array_equal(step.registers.w, w)
    # Column 0 moves down whole, of column 1 only the top row.
    enable = jnp.array([[True, True], [True, False]])
    registers, bottom = pass_.shift(WeightStationary(w), 0, jnp.array([8.0, 9.0]), enable)
    np.testing.assert_array_equal(registers.w, [[8, 9], [1, 4]])
    np.testing.assert_array_equal(bottom, [3, 4])


def test_a_tile_at_once_takes_up_partial_sums() -> None:
    pass_ = weight_stationary()
    h, w = jnp.array(H, jnp.float32), jnp.array(W, jnp.float32)
    assert pass_.keeps == ("operand",)
    np.testing.assert_array_equal(pass_.tile(h, (w,), (None,))[0], [[19, 22], [43, 50]])
    np.testing.assert_array_equal(pass_.tile(h, (w,), (jnp.ones((2, 2)),))[0], [[20, 23], [44, 51]])
