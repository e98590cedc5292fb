"""jaxgrad.pipelines.simulator: against closed forms, on hundreds of random cases."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgrad.base.errors import InputError
from jaxgrad.pipelines.asynchronous import after, there_and_back
from jaxgrad.pipelines.pipeline import PIPELINES, Op, Pipeline, Shape, find
from jaxgrad.pipelines.simulator import Simulation, Stage, simulate

times = st.integers(1, 19)
stages = st.lists(st.builds(lambda f, b: Stage({"F": f, "B": b}), times, times), min_size=1, max_size=6)
sent = st.integers(0, 9)
sending = st.lists(
    st.builds(lambda f, b, x, y: Stage({"F": f, "B": b}, x, y), times, times, sent, sent), min_size=1, max_size=5
)


def run(
    name: str, of: list[Stage], microbatches: int = 1, batches: int = 1, chunks: int = 1, **more: bool
) -> Simulation:
    return simulate(find(name), of, Shape(len(of) // chunks, chunks, microbatches, batches), **more)


@settings(max_examples=200)
@given(of=stages, name=st.sampled_from(["pipedream", "layerpipe_intra", "layerpipe"]))
def test_an_asynchronous_period_is_the_slowest_arrays_work(of: list[Stage], name: str) -> None:
    """LayerPipe's twice as many in flight always do; PipeDream's where forward and backward passes are alike."""
    slowest = max(sum(stage.times.values()) for stage in of)
    period = run(name, of, batches=80).period()
    if name == "pipedream":
        equal = [Stage({"F": 7, "B": 11})] * len(of)
        assert run(name, equal, batches=80).period() == 18
        assert period >= slowest
    else:
        assert period == slowest


def test_a_queue_from_the_filling_does_not_shorten_the_period() -> None:
    """The second array is the slowest; 30 batches end at the pace of the first, which works off its queue."""
    of = [Stage({"F": f, "B": b}) for f, b in ((37, 12), (0, 50), (17, 33), (12, 25), (15, 30))]
    ends = run("layerpipe", of, batches=30).batch_ends
    assert ends[20] - ends[19] == 49
    assert run("layerpipe", of, batches=30).period() == 50


def test_arrays_that_take_batches_in_turn_share_their_stages_work() -> None:
    """Seven batches on two arrays: one has four of them, and the period is not four sevenths of a batch's work."""
    shape = Shape(2, batches=7, replicas=(2,))
    assert simulate(find("pipedream_replicated"), [Stage({"F": 1, "B": 1})], shape).period() == 1


@settings(max_examples=200)
@given(of=sending)
def test_where_arrays_wait_for_their_words_the_period_has_them(of: list[Stage]) -> None:
    slowest = max(
        sum(stage.times.values())
        + (stage.forward_sent if number < len(of) - 1 else 0)
        + (stage.backward_sent if number else 0)
        for number, stage in enumerate(of)
    )
    assert run("layerpipe", of, batches=80, overlapped=False).period() == slowest


@settings(max_examples=100)
@given(of=sending)
def test_overlapped_words_take_no_less_than_either_and_no_more_than_both(of: list[Stage]) -> None:
    work = max(sum(stage.times.values()) for stage in of)
    wires = [*(stage.forward_sent for stage in of[:-1]), *(stage.backward_sent for stage in of[1:]), 0]
    period = run("layerpipe", of, batches=80).period()
    assert max(work, *wires) <= period <= run("layerpipe", of, batches=80, overlapped=False).period()


@settings(max_examples=100)
@given(of=stages, many=st.integers(1, 8))
def test_gpipe_is_a_flow_shop_there_and_back(of: list[Stage], many: int) -> None:
    forward, backward = ([stage.times[kind] for stage in of] for kind in ("F", "B"))
    expected = sum(forward) + (many - 1) * max(forward) + sum(backward) + (many - 1) * max(backward)
    assert run("gpipe", of, many).makespan == expected
    assert max(run("gpipe", of, many).in_flight()) == many


