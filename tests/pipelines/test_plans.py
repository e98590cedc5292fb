"""jaxgrad.pipelines.plans: a network on P arrays in numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgrad.base.errors import InputError
from jaxgrad.pipelines.chain import Chain
from jaxgrad.pipelines.network import Network
from jaxgrad.pipelines.partitions import Link, partitions
from jaxgrad.pipelines.pipeline import PIPELINES, find
from jaxgrad.pipelines.plans import Plan, apart, plans, rows
from tests.pipelines.networks import networks, plain

FOUR = plain(4, 6, 2, 8)


def planned(network: Network, count: int, name: str, **more: object) -> Plan:
    return plans(lambda batch: network, 8, [count], [name], **more)[count, name]  # pyright: ignore[reportArgumentType]  # options


@settings(max_examples=40)
@given(network=networks(), name=st.sampled_from(["layerpipe", "layerpipe_intra"]), count=st.integers(1, 3))
def test_a_simulated_period_is_the_partitions(network: Network, name: str, count: int) -> None:
    grain = "halves" if name == "layerpipe" else "passes"
    chain = Chain(network, grain)
    count = min(count, len(chain.atoms))
    plan = planned(network, count, name)
    assert plan.simulation.period() == plan.partition.period == partitions(chain, count)[-1].period
    assert sum(sum(stage.times.values()) for stage in plan.stages) == sum(plan.partition.times)


def test_two_arrays_by_hand() -> None:
    """Layers of 8, 18, 6 and 24: PipeDream cuts after the second, LayerPipe at 28 of 56."""
    pipedream, layerpipe = planned(FOUR, 2, "pipedream"), planned(FOUR, 2, "layerpipe")
    assert (pipedream.partition.cuts, pipedream.partition.period) == ((0, 2, 4), 30)
    assert pipedream.words_moved == 2 * 10
    # One version more of what the first array has; its batches wait twice.
    assert pipedream.weight_words == 2 * 2 * 100 + 2 * 100
    assert pipedream.activation_words == 2 * 2 * 10 + 2 * 10
    assert [pipedream.delay(layer) for layer in range(4)] == [1, 1, 0, 0]
    assert layerpipe.partition.period == 28
    table = rows({(2, "layerpipe"): layerpipe}, FOUR, {2: 30.0})
    assert (table[0].speedup, table[0].over_pipedream, table[0].utilisation) == (2.0, 30 / 28, 1.0)


def test_a_layer_on_two_arrays_has_the_delay_between_theirs() -> None:
    """F on the first of two arrays, dW on the second: 2 (S - 1) - 0 - 1 updates; W is on both."""
    one = plain(0, 8)
    plan = planned(one, 2, "layerpipe")
    split = [layer for layer in range(2) if len(set(plan._stages_of(layer))) == 2]  # which one it is
    assert split == [1]
    assert plan.delay(1) == 1
    assert plan.weight_words == 3 * 100 + 100 * (1 + plan.delay(0)) * 1


def test_microbatches_are_costed_as_such() -> None:
    asked: list[int] = []

    def network_at(batch: int) -> Network:
        asked.append(batch)
        return FOUR

    found = plans(network_at, 8, [2, 3], ["1f1b", "data_parallel", "pipedream"], microbatches=4)
    assert asked == [2, 4, 3, 8]  # a quarter, the half, the largest third, all
    flushed = found[2, "1f1b"]
    assert flushed.words_moved == 4 * 20
    assert flushed.weight_words == FOUR.weight_words
    # The first array keeps two microbatches of its two layers, the second one.
    assert flushed.activation_words == 2 * 20 + 20
    assert found[2, "data_parallel"].words_moved == 2 * FOUR.weight_words
    assert found[3, "data_parallel"].weight_words == 3 * FOUR.weight_words


def test_a_ring_all_reduce_takes_its_time() -> None:
    """2 (P - 1) / P of the weights over each link: 400 words at 2 a cycle on two arrays."""
    plan = planned(FOUR, 2, "data_parallel", link=Link(2.0))
    assert plan.simulation.period() == FOUR.total + 200
    assert plan.utilisation == FOUR.total / (FOUR.total + 200)


def test_zero_bubble_computes_dx_and_dw_apart() -> None:
    network = apart(FOUR)
    plan = planned(network, 2, "zb_h2", microbatches=4)
    assert sum(sum(stage.times.values()) for stage in plan.stages) == sum(
        layer.forward + layer.dx + layer.dw for layer in FOUR.layers
    )


def test_interleaved_stages_go_round_the_arrays() -> None:
    plan = planned(FOUR, 2, "interleaved_1f1b", microbatches=2, chunks=2)
    assert plan.partition.stages == 4
    assert {(task.processor, task.op.stage) for task in plan.simulation.tasks} == {(0, 0), (1, 1), (0, 2), (1, 3)}


def test_every_pipeline_has_a_row() -> None:
    found = plans(lambda batch: FOUR, 8, [2], list(PIPELINES), microbatches=4)
    table = rows(found, FOUR, {1: float(FOUR.total), 2: 32.0})
    assert {row.pipeline for row in table} == set(PIPELINES)
    assert all(0 < row.utilisation <= 1 for row in table)
    assert [row.processors for row in table] == sorted(row.processors for row in table)


@pytest.mark.parametrize(
    ("name", "count", "more", "said"),
    [
        ("pipedream", 5, {}, "processors: got 5; give at most 4"),
        ("1f1b", 2, {"microbatches": 3}, "microbatches: got 3; give a number that divides the batch, 8"),
        ("interleaved_1f1b", 3, {"microbatches": 4}, "processors: got 3; give a number that divides the microbatches"),
        ("interleaved_1f1b", 4, {"microbatches": 4}, "chunks: got 2; give fewer stages an array"),
        ("data_parallel", 9, {}, "processors: got 9; give at most 8"),
        ("pipedreams", 2, {}, "did you mean 'pipedream'"),
    ],
)
def test_bad_input(name: str, count: int, more: dict[str, int], said: str) -> None:
    with pytest.raises(InputError, match=said):
        planned(FOUR, count, name, **more)


UPDATED = replace(FOUR, layers=tuple(replace(layer, update=5) for layer in FOUR.layers))


@pytest.mark.parametrize("name", [name for name in PIPELINES if name != "single"])
def test_updates_are_counted_once_a_batch_and_where_dw_is(name: str) -> None:
    """On two arrays: what the stages do in a batch is all of the network's passes and updates, whatever the order."""
    many = 4 if find(name).flushed and not find(name).replicates else 1
    plan, before = planned(UPDATED, 2, name, microbatches=4), planned(FOUR, 2, name, microbatches=4)
    updates = sum(stage.times.get("U", 0) for stage in plan.stages)
    assert updates == 4 * 5 * (2 if find(name).replicates else 1)
    work, plain_work = (
        sum(time for stage in each.stages for kind, time in stage.times.items() if kind != "U")
        for each in (plan, before)
    )
    assert work == plain_work
    assert plan.period > before.period
    share = (many * work + updates) / 2 / plan.period
    assert plan.utilisation == pytest.approx(share)
