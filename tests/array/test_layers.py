"""jaxgrad.array.layers: phases of a layer that the scratchpad holds whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgrad import Gemm, count, count_forward
from jaxgrad.array import choice, layers, schedules
from jaxgrad.array.counts import CYCLES, KEYS, Key, by_name
from jaxgrad.hardware import Accelerator
from tests.costs.layers import arrays

SIZES = {"b": 5, "k": 6, "n": 7}


def total(phases: layers.Phases) -> dict[Key, int]:
    return {key: sum(counts.get(key, 0) for counts in phases.values()) for key in KEYS}


@given(
    sizes=st.tuples(*[st.integers(1, 20)] * 3),
    array=arrays(),
    schedule=st.sampled_from(schedules.SCHEDULES),
)
def test_phases_add_up_to_the_schedule(sizes: tuple[int, int, int], array: Accelerator, schedule: str) -> None:
    gemm = Gemm(*sizes)
    phases = layers.backward(choice.backward_mappings(schedule, gemm, array), gemm.sizes, array)
    assert total(phases) == count(gemm, array, schedule).counts()
    assert all(value >= 0 for counts in phases.values() for value in counts.values())


@pytest.mark.parametrize(
    ("schedule", "names"),
    [
        ("ws", {"dx"}),
        ("os", {"dw"}),
        ("sequential", {"dx", "dw"}),
        ("interleaved", {"dx+dw"}),
        ("interleaved_n", {"dx+dw"}),
        ("interleaved_k", {"dx+dw"}),
        ("ws_only", {"dx", "dw"}),
        ("os_only", {"dx", "dw"}),
    ],
)
def test_names_of_phases(schedule: str, names: set[str]) -> None:
    array = Accelerator(2, 3)
    mappings = choice.backward_mappings(schedule, Gemm(*SIZES.values()), array)
    assert set(layers.backward(mappings, SIZES, array)) == names


def test_where_two_passes_overlap_the_first_one_gains() -> None:
    array = Accelerator(2, 3, double_buffered=True)
    phases = layers.backward((schedules.SEQUENTIAL,), SIZES, array)
    assert phases["dw"][CYCLES] == count(Gemm(*SIZES.values()), array, "os").as_dict()["cycles"]
    alone = count(Gemm(*SIZES.values()), array, "ws").as_dict()["cycles"]
    assert phases["dx"][CYCLES] == alone - (2 + 3 - 2)


@pytest.mark.parametrize("dataflow", ["ws", "os", "is"])
def test_forward(dataflow: str) -> None:
    array = Accelerator(2, 3)
    phases = layers.forward(dataflow, SIZES, array)
    assert set(phases) == {"forward"}
    assert total(phases) == count_forward(Gemm(*SIZES.values()), array, dataflow).counts()


@pytest.mark.parametrize(
    ("how", "in_array", "expected"),
    [
        ("none", True, {}),
        ("none", False, {}),
        ("separate", True, {"w_reads": 42, "dw_reads": 42, "w_writes": 42}),
        ("in_array", False, {"w_reads": 42, "dw_reads": 42, "w_writes": 42}),
        ("in_array", True, {"dw_writes": -42, "w_writes": 42}),
    ],
)
def test_update(how: str, in_array: bool, expected: dict[str, int]) -> None:
    assert by_name(layers.update(how, SIZES, in_array=in_array)) == expected


def test_update_cycles_by_hand() -> None:
    """7 x 6 weights, n along 3 rows and k along 4 columns: 3 x 2 tiles of 3 cycles."""
    assert layers.update_cycles(SIZES, Accelerator(3, 4)) == 18
