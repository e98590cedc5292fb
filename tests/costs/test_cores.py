"""jaxgrad.costs.cores: a layer on several cores is its parts on one each, and the sums they exchange."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgrad.array.counts import CYCLES, DRAM, MACS, STALLS, WRITES, Key, stalls_of
from jaxgrad.array.schedules import TRAINING_SCHEDULES
from jaxgrad.costs import cores, hierarchy
from jaxgrad.costs.cores import CoresPlanner, Partition
from jaxgrad.costs.hierarchy import Plan, Planner
from jaxgrad.costs.search import Unfit
from jaxgrad.costs.transfers import Shapes
from jaxgrad.hardware import Accelerator, Level, Machine, Memory, Precision
from tests.costs.layers import arrayed, arrays
from tests.costs.layers import shapes as layers
from tests.keys import KEY

AXES = {"batch": "b", "in_features": "k", "out_features": "n"}
SCHEDULES = ("ws", "os", *TRAINING_SCHEDULES)
SUMMED = {"batch": "dw", "out_features": "dx", "in_features": "y"}


def found(layer: Shapes, machine: Machine, schedule: str) -> Partition:
    planner = CoresPlanner(machine, arrayed(layer))
    (own,) = planner.forward("ws") if schedule == "forward" else planner.backward(schedule, "best")
    assert isinstance(own, Partition)
    return own


def machine(array: Accelerator, many: int, partition: str) -> Machine:
    return Machine(array, Memory(3000, 2.0), Precision.of("bf16"), cores=many, partition=partition)


@settings(max_examples=30)
@given(layer=layers(), array=arrays(3), schedule=st.sampled_from((*SCHEDULES, "forward")))
def test_one_core_is_the_planner_s(layer: Shapes, array: Accelerator, schedule: str) -> None:
    own = machine(array, 1, "batch")
    partition = found(layer, own, schedule)
    planner = Planner(own, arrayed(layer))
    (plan,) = planner.forward("ws") if schedule == "forward" else planner.backward(schedule, "best")
    assert isinstance(plan, Plan)
    assert [share.plan for share in partition.shares] == [plan]
    assert (partition.cycles, partition.dram_bytes) == (plan.cycles, plan.dram_bytes)
    assert cores.counts(partition, layer, own) == hierarchy.counts(plan, layer, own)


@settings(max_examples=80)
@given(
    layer=layers(),
    array=arrays(3),
    schedule=st.sampled_from((*SCHEDULES, "forward")),
    many=st.integers(2, 12),
    axis=st.sampled_from(sorted(AXES)),
)
def test_parts_make_up_the_layer(layer: Shapes, array: Accelerator, schedule: str, many: int, axis: str) -> None:
    own = machine(array, many, axis)
    partition = found(layer, own, schedule)
    letter = AXES[axis]
    assert partition.axis == letter
    assert sum(share.cores * share.shapes.sizes[letter] for share in partition.shares) == layer.sizes[letter]
    assert sum(share.cores for share in partition.shares) <= many
    assert partition.shares[0].shapes.sizes[letter] == -(-layer.sizes[letter] // many)
    assert all(
        share.shapes.sizes[other] == layer.sizes[other] for share in partition.shares for other in set("bkn") - {letter}
    )
    phases = cores.counts(partition, layer, own)
    total: dict[Key, int] = {}
    for counts in phases.values():
        for key, count in counts.items():
            total[key] = total.get(key, 0) + count
    products = {"forward": 1, "ws": 1, "os": 1}.get(schedule, 2)
    assert total[MACS] == products * layer.b * layer.k * layer.n
    assert total[CYCLES] + total[STALLS] == partition.cycles
    assert partition.cycles >= max(share.plan.cycles for share in partition.shares)
    apart = [hierarchy.counts(share.plan, share.shapes, own) for share in partition.shares]
    for key in map(KEY.__getitem__, ("w_reads", "dy_hops", "dram_w_reads", "dram_dy_reads")):
        each = [
            share.cores * sum(counts.get(key, 0) for counts in phases.values())
            for share, phases in zip(partition.shares, apart, strict=True)
        ]
        assert total.get(key, 0) == sum(each)


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("schedule", ["interleaved", "sequential", "forward"])
def test_sums_are_exchanged_along_the_axis_that_a_result_lacks(axis: str, schedule: str) -> None:
    """Four cores, ample memory: each of three writes its sums of fp32, and they are read back to be added."""
    layer = Shapes(8, 12, 16, 96)
    own = Machine(Accelerator(2, 2), Memory(2**30, 4.0), Precision.of("bf16"), cores=4, partition=axis)
    alone = Machine(Accelerator(2, 2), Memory(2**30, 4.0), Precision.of("bf16"))
    partition = found(layer, own, schedule)
    phases = cores.counts(partition, layer, own)
    spilled = sum(counts[KEY["dram_psum_writes"]] for counts in phases.values())
    assert spilled == sum(counts[KEY["dram_psum_reads"]] for counts in phases.values())
    results = ("y",) if schedule == "forward" else ("dx", "dw")
    (share,) = partition.shares
    if SUMMED[axis] not in results:
        assert (partition.summed, spilled) == ((), 0)
        assert partition.cycles == share.plan.cycles
        return
    assert partition.summed == (SUMMED[axis],)
    assert spilled == 3 * layer.words[SUMMED[axis]]
    (plan,) = (
        Planner(alone, arrayed(share.shapes)).forward("ws")
        if schedule == "forward"
        else Planner(alone, arrayed(share.shapes)).backward(schedule, "best")
    )
    assert isinstance(plan, Plan)
    # three of the cores write sums where each would write a result
    width = 4 if SUMMED[axis] == "dw" else 2
    assert partition.dram_bytes == 4 * plan.dram_bytes - width * spilled + 2 * 4 * spilled
    # four channels of four bytes a cycle
    assert plan.cycles < partition.cycles <= plan.cycles + 2 * 4 * spilled // 4 // 4


@settings(max_examples=20)
@given(layer=layers(), array=arrays(3), schedule=st.sampled_from(SCHEDULES), many=st.integers(2, 5))
def test_the_best_axis_is_the_best(layer: Shapes, array: Accelerator, schedule: str, many: int) -> None:
    def spent(axis: str) -> tuple[int, int]:
        partition = found(layer, machine(array, many, axis), schedule)
        return partition.cycles, partition.dram_bytes

    assert spent("best") == min(map(spent, AXES))


def test_an_axis_that_fits_is_better_than_one_that_lacks_a_byte() -> None:
    layer, bf16 = Shapes(64, 8, 8, 512), Precision.of("bf16")
    runs = {
        axis: CoresPlanner(
            Machine(Accelerator(4, 4), Memory(158, 2.0), bf16, cores=4, partition=axis), arrayed(layer)
        ).backward("sequential", "best")
        for axis in (*AXES, "best")
    }
    (whole,), (cut,), (best,) = runs["batch"], runs["in_features"], runs["best"]
    assert isinstance(whole, Unfit)
    assert whole.lacking_bytes == 1
    assert isinstance(cut, Partition)
    assert best == cut


def test_layers_that_do_not_fit_on_any_axis() -> None:
    tiny = Machine(Accelerator(4, 4), Memory(20, 1.0), cores=2, partition="best")
    (unfit,) = CoresPlanner(tiny, arrayed(Shapes(8, 8, 8, 64))).backward("interleaved", "best")
    assert isinstance(unfit, Unfit)
    assert unfit.lacking_bytes > 0


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("schedule", ["interleaved", "sequential", "forward"])
def test_each_result_is_written_once(axis: str, schedule: str) -> None:
    """What a core has but sums of is written as those, and as a result by the core that adds them up."""
    layer = Shapes(8, 12, 16, 96)
    own = Machine(Accelerator(2, 2), Memory(2**30, 4.0), Precision.of("bf16"), cores=4, partition=axis)
    phases = cores.counts(found(layer, own, schedule), layer, own)
    for result in ("y",) if schedule == "forward" else ("dx", "dw"):
        written = sum(counts.get(Key(DRAM, result, WRITES), 0) for counts in phases.values())
        assert written == layer.words[result]


def test_a_shared_level_is_a_part_of_it_for_each_core() -> None:
    """Four cores with a part each of two buffers cost what four with a buffer of that part each do, and the stalls of
    each memory are those of the slowest core."""
    layer = Shapes(33, 20, 17, 400)
    parts, wholes = Level("buffer", 6000, 6.0), Level("buffer", 12000, 12.0, shared_by=2)
    results = []
    for level in (parts, wholes):
        memory = Memory(400, 1.0, levels=(level,))
        own = Machine(Accelerator(3, 3), memory, Precision.of("bf16"), cores=4, partition="batch")
        partition = found(layer, own, "interleaved")
        results.append((partition.cycles, partition.dram_bytes, cores.counts(partition, layer, own)))
    assert results[0] == results[1]
    cycles, _, phases = results[0]
    (total,) = phases.values()
    assert total[Key("buffer", "dy", "fills")] > 0
    assert total[CYCLES] + total[STALLS] == cycles
    assert total[stalls_of("buffer")] < total[stalls_of("dram")] <= total[STALLS]