@settings(max_examples=100)
@given(f=times, b=times, count=st.integers(1, 6), many=st.integers(1, 12))
def test_1f1b_with_a_flush(f: int, b: int, count: int, many: int) -> None:
    """Of equal stages: a bubble of (p - 1)/m of the ideal time, p microbatches in flight at the first stage."""
    equal = [Stage({"F": f, "B": b})] * count
    simulation = run("1f1b", equal, many, batches=7)
    ideal = many * (f + b)
    assert simulation.period() == ideal + (count - 1) * (f + b)
    assert run("1f1b", equal, many).in_flight() == [min(many, count - stage) for stage in range(count)]
    assert run("gpipe", equal, many, batches=7).period() == simulation.period()


@settings(max_examples=60)
@given(time=times, count=st.integers(1, 4), groups=st.integers(1, 3), chunks=st.integers(1, 3))
def test_interleaved_stages_divide_the_bubble(time: int, count: int, groups: int, chunks: int) -> None:
    """By the stages an array has: (p - 1)/(m v), where a backward pass takes twice as long as a forward one."""
    equal = [Stage({"F": time, "B": 2 * time})] * (count * chunks)
    many = groups * count
    simulation = run("interleaved_1f1b", equal, many, chunks=chunks)
    assert simulation.makespan == many * chunks * 3 * time + (count - 1) * 3 * time


@settings(max_examples=100)
@given(time=times, count=st.integers(1, 6), more=st.integers(0, 9))
def test_zero_bubble(time: int, count: int, more: int) -> None:
    """F, dX and dW of equal length: H1 has a third of 1F1B's bubble at its memory, H2 none at (2p - 1)/p of it."""
    equal, many = [Stage({"F": time, "B": time, "W": time})] * count, 2 * count - 1 + more
    ideal = 3 * many * time
    h1, h2 = (run(name, equal, many, batches=5) for name in ("zb_h1", "zb_h2"))
    assert h1.period() == ideal + (count - 1) * time
    assert h2.period() == ideal
    assert max(run("zb_h1", equal, many).in_flight()) == count
    assert max(run("zb_h2", equal, many).in_flight()) == 2 * count - 1


@settings(max_examples=60)
@given(of=stages, name=st.sampled_from(["pipedream", "layerpipe"]))
def test_delays_are_counted_in_the_run(of: list[Stage], name: str) -> None:
    """Updates that are missing when a batch's forward pass begins: S - 1 - s, and twice that."""
    batches = 2 * len(of) + 3
    simulation = run(name, of, batches=batches)
    delay = {"pipedream": after, "layerpipe": there_and_back}[name]
    start = {task.op: task.start for task in simulation.tasks}
    stop = {task.op: task.stop for task in simulation.tasks}
    for stage in range(len(of)):
        for item in range(batches):
            begun = start[Op("F", item, stage)]
            missing = sum(stop[Op("B", earlier, stage)] > begun for earlier in range(item))
            assert missing == min(item, delay(stage, len(of)))
            assert missing <= find(name).delay(stage, len(of))


@settings(max_examples=60)
@given(of=sending, name=st.sampled_from(["gpipe", "1f1b", "pipedream", "layerpipe"]), batches=st.integers(1, 5))
def test_nothing_is_done_twice_or_before_its_time(of: list[Stage], name: str, batches: int) -> None:
    simulation = run(name, of, 3 if find(name).flushed else 1, batches)
    start = {task.op: task.start for task in simulation.tasks}
    stop = {task.op: task.stop for task in simulation.tasks}
    assert len(start) == len(simulation.tasks) == 2 * len(of) * simulation.shape.items
    for op, begun in start.items():
        stage = of[op.stage]
        assert stop[op] == begun + stage.times[op.kind]
        if op.kind == "F" and op.stage:
            assert begun >= stop[Op("F", op.item, op.stage - 1)] + of[op.stage - 1].forward_sent
        if op.kind == "B":
            assert begun >= stop[Op("F", op.item, op.stage)]
            if op.stage < len(of) - 1:
                assert begun >= stop[Op("B", op.item, op.stage + 1)] + of[op.stage + 1].backward_sent
    for processor in range(len(of)):
        own = sorted((task.start, task.stop) for task in simulation.tasks if task.processor == processor)
        assert all(before[1] <= later[0] for before, later in pairwise(own))
    busy = simulation.busy()
    assert busy == [sum(stage.times.values()) * simulation.shape.items for stage in of]
    assert all(bubble >= 0 for bubble in simulation.bubbles())


