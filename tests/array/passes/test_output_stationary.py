"""The output-stationary pass on a 2 x 2 array, every register worked out by hand, cycle by cycle."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad.array.passes import serial
from jaxgrad.array.passes.base import Wave
from jaxgrad.array.passes.output_stationary import OutputStationary, output_stationary
from tests.array.passes.watch import macs, shifts, watched

H = [[1, 2], [3, 4]]  # two rows of dY stream in from the left
X = [[5, 6], [7, 8]]  # two rows of X from the top


def test_by_hand() -> None:
    pass_, seen = watched(output_stationary())
    (result,), _ = serial.run(pass_, jnp.array(H, jnp.float32), (jnp.array(X, jnp.float32),), 2, 2)
    jax.effects_barrier()
    streaming = macs(seen)
    assert [cycle.h.tolist() for cycle in streaming] == [
        [[1, 0], [0, 0]],
        [[3, 1], [2, 0]],
        [[0, 3], [4, 2]],
        [[0, 0], [0, 4]],
    ]
    # x moves down as dY moves right: PE (1, 1) meets x[0, 1] = 6 and dY[0, 1] = 2 in the third cycle.
    assert [cycle.v.tolist() for cycle in streaming] == [
        [[5, 0], [0, 0]],
        [[7, 6], [5, 0]],
        [[0, 8], [7, 6]],
        [[0, 0], [0, 8]],
    ]
    assert [cycle.registers.acc.tolist() for cycle in streaming] == [
        [[5, 0], [0, 0]],
        [[26, 6], [10, 0]],
        [[26, 30], [38, 12]],
        [[26, 30], [38, 44]],
    ]
    # The sums leave at the bottom, the last row first, and zeros follow.
    draining = shifts(seen, 0)
    assert [shift.bottom.tolist() for shift in draining] == [[38, 44], [26, 30]]
    assert [shift.registers.acc.tolist() for shift in draining] == [[[0, 0], [26, 30]], [[0, 0], [0, 0]]]
    np.testing.assert_array_equal(result, [[26, 30], [38, 44]])


def test_step_adds_to_the_sum_and_passes_the_operand_on() -> None:
    acc, h, v = (jnp.array([[a, a + 1.0]]) for a in (1.0, 10.0, 100.0))
    step = output_stationary().step(OutputStationary(acc), h, v, Wave(jnp.zeros((1, 2), jnp.int32)))
    np.testing.assert_array_equal(step.registers.acc, [[1 + 10 * 100, 2 + 11 * 101]])
    np.testing.assert_array_equal(step.v, v)
    np.testing.assert_array_equal(step.multiplicand, v)


def test_a_tile_at_once() -> None:
    pass_ = output_stationary()
    h, x = jnp.array(H, jnp.float32), jnp.array(X, jnp.float32)
    assert pass_.keeps == ("result",)
    np.testing.assert_array_equal(pass_.tile(h, (x,), (None,))[0], [[26, 30], [38, 44]])
