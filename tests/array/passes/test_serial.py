"""jaxgrad.array.passes.serial: compositions no schedule uses, and memory. (What schedules use: test_three_truths.)"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad.array.passes import serial
from tests.array.passes.compositions import COMPOSITIONS, SHAPES, Shape, assert_right, compose, temporary_bytes_a_row


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))
@pytest.mark.parametrize("name", COMPOSITIONS)
def test_any_composition(name: str, shape: Shape) -> None:
    assert_right(name, shape, shadows=False)


@pytest.mark.parametrize(("name", "streamed"), [("ws", 600), ("ws+os", 300), ("ws+os+ws", 230)])
def test_a_long_stream(name: str, streamed: int) -> None:
    """Many iterations of several cycles, and some cycles over."""
    assert_right(name, Shape(streamed, 3, 4, 2, 3), shadows=False)


@pytest.mark.parametrize("streamed", [1, 3])
@pytest.mark.parametrize("name", ["ws", "os"])
def test_a_sum_begins_at_zero_also_where_it_is_of_one_product(name: str, streamed: int) -> None:
    """0 + -0 is 0; where a program is short, XLA would know the zero and leave it out."""
    pass_ = compose(name, shadows=False)
    operand = jnp.ones((1 if name == "ws" else streamed, 1))
    run = jax.jit(lambda h, operand: serial.run(pass_, h, (operand,), 1, 1)[0])
    (result,) = run(jnp.full((streamed, 1), -0.0), operand)
    assert not np.signbit(result).any()


def test_columns_of_tiles_that_depend_on_each_other_are_not_its_own() -> None:
    pass_ = compose("ws+ws_transposed", shadows=False)
    ones = jnp.ones((2, 2))
    with pytest.raises(AssertionError, match="run it by overlapped"):
        serial.run(pass_, ones, (ones, ones), 2, 2)


def test_more_columns_of_tiles_than_run_side_by_side() -> None:
    """Five, of 512 x 2 PEs each, which is not a whole number of batches."""
    assert_right("ws+os", Shape(2, 3, 9, 512, 2), shadows=False)


def test_memory_grows_with_the_operands_and_not_with_the_array() -> None:
    """A streamed row brings a row of dY, of x and of dX; the planes of PEs are there once, whatever B is."""
    lanes, word = 64, 4
    row = 3 * lanes * word  # and a few copies of it, skewed for the edges
    pass_ = compose("ws+os", shadows=False)
    assert temporary_bytes_a_row(pass_, lanes, shadows=False) <= 6 * row < lanes * lanes * word