def test_by_hand() -> None:
    """Two arrays, three batches, F 1 and B 2: warm-up, steady state and drain of PipeDream."""
    simulation = run("pipedream", [Stage({"F": 1, "B": 2})] * 2, batches=3)
    on_first = [(task.op.kind, task.op.item, task.start) for task in simulation.tasks if task.processor == 0]
    on_second = [(task.op.kind, task.op.item, task.start) for task in simulation.tasks if task.processor == 1]
    assert on_first == [("F", 0, 0), ("F", 1, 1), ("B", 0, 4), ("F", 2, 6), ("B", 1, 7), ("B", 2, 10)]
    assert on_second == [("F", 0, 1), ("B", 0, 2), ("F", 1, 4), ("B", 1, 5), ("F", 2, 7), ("B", 2, 8)]
    assert (simulation.makespan, simulation.batch_ends) == (12, [6, 9, 12])
    assert (simulation.busy(), simulation.bubbles(), simulation.in_flight()) == ([9, 9], [3, 0], [2, 1])


def test_data_parallel_arrays_do_not_wait_but_for_the_sum() -> None:
    shape = Shape(3, batches=4)
    simulation = simulate(find("data_parallel"), [Stage({"F": 2, "B": 3, "W": 4})] * 3, shape)
    assert (simulation.makespan, simulation.period(), simulation.bubbles()) == (36, 9, [0, 0, 0])


def test_an_order_that_waits_for_itself_is_refused() -> None:
    def backwards(processor: int, shape: Shape) -> Iterator[Op]:
        yield Op("B", 0, processor)
        yield Op("F", 0, processor)

    with pytest.raises(InputError, match="give an order in which"):
        simulate(Pipeline("backwards", "", "layers", backwards), [Stage({"F": 1, "B": 1})], Shape(1))


def test_stages_are_as_many_as_the_shape_has() -> None:
    with pytest.raises(InputError, match="give 4, 2 for each array"):
        simulate(find("interleaved_1f1b"), [Stage({"F": 1, "B": 1})], Shape(2, 2, 2))


def test_every_pipeline_ends() -> None:
    for name in PIPELINES:
        shape = Shape(2, 1, 4 if find(name).flushed and not find(name).replicates else 1, 2)
        assert simulate(find(name), [Stage({"F": 1, "B": 1, "W": 1})] * 2, shape).makespan > 0


@settings(max_examples=60)
@given(of=stages, updates=st.lists(times, min_size=6, max_size=6))
def test_an_update_is_work_of_its_array_once_a_batch(of: list[Stage], updates: list[int]) -> None:
    updated = [Stage({**stage.times, "U": update}) for stage, update in zip(of, updates, strict=False)]
    slowest = max(sum(stage.times.values()) for stage in updated)
    assert run("layerpipe", updated, batches=80).period() == slowest


@pytest.mark.parametrize("name", ["1f1b", "gpipe"])
@pytest.mark.parametrize(("arrays", "many"), [(1, 3), (3, 5), (4, 8)])
def test_a_flushed_batch_takes_its_update_once(name: str, arrays: int, many: int) -> None:
    """(m + p - 1) of a microbatch's passes, and one update: the other arrays' are done while the first one works."""
    of = [Stage({"F": 3, "B": 5, "U": 7})] * arrays
    simulation = run(name, of, microbatches=many, batches=9)
    assert simulation.period() == 8 * (many + arrays - 1) + 7
    done = [task for task in simulation.tasks if task.op.kind == "U"]
    assert len(done) == 9 * arrays
    assert simulation.in_flight() == run(name, [Stage({"F": 3, "B": 5})] * arrays, many, 9).in_flight()


def test_every_stage_of_an_array_is_updated() -> None:
    of = [Stage({"F": 1, "B": 2, "U": 4})] * 4
    simulation = run("interleaved_1f1b", of, microbatches=4, batches=2, chunks=2)
    updated = [(task.op.stage, task.op.item // 4) for task in simulation.tasks if task.op.kind == "U"]
    assert sorted(updated) == [(stage, batch) for stage in range(4) for batch in range(2)]
    last = {op: task.stop for task in simulation.tasks if (op := task.op).kind == "B"}
    for task in simulation.tasks:
        if task.op.kind == "U":
            first = task.op.item // 4 * 4
            assert task.start >= max(last[Op("B", item, task.op.stage)] for item in range(first, first + 4))
