"""jaxgrad.pipelines.partitions: against all partitions there are."""

from __future__ import annotations

import itertools
import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgrad.base.errors import InputError
from jaxgrad.pipelines.chain import GRAINS, Chain, Grain
from jaxgrad.pipelines.network import Network
from jaxgrad.pipelines.partitions import Link, partitions
from tests.pipelines.networks import networks, plain

links = st.none() | st.builds(Link, st.sampled_from([0.5, 2.0, 7.0]), st.booleans())


def period(chain: Chain, cuts: tuple[int, ...], link: Link | None) -> int:
    slowest = 0
    for start, stop in pairwise(cuts):
        busy = int(chain.loads[start, stop])
        if link is not None:
            sent = [math.ceil(words[cut] / link.words_per_cycle)
                    for words, cut in ((chain.backward_words, start), (chain.forward_words, stop))]  # fmt: skip
            busy = max(busy, *sent) if link.overlapped else busy + sum(sent)
        slowest = max(slowest, busy)
    return slowest


@settings(max_examples=150)
@given(network=networks(), grain=st.sampled_from(GRAINS), link=links)
def test_no_partition_is_better(network: Network, grain: Grain, link: Link | None) -> None:
    chain = Chain(network, grain)
    atoms = len(chain.atoms)
    most = min(atoms, 4)
    for arrays, best in enumerate(partitions(chain, most, link), start=1):
        everything = [(0, *inner, atoms) for inner in itertools.combinations(range(1, atoms), arrays - 1)]
        ranked = [(period(chain, cuts, link), sum(int(chain.cut_words[cut]) for cut in cuts)) for cuts in everything]
        assert (best.period, sum(best.words)) == min(ranked)
        assert best.cuts in everything
        assert best.period == period(chain, best.cuts, link)
        assert best.stages == arrays


def test_by_hand() -> None:
    """Layers of 2, 3, 3 and 3 times 1, 5, 2, 4: 2 + 15 | 6 + 12, and at the finest grain 16 and 19 at best."""
    chain = Chain(plain(1, 5, 2, 4), "layers")
    one, two = partitions(chain, 2)
    assert (one.cuts, one.period, one.times, one.words) == ((0, 4), 35, (35,), ())
    assert (two.cuts, two.period, two.times, two.words) == ((0, 2, 4), 18, (17, 18), (20,))
    assert [two.stage_of(place) for place in range(4)] == [0, 0, 1, 1]


def test_of_equal_periods_the_one_of_fewest_words() -> None:
    base = plain(3, 1, 1, 3)
    wide = Network(
        base.layers, tuple(t if t.number != 2 else type(t)(**{**vars(t), "words": 50}) for t in base.tensors), "macs"
    )
    (_, two) = partitions(Chain(wide, "layers"), 2)
    # 6 + 3 + 3 against 9, or 6 + 3 against 3 + 9: the period is 12 either way, and the first cut has fewer words.
    assert (two.cuts, two.period, two.words) == ((0, 3, 4), 12, (20,))


def test_more_arrays_than_atoms() -> None:
    with pytest.raises(InputError, match="got 4; give at most 3"):
        partitions(Chain(plain(1, 1, 1), "layers"), 4)


@pytest.mark.parametrize("rate", [0, -1.0, math.inf, math.nan])
def test_a_link_carries_something(rate: float) -> None:
    with pytest.raises(InputError, match="words_per_cycle"):
        Link(rate)
