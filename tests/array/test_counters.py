"""jaxgrad.array.counters: an exact commutative sum of 64-bit counts under every transformation of JAX."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jax.sharding import PartitionSpec

from jaxgrad.array import wide
from jaxgrad.array.counters import NAMES, Counters, total
from tests import devices
from tests.refusals import Refusal, assert_refused

CAPACITY = 2**63
EDGES = [0, 1, 255, 2**24 + 1, 2**32 - 1, 2**32, 2**33 + 1, 2**48 - 1]


def counts(below: int = CAPACITY) -> st.SearchStrategy[dict[str, int]]:
    """Every count by name."""
    some = st.sampled_from([edge for edge in EDGES if edge < below]) | st.integers(0, below - 1)
    return st.fixed_dictionaries(dict.fromkeys(NAMES, some))


def plus(a: dict[str, int], b: dict[str, int]) -> dict[str, int]:
    return {name: a[name] + b[name] for name in NAMES}


def times(a: dict[str, int], factor: int) -> dict[str, int]:
    return {name: factor * count for name, count in a.items()}


def sample(seed: int = 0, below: int = 2**40) -> dict[str, int]:
    values = np.random.default_rng(seed).integers(2**33, below, len(NAMES)).tolist()
    return dict(zip(NAMES, values, strict=True))


def stacked(parts: list[dict[str, int]]) -> Counters:
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *map(Counters.from_dict, parts))


def test_names_are_those_of_the_design() -> None:
    assert NAMES == (
        "cycles", "macs", "effectual_macs", "w_reads", "w_writes", "x_reads", "dy_reads", "psum_reads", "psum_writes",
        "dw_reads", "dw_writes", "dy_hops", "x_hops", "psum_hops", "acc_updates",
    )  # fmt: skip


@given(counts())
def test_a_dict_there_and_back(given_counts: dict[str, int]) -> None:
    result = Counters.from_dict(given_counts).as_dict()
    assert result == given_counts
    assert tuple(result) == NAMES
    assert {type(count) for count in result.values()} == {int}


def test_a_name_left_out_is_zero() -> None:
    assert Counters.of(cycles=7).as_dict() == dict.fromkeys(NAMES, 0) | {"cycles": 7}
    assert Counters.zero().as_dict() == dict.fromkeys(NAMES, 0)
    assert Counters.of(cycles=2**40 + 7, macs=5).cycles == 2**40 + 7
    from_numpy: dict[str, Any] = dict.fromkeys(NAMES, np.int64(3))
    assert Counters.of(**from_numpy).as_dict() == dict.fromkeys(NAMES, 3)


@given(counts(2**61), counts(2**61), counts(2**61))
def test_addition_is_that_of_the_integers(a: dict[str, int], b: dict[str, int], c: dict[str, int]) -> None:
    x, y, z = map(Counters.from_dict, (a, b, c))
    assert (x + y).as_dict() == (y + x).as_dict() == plus(a, b)
    assert ((x + y) + z).as_dict() == (x + (y + z)).as_dict() == plus(plus(a, b), c)
    assert (x + Counters.zero()).as_dict() == a
    assert ((x + y) - y).as_dict() == a
    summed = sum([x, y, z])
    assert isinstance(summed, Counters)
    assert summed.as_dict() == total([x, y, z]).as_dict() == plus(plus(a, b), c)


def test_the_sum_of_none_is_zero() -> None:
    assert total([]).as_dict() == Counters.zero().as_dict()


@given(counts(2**40), st.integers(0, 2**23 - 1))
def test_times(a: dict[str, int], repeats: int) -> None:
    assert Counters.from_dict(a).times(repeats).as_dict() == times(a, repeats)


def test_times_as_often_as_can_be() -> None:
    assert Counters.of(macs=2**31 - 1).times(2**32 - 1).as_dict()["macs"] == (2**31 - 1) * (2**32 - 1)


@given(counts())
def test_limbs_there_and_back(a: dict[str, int]) -> None:
    limbs = Counters.from_dict(a).to_limbs()
    assert (limbs.shape, limbs.dtype) == ((8, 15), jnp.float32)
    assert limbs.min() >= 0
    assert limbs.max() <= 255
    assert Counters.from_limbs(limbs).as_dict() == a


@given(st.lists(counts(2**59), min_size=9, max_size=9))
def test_limbs_add_up(parts: list[dict[str, int]]) -> None:
    limbs = stacked(parts).to_limbs()
    assert limbs.shape == (9, 8, 15)
    assert Counters.from_limbs(limbs.sum(0)).as_dict() == reduce(plus, parts)


def test_as_many_limbs_add_up_as_promised() -> None:
    """2**16 contributions, each limb full: the largest sum of floats that is still exact."""
    full = dict.fromkeys(NAMES, 2**47 - 1)

    def add(so_far: jax.Array, _: None) -> tuple[jax.Array, None]:
        return so_far + Counters.from_dict(full).to_limbs(), None

    summed, _ = jax.lax.scan(add, jnp.zeros((8, 15), jnp.float32), None, length=2**16)
    assert Counters.from_limbs(summed).as_dict() == times(full, 2**16)


@given(counts(2**62), counts(2**62))
def test_under_jit(a: dict[str, int], b: dict[str, int]) -> None:
    assert jitted_sum(Counters.from_dict(a), Counters.from_dict(b)).as_dict() == plus(a, b)


@jax.jit
def jitted_sum(a: Counters, b: Counters) -> Counters:
    return a + b


def test_in_the_carry_of_a_scan() -> None:
    one = sample()

    @jax.jit
    def run(each: Counters) -> Counters:
        return jax.lax.scan(lambda so_far, _: (so_far + each, None), Counters.zero(), None, length=5000)[0]

    assert run(Counters.from_dict(one)).as_dict() == times(one, 5000)


def test_vmap_and_scan_leave_axes_that_sum_folds() -> None:
    parts = [sample(seed) for seed in range(6)]
    expected = times(reduce(plus, parts), 2)
    doubled = jax.vmap(lambda each: each + each)(stacked(parts))
    assert doubled.low.shape == (6, len(NAMES))
    assert doubled.sum().as_dict() == expected
    _, outputs = jax.lax.scan(lambda carry, each: (carry, each + each), 0, stacked(parts))
    assert outputs.sum().as_dict() == expected
    two_axes = jax.tree.map(lambda leaf: leaf.reshape(2, 3, -1), doubled)
    assert two_axes.sum().as_dict() == expected
    assert jax.vmap(lambda each: each.sum())(two_axes).sum().as_dict() == expected


def test_counts_that_the_mapped_data_do_not_touch_count_for_each() -> None:
    constant = jax.jit(jax.vmap(lambda _: Counters.from_dict(sample())))(jnp.zeros(6))
    assert constant.sum().as_dict() == times(sample(), 6)


def test_psum_over_devices() -> None:
    """Each limb of the first count is full on every device, so that the sum must carry."""
    parts = [sample(seed) | {"cycles": 2**60 - 1} for seed in range(4)]
    mesh = devices.mesh(4, "data")
    spread, everywhere = PartitionSpec("data"), PartitionSpec()

    @jax.jit
    @jax.shard_map(mesh=mesh, in_specs=spread, out_specs=everywhere)
    def reduced(each: Counters) -> Counters:
        return each.sum().psum("data")

    assert reduced(stacked(parts)).as_dict() == reduce(plus, parts)


def test_effectual_macs_are_put_in() -> None:
    counters = Counters.from_dict(sample())
    put = jax.jit(lambda c, pair: c.with_effectual(pair))(counters, wide.of(2**40 + 5))
    assert put.as_dict() == sample() | {"effectual_macs": 2**40 + 5}
    assert counters.as_dict() == sample()


def test_accesses_are_reads_and_writes() -> None:
    """Each count a power of two: the sum tells which ones went in."""
    powers = {name: 2**index for index, name in enumerate(NAMES)}
    wanted = ["w_reads", "w_writes", "x_reads", "dy_reads", "psum_reads", "psum_writes", "dw_reads", "dw_writes"]
    assert Counters.from_dict(powers).accesses() == sum(powers[name] for name in wanted)


def test_repr_shows_what_there_is() -> None:
    assert repr(Counters.of(cycles=3, dw_writes=2**40)) == f"Counters(cycles=3, dw_writes={2**40})"
    shown: list[str] = []
    for counters in (stacked([sample()] * 2), Counters.zero()):
        jax.jit(lambda traced: shown.append(repr(traced)))(counters)
    assert shown == ["Counters(<15 counts, batch (2,)>)", "Counters(<15 counts, batch ()>)"]


@pytest.mark.parametrize("call", [lambda c: c + 1, lambda c: c - 1, lambda c: 1 + c, lambda c: sum([c], start=1)])
def test_a_number_is_no_counters(call: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError):
        call(Counters.zero())


BAD_COUNTS: list[tuple[Any, str]] = [
    (-1, "-1"), (2**63, str(2**63)), (float("nan"), "nan"), (1.5, "1.5"), ("3", "'3'"), (None, "None"),
]  # fmt: skip
BAD_REPEATS: list[Any] = [-1, 2**32, 2.5, float("nan"), "2", None]
REFUSALS = [
    Refusal(lambda: Counters.of(cycle=1), "counter", "'cycle'", "cycles"),
    Refusal(lambda: Counters.from_dict({"": 1}), "counter", "''", "acc_updates"),
    *[Refusal(lambda v=v: Counters.of(macs=v), "macs", shown, "0 to 2**63 - 1") for v, shown in BAD_COUNTS],
    *[Refusal(lambda v=v: Counters.zero().times(v), "repeats", repr(v), "whole number") for v in BAD_REPEATS],
    Refusal(lambda: stacked([sample()] * 2).as_dict(), "counters", "leading axes (2,)", "sum()"),
    Refusal(lambda: stacked([sample()] * 2).accesses(), "counters", "leading axes (2,)", "sum()"),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: f"{refusal.field}-{refusal.shown}")
def test_refusals(refusal: Refusal) -> None:
    assert_refused(refusal)


def saturated(count: int) -> dict[str, int | None]:
    return dict.fromkeys(NAMES, 0) | {"macs": count if count < CAPACITY else None}


def read(counters: Counters) -> dict[str, int | None]:
    """The counts, None for those that can't be read."""
    if "macs=over 2**63 - 1" not in repr(counters):
        return dict(counters.as_dict())
    assert_refused(Refusal(counters.as_dict, "macs", "more than 2**63 - 1", "add up fewer"))
    return saturated(CAPACITY)


