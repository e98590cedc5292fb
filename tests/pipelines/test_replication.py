"""jaxgrad.pipelines.replication: against all stages and numbers of arrays there are, and against the simulator."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgrad.base.errors import InputError
from jaxgrad.pipelines.chain import Chain
from jaxgrad.pipelines.network import Network
from jaxgrad.pipelines.partitions import Link
from jaxgrad.pipelines.pipeline import Shape
from jaxgrad.pipelines.plans import plans
from jaxgrad.pipelines.replication import in_turn, replicated
from tests.pipelines.networks import networks, plain


def periods(chain: Chain, arrays: int, link: Link | None) -> list[Fraction]:
    """Of every way to cut the layers into stages and to give each some of the arrays."""
    layers, last, found = chain.network.layers, len(chain.atoms), []
    for stages in range(1, min(last, arrays) + 1):
        for inner in itertools.combinations(range(1, last), stages - 1):
            for counts in itertools.product(range(1, arrays + 1), repeat=stages):
                if sum(counts) != arrays:
                    continue
                slowest = Fraction(0)
                for (start, stop), count in zip(pairwise((0, *inner, last)), counts, strict=True):
                    words = 2 * (count - 1) * sum(layer.weight_words for layer in layers[start:stop]) / count
                    summing = 0 if link is None else math.ceil(words / link.words_per_cycle)
                    slowest = max(slowest, Fraction(max(int(chain.loads[start, stop]), summing), count))
                found.append(slowest)
    return found


@settings(max_examples=60)
@given(network=networks(), arrays=st.integers(1, 4), link=st.sampled_from([None, Link(2.0)]))
def test_no_other_stages_are_faster(network: Network, arrays: int, link: Link | None) -> None:
    chain = Chain(network, "layers")
    for count, best in enumerate(replicated(chain, arrays, link), start=1):
        assert sum(best.replicas) == count
        assert len(best.replicas) == best.partition.stages
        assert best.period(link) == min(periods(chain, count, link))


@settings(max_examples=60)
@given(time=st.integers(1, 9), layers=st.integers(1, 3), arrays=st.integers(1, 5))
def test_the_simulator_is_as_fast_where_all_layers_are_alike(time: int, layers: int, arrays: int) -> None:
    network = plain(*[time] * layers)
    plan = plans(lambda batch: network, 8, [arrays], ["pipedream_replicated"], batches=120)[
        arrays, "pipedream_replicated"
    ]
    (*_, best) = replicated(Chain(network, "layers"), arrays)
    assert plan.shape.replicas == best.replicas
    assert plan.simulation.period() >= best.period(None)
    if len(best.replicas) == 1:
        assert plan.simulation.period() == best.period(None)


def test_by_hand() -> None:
    """Layers of 12, 6 and 6 on two arrays: cut 12 | 12; on three the first one's batches go to two arrays, in turn."""
    chain = Chain(plain(6, 2, 2), "layers")
    one, two, three = replicated(chain, 3)
    assert (one.replicas, one.period(None)) == ((1,), 24)
    assert two.period(None) == 12
    assert three.period(None) == 8
    shape = Shape(3, batches=4, replicas=(2, 1))
    assert [f"{op.kind}{op.item}" for op in in_turn(1, shape)] == ["F1", "F3", "B1", "B3"]
    assert [f"{op.kind}{op.item}" for op in in_turn(2, shape)] == ["F0", "B0", "F1", "B1", "F2", "B2", "F3", "B3"]
    assert [shape.processor_of(item, 0) for item in range(3)] == [0, 1, 0]


def test_words_and_versions_of_replicas() -> None:
    """Layers of 8 and 12 on two arrays: both on each, a batch in turn; then their gradients are summed in a ring."""
    network = plain(4, 4)
    plan = plans(lambda batch: network, 8, [2], ["pipedream_replicated"])[2, "pipedream_replicated"]
    assert (plan.shape.replicas, plan.simulation.period()) == ((2,), 10)
    assert plan.words_moved == 2 * 1 * 200 // 2
    assert (plan.weight_words, plan.activation_words) == (2 * 200, 2 * 20)
    with pytest.raises(InputError, match="processors"):
        replicated(Chain(network, "layers"), 0)


@settings(max_examples=40)
@given(network=networks(), arrays=st.integers(1, 4), overlapped=st.booleans())
def test_a_simulated_period_has_the_sum_of_gradients(network: Network, arrays: int, overlapped: bool) -> None:
    """Of all layers on every array exactly the planner's; of several stages, which also send, no less."""
    link = Link(0.5, overlapped)
    plan = plans(lambda batch: network, 8, [arrays], ["pipedream_replicated"], link=link)[
        arrays, "pipedream_replicated"
    ]
    (*_, best) = replicated(Chain(network, "layers"), arrays, link)
    assert plan.simulation.period() >= best.period(link)
    if len(best.replicas) == 1:
        assert plan.simulation.period() == best.period(link)
        if plan.period:
            assert plan.utilisation == pytest.approx(network.total / arrays / plan.period)


def test_slow_links_make_the_sum_of_gradients_the_period() -> None:
    """A layer of 40 with 100 words of weights on two arrays: each sends 100 words, one a cycle, meanwhile or after."""
    network = plain(20)
    for overlapped, period in ((True, 100), (False, 140)):
        link = Link(1.0, overlapped)
        plan = plans(lambda batch: network, 8, [2], ["pipedream_replicated"], link=link)[2, "pipedream_replicated"]
        assert plan.shape.replicas == (2,)
        assert plan.period == period / 2
