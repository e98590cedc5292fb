"""jaxgrad.array.passes.tile_events: adding up tile by tile, as the array takes them."""

from __future__ import annotations

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgrad.array import closed_form
from jaxgrad.array.passes.base import Keeps
from jaxgrad.array.passes.events import Events, SlotEvents
from jaxgrad.array.passes.tile_events import walk
from jaxgrad.array.passes.timeline import Order
from jaxgrad.hardware import Accelerator

KEEPS: tuple[Keeps, ...] = ("operand", "result")
COMPOSITIONS = [keeps for length in (1, 2, 3) for keeps in product(KEEPS, repeat=length)]
BOTH_WAYS: list[tuple[Keeps, ...]] = [("operand", "nothing"), ("result", "operand", "nothing")]
size = st.integers(1, 30)
lanes = st.integers(1, 8)


def test_two_ragged_tiles_by_hand() -> None:
    """s = 2, p = 3, q = 1 on a 2 x 2 array: a full tile of rows and one of a single row, a single column each."""
    events = walk(("operand", "result"), "alternate", 2, 3, 1, Accelerator(2, 2))
    keeps_operand = SlotEvents(
        macs=2 * 2 + 2 * 1,
        operand_reads=2 + 1,
        psum_reads=2,  # the second tile takes up the first one's two sums
        psum_writes=2 + 2,
        psum_hops=2 * 2 + 2 * 2,  # through both rows, real or not
    )
    keeps_result = SlotEvents(
        macs=6,
        operand_reads=2 + 2,
        operand_hops=2 * 2 + 2 * 2,
        result_writes=2 + 1,
        acc_updates=6,
    )
    # A tile: 2 to load, 2 slots of 2 rows, 1 + 1 for the skew, 2 to drain. Each row of h moves through both columns.
    assert events == Events(2 * (2 + 4 + 2 + 2), 2 * 2 + 2 * 1, 12, (keeps_operand, keeps_result))


RUNS = [
    *((keeps, order) for keeps in COMPOSITIONS for order in ("alternate", "in turn", "overlapped drain")),
    *((keeps, "alternate") for keeps in BOTH_WAYS),
]


@settings(max_examples=300)
@given(
    run=st.sampled_from(RUNS),
    sizes=st.tuples(size, size, size),
    array=st.builds(Accelerator, lanes, lanes, st.booleans()),
)
def test_the_walk_comes_to_the_closed_form(
    run: tuple[tuple[Keeps, ...], Order],
    sizes: tuple[int, int, int],
    array: Accelerator,
) -> None:
    keeps, order = run
    closed = closed_form.events(keeps, order, *sizes, array)
    shapes_alone = tuple(slot._replace(effectual_macs=0) for slot in closed.slots)
    assert walk(keeps, order, *sizes, array) == closed._replace(slots=shapes_alone)