LARGE = st.sampled_from([2**62, 2**63 - 1, 2**32 - 1, 2**61 + 1]) | st.integers(0, CAPACITY - 1)


@given(st.lists(LARGE, min_size=1, max_size=6), st.integers(0, 2**32 - 1))
def test_what_passes_63_bits_says_so(values: list[int], repeats: int) -> None:
    """Four times 2^62 is no 0: sums stay past the end, however they are added up, and whatever is added to them."""
    parts = [Counters.of(macs=value) for value in values]
    expected = saturated(sum(values))
    assert read(total(parts)) == expected
    stack = jax.tree.map(lambda *leaves: jnp.stack(leaves), *parts)
    assert read(stack.sum()) == expected
    limbs = sum(part.to_limbs() for part in parts)
    assert read(Counters.from_limbs(jnp.asarray(limbs))) == expected
    assert read(parts[0].times(repeats)) == saturated(values[0] * repeats)
    past = Counters.of(macs=CAPACITY - 1) + Counters.of(macs=1)
    limbs_of_past = Counters.from_limbs(past.to_limbs())
    for still in (past + parts[0], past - parts[0], past - past, past.times(1), past.times(0), limbs_of_past):
        assert read(still) == saturated(CAPACITY)


def test_what_is_past_the_end_stays_there_when_it_is_stacked() -> None:
    past = Counters.of(macs=2**62).times(4)
    pair = jax.tree.map(lambda *leaves: jnp.stack(leaves), past, past)
    assert read(pair.sum()) == saturated(CAPACITY)
