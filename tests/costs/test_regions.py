"""jaxgrad.costs.regions: the fastest schedule of many layers at once; the rules of docs/when-interleaving-pays.md."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgrad import Accelerator, Gemm, count
from jaxgrad.array.schedules import TRAINING_SCHEDULES
from jaxgrad.base.errors import InputError
from jaxgrad.costs.regions import Layers, cycles, regions
from tests.costs.layers import arrays

sizes = st.lists(st.integers(1, 40), min_size=3, max_size=3)


@given(layers=st.lists(sizes, min_size=1, max_size=4), array=arrays())
def test_each_layer_has_the_cycles_of_its_counters(layers: list[list[int]], array: Accelerator) -> None:
    b, k, n = np.array(layers).T
    result = regions(Layers(b, k, n), dict.fromkeys(TRAINING_SCHEDULES, array))
    for place, layer in enumerate(layers):
        expected = [count(Gemm(*layer), array, name).as_dict()["cycles"] for name in TRAINING_SCHEDULES]
        assert result.cycles[:, place].tolist() == expected
        assert result.fastest[place] == expected.index(min(expected))


def test_sizes_past_64_bits() -> None:
    huge, array = 2**62, Accelerator(1, 1)
    result = regions(Layers(huge, 3, 5), {"interleaved": array})
    assert result.cycles.tolist() == [15 * (3 + 1 + 2 * huge - 2)]


def test_an_array_for_each_schedule_and_what_some_save() -> None:
    """interleaved on 4 x 4: 9 tiles of 30 cycles; sequential on 8 x 8: 4 tiles, twice 30 each."""
    result = regions(Layers(8, 9, 10), {"interleaved": Accelerator(4, 4), "sequential": Accelerator(8, 8)})
    assert result.cycles.tolist() == [270, 2 * 4 * (2 * 8 + 8 + 8 - 2)]
    assert result.saving(["interleaved"]) == 1 - 270 / 240
    assert result.saving(["sequential"]) == 1 - 240 / 270
    assert result.fastest == 1


def test_nothing_to_compare() -> None:
    with pytest.raises(InputError, match="give at least one schedule"):
        regions(Layers(1, 1, 1), {})


MANY = 4096  # tiles enough that the first load and the last drain do not matter
SIDE = 64


@pytest.mark.parametrize(
    ("stream", "quotient"), [(4 * SIDE, 1.0), (SIDE, 1.0), (3 * SIDE // 4, 0.75), (SIDE // 2, 0.5), (SIDE // 8, 0.5)]
)
@pytest.mark.parametrize("axis", ["b", "n"])
def test_double_buffered_it_pays_where_the_streamed_axis_is_shorter_than_the_rows(
    axis: str, stream: int, quotient: float
) -> None:
    """max(2s, R) cycles a tile against twice max(s, R)."""
    array, long = Accelerator(SIDE, SIDE, double_buffered=True), SIDE * MANY
    layer = Layers(stream, SIDE, long) if axis == "b" else Layers(long, SIDE, stream)
    interleaved = cycles("interleaved" if axis == "b" else "interleaved_n", layer, array)
    apart = 2 * MANY * max(stream, SIDE)
    assert interleaved / apart == pytest.approx(quotient, rel=0.01)
    if axis == "b":
        assert interleaved / cycles("sequential", layer, array) == pytest.approx(quotient, rel=0.01)


@given(stream=st.integers(1, 500), rows=st.integers(1, 20), cols=st.integers(1, 20), tiles=st.integers(1, 30))
def test_serial_it_saves_a_wavefront_a_tile(stream: int, rows: int, cols: int, tiles: int) -> None:
    array, layer = Accelerator(rows, cols), Layers(stream, cols, rows * tiles)
    saved = cycles("sequential", layer, array) - cycles("interleaved", layer, array)
    assert saved == tiles * (rows + cols - 2)


def test_a_short_axis_belongs_on_the_stream() -> None:
    """N = R/4, B and K long: streaming b leaves 3/4 of the rows idle, streaming n waits for loads, R of 2N cycles."""
    array, layer = Accelerator(SIDE, SIDE, double_buffered=True), Layers(SIDE * MANY, SIDE * 8, SIDE // 4)
    quotient = cycles("interleaved_n", layer, array) / cycles("interleaved", layer, array)
    assert quotient == pytest.approx(1 / 2, rel=0.01)
    half = Layers(SIDE * MANY, SIDE * 8, 3 * SIDE // 4)
    assert cycles("interleaved_n", half, array) / cycles("interleaved", half, array) == pytest.approx(3 / 4, rel=0.01)
