"""jaxgrad.costs.hierarchy: plans and their counts, against walking them, and laws that any hierarchy keeps."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jaxgrad.array import schedules
from jaxgrad.array.counts import CYCLES, DRAM, MACS, STALLS, WRITES, Key
from jaxgrad.array.schedules import TRAINING_SCHEDULES
from jaxgrad.costs import hierarchy
from jaxgrad.costs.hierarchy import DRAM_KEYS, Plan, Planner, can_run
from jaxgrad.costs.orders import CHOICES, FUSED, ORDERS, SHARED
from jaxgrad.costs.search import OBJECTIVES, Unfit
from jaxgrad.costs.transfers import Shapes, dram_bytes
from jaxgrad.hardware import Accelerator, Machine, Memory, PerOperand, Precision
from jaxgrad.hardware.rates import MOST_BYTES
from tests.costs.layers import arrayed, arrays, precisions
from tests.costs.layers import shapes as layers
from tests.costs.walker import array_counts, held_bytes, moved_bytes, size_bytes, walk
from tests.keys import KEY, keyed
from tests.refusals import Refusal, assert_refused

SCHEDULES = ("ws", "os", *TRAINING_SCHEDULES)
HUGE = 2**50


def not_zero(counts: Any) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count}


def plan(layer: Shapes, machine: Machine, schedule: str, order: str = "best", objective: str = "cycles") -> Plan:
    planner = Planner(machine, arrayed(layer), objective)
    (found,) = planner.backward(schedule, order) if schedule != "forward" else planner.forward("ws")
    assert isinstance(found, Plan)
    return found


def key(plan: Plan, objective: str = "cycles") -> tuple[int, int]:
    return (plan.cycles, plan.dram_bytes) if objective == "cycles" else (plan.dram_bytes, plan.cycles)


def walked(plan: Plan, layer: Shapes, machine: Machine) -> tuple[dict[Key, int], int]:
    """All counts of a plan, DRAM's too, and the bytes moved."""
    memory, precision = machine.memory, machine.precision
    assert memory is not None
    total: dict[Key, int] = {}
    size = 0
    for run in plan.runs:
        sizes = dict(layer.sizes)
        needed: dict[str, int] = {}
        for (_, tensor), elements in walk(run.nests, sizes, run.block).reserved.items():
            needed[tensor] = needed.get(tensor, 0) + held_bytes(tensor, elements, layer, precision)
        half = 2 if memory.double_buffered else 1
        if isinstance(memory.sram_bytes, PerOperand):
            left = {tensor: memory.sram_bytes.of(tensor) // half - taken for tensor, taken in needed.items()}
            spare = left.get("dy", 0)
            assert min(left.values()) >= 0
        else:
            spare = memory.sram_bytes // half - sum(needed.values())
            assert spare >= 0
        window = spare // (2 * size_bytes("dy", run.block["b"] * run.block["n"], precision))
        there = walk(run.nests, sizes, run.block, window)
        moved = there.moved(layer)
        size += moved_bytes(moved, precision)
        each = array_counts(there.steps, run.mappings, machine.array)
        for key, count in (each | moved).items():
            total[key] = total.get(key, 0) + count
    return total, size


@st.composite
def machines(draw: st.DrawFn) -> Machine:
    size = st.integers(300, 3000)
    sram = PerOperand(*(draw(size) for _ in range(5))) if draw(st.booleans()) else draw(st.integers(500, 5000))
    memory = Memory(sram, draw(st.sampled_from([0.5, 2.0, 22.0])), 1.0, draw(st.booleans()))
    return Machine(draw(arrays(3)), memory, draw(precisions()))


def runs(schedule: str, order: str) -> bool:
    return schedule == "forward" or can_run(schedule, order)


@settings(max_examples=150)
@given(
    layer=layers(7),
    machine=machines(),
    schedule=st.sampled_from((*SCHEDULES, "forward")),
    order=st.sampled_from(ORDERS),
    objective=st.sampled_from(OBJECTIVES),
)
@example(Shapes(1, 1, 1, 1), Machine(Accelerator(1, 1), Memory(500, 1.0)), "interleaved", "best", "cycles")
def test_a_plan_counts_what_walking_it_counts(
    layer: Shapes, machine: Machine, schedule: str, order: str, objective: str
) -> None:
    found = plan(layer, machine, schedule, order if runs(schedule, order) else "best", objective)
    phases = hierarchy.counts(found, layer, machine)
    counts: dict[Key, int] = {}
    for phase in phases.values():
        for key, count in phase.items():
            counts[key] = counts.get(key, 0) + count
    expected, size = walked(found, layer, machine)
    stalls = counts.pop(STALLS)
    assert not_zero(counts) == expected
    assert found.dram_bytes == size == sum(dram_bytes(phase, machine.precision) for phase in phases.values())
    assert found.cycles == counts[CYCLES] + stalls
    assert all(type(count) is int for count in counts.values())
    assert set(phases) <= {"forward", "dx", "dw", "dx+dw"}
    assert {key for key in counts if key.level == DRAM} <= set(DRAM_KEYS)


@settings(max_examples=40)
@given(
    layer=layers(8),
    array=arrays(3),
    schedule=st.sampled_from((*SCHEDULES, "forward")),
    sram=st.tuples(st.integers(500, 4000), st.integers(0, 4000)),
    rates=st.tuples(st.integers(1, 40), st.integers(0, 40)),
    objective=st.sampled_from(OBJECTIVES),
    double_buffered=st.booleans(),
)
def test_more_sram_and_more_bandwidth_never_hurt(
    layer: Shapes,
    array: Accelerator,
    schedule: str,
    sram: tuple[int, int],
    rates: tuple[int, int],
    objective: str,
    double_buffered: bool,
) -> None:
    def spent(size: int, rate: float) -> int:
        found = plan(layer, Machine(array, Memory(size, rate, 1.0, double_buffered)), schedule, objective=objective)
        return found.cycles if objective == "cycles" else found.dram_bytes

    (size, more), (rate, faster) = sram, rates
    assert spent(size + more, rate) <= spent(size, rate)
    assert spent(size, rate + faster) <= spent(size, rate)


@settings(max_examples=40)
@given(layer=layers(8), machine=machines(), schedule=st.sampled_from(SCHEDULES), order=st.sampled_from(SHARED))
def test_dram_moves_everything_at_least_once(layer: Shapes, machine: Machine, schedule: str, order: str) -> None:
    found = plan(layer, machine, schedule, order if runs(schedule, order) else "best")
    words = layer.words
    moved: dict[Key, int] = {}
    for phase in hierarchy.counts(found, layer, machine).values():
        for key, count in phase.items():
            moved[key] = moved.get(key, 0) + count
    results = [result for run in found.runs for nest in run.nests for result in nest.results]
    for result in results:
        assert moved[Key(DRAM, result, WRITES)] == words[result]
    assert moved[KEY["dram_dy_reads"]] >= words["dy"]
    assert moved.get(KEY["dram_w_reads"], 0) >= (words["w"] if "dx" in results else 0)
    assert moved.get(KEY["dram_x_reads"], 0) >= (words["x"] if "dw" in results else 0)
    assert moved[KEY["dram_psum_reads"]] == moved[KEY["dram_psum_writes"]]


@settings(max_examples=30)
@given(
    layer=layers(8), machine=machines(), schedule=st.sampled_from(SCHEDULES[2:]), objective=st.sampled_from(OBJECTIVES)
)
def test_the_best_order_is_the_best_of_all(layer: Shapes, machine: Machine, schedule: str, objective: str) -> None:
    def least(*runs: tuple[str, str]) -> tuple[int, int]:
        return min(key(plan(layer, machine, name, order, objective), objective) for name, order in runs)

    for choice, orders in CHOICES.items():
        if schedule == "auto":
            assert least(("auto", choice)) == least(*((own.name, choice) for own in schedules.find("auto").among))
        else:
            able = [(schedule, order) for order in orders if can_run(schedule, order)]
            assert least((schedule, choice)) == least(*able)


def test_the_rule_s_order_is_what_runs() -> None:
    cubic, tall, deep = Shapes(16, 16, 16, 256), Shapes(64, 8, 8, 512), Shapes(8, 64, 8, 512)
    machine = Machine(Accelerator(4, 4), Memory(2000, 2.0))
    found = Planner(machine, arrayed(cubic, tall, deep)).backward("sequential", "rule")
    orders = ("alternating", "dx_major", "dw_major")
    assert found == [
        plan(layer, machine, "sequential", order) for layer, order in zip((cubic, tall, deep), orders, strict=True)
    ]


# b 1, k 2, n 2 on a 2x2 array at least: dX alone takes dY 2, W 4, dX 2 words; dW alone X 2, dY 2, dW 4;
# both together X 2, dY 2, W 4, dX 2, dW 4, and dY once more where they alternate.
SEPARATE_BYTES, FUSED_BYTES, ALTERNATING_BYTES = 32, 56, 64
LAYER = Shapes(4, 4, 4, 16)


@pytest.mark.parametrize(
    ("order", "least"),
    [("separate", SEPARATE_BYTES), ("alternating", ALTERNATING_BYTES), *((name, FUSED_BYTES) for name in FUSED)],
)
def test_the_smallest_scratchpad_for_an_order(order: str, least: int) -> None:
    def run(size: int) -> Plan | Unfit:
        machine = Machine(Accelerator(2, 2), Memory(size, 1.0, double_buffered=False))
        (found,) = Planner(machine, arrayed(LAYER)).backward("sequential", order)
        return found

    assert isinstance(run(least), Plan)
    assert run(least - 1) == Unfit(1)


@pytest.mark.parametrize("schedule", ["sequential", "ws_only", "os_only"])
def test_the_best_order_does_with_what_the_thriftiest_needs(schedule: str) -> None:
    """Where both gradients of a block at once do not fit, one after the other may."""
    machine = Machine(Accelerator(2, 2), Memory(SEPARATE_BYTES, 1.0, double_buffered=False))
    assert plan(LAYER, machine, schedule, "best") == plan(LAYER, machine, schedule, "separate")


def test_auto_does_with_what_the_thriftiest_schedule_needs() -> None:
    machine = Machine(Accelerator(2, 2), Memory(SEPARATE_BYTES, 1.0, double_buffered=False))
    best = min(key(plan(LAYER, machine, schedule, "separate")) for schedule in ("sequential", "ws_only", "os_only"))
    assert key(plan(LAYER, machine, "auto", "separate")) == best


def test_where_nothing_fits_the_least_that_lacks_is_told() -> None:
    """dX alone takes one more byte than there is; both gradients of a block at once would take more yet."""
    machine = Machine(Accelerator(2, 2), Memory(SEPARATE_BYTES - 1, 1.0, double_buffered=False))
    for schedule in ("sequential", "auto"):
        assert Planner(machine, arrayed(LAYER)).backward(schedule, "best") == [Unfit(1)]


def test_the_rule_asks_for_no_more_than_what_it_chooses_needs() -> None:
    """A layer that goes dX-major has no use for the room that alternating would take."""
    tall = Shapes(64, 4, 4, 256)
    machine = Machine(Accelerator(2, 2), Memory(FUSED_BYTES, 1.0, double_buffered=False))
    assert plan(tall, machine, "sequential", "rule") == plan(tall, machine, "sequential", "dx_major")


@pytest.mark.parametrize("order", ["separate", "alternating", "rule"])
def test_interleaved_passes_refuse_orders_that_are_not_theirs(order: str) -> None:
    machine = Machine(Accelerator(2, 2), Memory(5000, 1.0))
    call = Planner(machine, arrayed(LAYER))
    refusal = Refusal(lambda: call.backward("interleaved", order), "order", repr(order), "dx_major, dw_major, k_major")
    assert_refused(refusal)


def test_other_orders_are_refused() -> None:
    call = Planner(Machine(Accelerator(2, 2), Memory(5000, 1.0)), arrayed(LAYER))
    assert_refused(Refusal(lambda: call.backward("ws_only", "zigzag"), "order", "'zigzag'", "alternating, dx_major"))


@pytest.mark.parametrize(("dx", "dw", "tensors"), [(True, False, {"dy", "w", "dx"}), (False, True, {"x", "dy", "dw"})])
def test_one_gradient_alone(dx: bool, dw: bool, tensors: set[str]) -> None:
    machine = Machine(Accelerator(2, 2), Memory(5000, 1.0))
    for schedule in SCHEDULES:
        if schedule == ("os" if dx else "ws"):
            continue
        (found,) = Planner(machine, arrayed(LAYER)).backward(schedule, "best", dx=dx, dw=dw)
        assert isinstance(found, Plan)
        (phase, counts), *more = hierarchy.counts(found, LAYER, machine).items()
        assert not more
        assert phase == ("dx" if dx else "dw")
        moved = {key.tensor for key, count in counts.items() if key.level == DRAM and count}
        assert moved == tensors


def test_a_huge_scratchpad_moves_everything_once() -> None:
    layer = Shapes(6, 7, 8, 30)
    machine = Machine(Accelerator(2, 3), Memory(HUGE, 1.0))
    counts = hierarchy.counts(plan(layer, machine, "interleaved"), layer, machine)["dx+dw"]
    assert {key.name: count for key, count in counts.items() if key.level == DRAM and count} == {
        "dram_dy_reads": 48,
        "dram_w_reads": 56,
        "dram_x_reads": 30,
        "dram_dx_writes": 30,
        "dram_dw_writes": 56,
    }


def test_transfer_cycles_and_bytes_of_counts() -> None:
    machine = Machine(Accelerator(1, 1), Memory(1000, 2.0), Precision.of("bf16"))
    counts = keyed({"dram_w_reads": 10, "dram_dw_reads": 10, "dram_vector_words": 3, "cycles": 99, "w_reads": 5})
    assert dram_bytes(counts, machine.precision) == 20 + 40 + 6
    assert hierarchy.transfer_cycles(counts, machine) == 33


def test_exact_where_64_bits_would_not_do() -> None:
    """A plan's numbers stay those of Python ints, however large."""
    side = 2**22
    layer = Shapes(side, side, side, side * side)
    machine = Machine(Accelerator(2**20, 2**20), Memory(MOST_BYTES, 1.0))
    planner = Planner(machine, arrayed(layer))
    (found,) = planner.backward("interleaved", "k_major")
    assert isinstance(found, Plan)
    counts = hierarchy.counts(found, layer, machine)["dx+dw"]
    assert counts[MACS] == 2 * side**3
    assert counts[KEY["dram_dy_reads"]] == side**2
    assert found.dram_bytes == 5 * 4 * side**2
