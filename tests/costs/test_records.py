"""jaxgrad.costs.records: sums over layers and phases, by hand."""

from __future__ import annotations

import pytest

from jaxgrad.array.counts import CYCLES, KEYS, STALLS, Key
from jaxgrad.array.gemm import Gemm
from jaxgrad.costs import LayerCost, StepCost, VectorCost, accesses, dram_accesses, time_cycles
from jaxgrad.costs.records import add, times
from jaxgrad.programs import LayerGemm
from tests.keys import KEY, keyed


def counts(**some: int) -> dict[Key, int]:
    return dict.fromkeys(KEYS, 0) | keyed(some)


def layer(path: str, cycles: int, *, needs_dx: bool = True) -> LayerCost:
    gemms = (LayerGemm(path, Gemm(1, 1, 1), 1, needs_dx=False), LayerGemm(path, Gemm(1, 1, 2), 1, needs_dx=needs_dx))
    fused = {"forward": counts(cycles=cycles), "dx+dw": counts(cycles=10 * cycles, w_reads=1, stall_cycles=3)}
    apart = {
        "forward": counts(cycles=cycles),
        "dx": counts(cycles=20 * cycles),
        "dw": counts(cycles=30 * cycles, stall_cycles=5),
        "update": counts(w_writes=7),
    }
    return LayerCost(path, gemms, {"interleaved": fused, "sequential": apart})


COST = StepCost(
    (layer("a", 1), layer("b", 100, needs_dx=False)),
    ("interleaved", "sequential"),
    vector=(
        VectorCost("activation", "forward", counts(cycles=1000)),
        VectorCost("loss", "forward", counts(cycles=2000)),
        VectorCost("activation", "backward", counts(cycles=4000)),
    ),
)


def test_backward_is_all_but_forward() -> None:
    own = COST.layers[0]
    assert own.forward[CYCLES] == 1
    assert {name: (total[CYCLES], total[KEY["w_writes"]]) for name, total in own.backward.items()} == {
        "interleaved": (10, 0),
        "sequential": (50, 7),
    }


def test_totals() -> None:
    assert COST.total_forward()[CYCLES] == 101
    assert COST.total("interleaved")[CYCLES] == 1010
    assert COST.total("sequential")[CYCLES] == 5050
    assert COST.step("interleaved")[CYCLES] == 101 + 1010 + 7000
    assert COST.step("sequential")[STALLS] == 10


def test_phases() -> None:
    cycles = {phase.label: total[CYCLES] for phase, total in COST.phases("sequential").items()}
    assert cycles == {
        "forward": 101,
        "dx": 2020,
        "dw": 3030,
        "update": 0,
        "vector forward": 3000,
        "vector backward": 4000,
    }


def test_one_of_a_layer_s_gemms_is_enough_to_need_dx() -> None:
    assert [own.needs_dx for own in COST.layers] == [True, False]


def test_sums_of_nothing_are_zeros() -> None:
    assert add([]) == dict.fromkeys(KEYS, 0)
    assert add([keyed({"cycles": 1}), keyed({"cycles": 2, "dram_w_reads": 3})]) == counts(cycles=3, dram_w_reads=3)


def test_equal_runs_count_once_each() -> None:
    assert times({CYCLES: 5, STALLS: 0, KEY["w_reads"]: 2}, 3) == {CYCLES: 15, STALLS: 0, KEY["w_reads"]: 6}


def test_numbers_of_counts() -> None:
    own = counts(cycles=5, stall_cycles=2, w_reads=10, dw_writes=20, dram_w_reads=300, dram_vector_words=4000, macs=9)
    assert time_cycles(own) == 7
    assert time_cycles(counts(cycles=5)) == 5
    assert accesses(own) == 30
    assert dram_accesses(own) == 4300


def test_counts_without_a_machine_have_no_energy() -> None:
    with pytest.raises(ValueError, match=r"^machine: got none;"):
        COST.energy_pj("interleaved")
