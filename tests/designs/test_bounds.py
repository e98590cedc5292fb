"""jaxgrad.designs.bounds and intervals: what passes is exact under jit, what could wrap is refused."""

from __future__ import annotations

import operator
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxgrad_models
from jaxgrad.array import layers, schedules
from jaxgrad.array.counts import MACS
from jaxgrad.array.gemm import Gemm
from jaxgrad.base.arithmetic import ceil_div, last_block, maximum, minimum, where
from jaxgrad.costs.cuts import FULL, all_splits, block
from jaxgrad.costs.transfers import Shapes, Storage
from jaxgrad.designs import bounds, candidates, direct, engine, intervals
from jaxgrad.designs.engine import Memories
from jaxgrad.designs.problems import problems
from jaxgrad.designs.questions import Arrays, Question
from jaxgrad.flax import step_gemms
from jaxgrad.hardware import Accelerator, Precision
from jaxgrad.programs import LayerGemm
from tests.refusals import Refusal, assert_refused

RANGES = st.tuples(st.integers(-(2**60), 2**60), st.integers(0, 2**60)).map(lambda ends: (ends[0], sum(ends)))
POSITIVE = st.tuples(st.integers(1, 2**60), st.integers(0, 2**60)).map(lambda ends: (ends[0], sum(ends)))


@given(RANGES, POSITIVE, st.data())
def test_intervals_hold_all_results(one: tuple[int, int], other: tuple[int, int], data: st.DataObject) -> None:
    watch = intervals.Watch(1, 2.0**300)
    a, b = (data.draw(st.integers(*ends)) for ends in (one, other))
    x, y = (watch.interval(*ends) for ends in (one, other))
    for operation in (operator.add, operator.sub, operator.mul, operator.floordiv, ceil_div, maximum, minimum):
        found = operation(x, y)
        assert int(found.low) <= operation(a, b) <= int(found.high), operation
        found = operation(a, y)
        assert int(found.low) <= operation(a, b) <= int(found.high), operation
    found = where(x < y, x, y)
    assert int(found.low) <= min(a, b) <= int(found.high)
    length = data.draw(st.integers(b, 2**62))
    last = last_block(length, y, ceil_div(length, y))
    assert int(last.low) <= last_block(length, b, ceil_div(length, b)) <= int(last.high)


@pytest.mark.parametrize("one", [(-7, -2), (-3, 4), (2, 9)])
@pytest.mark.parametrize("other", [(1, 3), (2, 2), (4, 11)])
def test_intervals_are_no_wider_than_their_results(one: tuple[int, int], other: tuple[int, int]) -> None:
    """Wider ones would hold all results too, and refuse what can be counted."""
    watch = intervals.Watch(1, 2.0**300)
    x, y = (watch.interval(*ends) for ends in (one, other))
    pairs = [(a, b) for a in range(one[0], one[1] + 1) for b in range(other[0], other[1] + 1)]
    for operation in (operator.add, operator.sub, operator.mul, operator.floordiv, ceil_div, maximum, minimum):
        found, results = operation(x, y), [operation(a, b) for a, b in pairs]
        assert (found.low, found.high) == (min(results), max(results)), operation
        found, results = operation(7, y), [operation(7, b) for _, b in pairs]
        assert (found.low, found.high) == (min(results), max(results)), operation
    for found, results in (
        (-x, [-a for a, _ in pairs]),
        (where(x < y, x, y), [number for pair in pairs for number in pair]),
    ):
        assert (found.low, found.high) == (min(results), max(results))


def test_an_interval_is_cut_to_what_is_known_of_it() -> None:
    watch = intervals.Watch(1, 100)
    x = watch.interval(-3, 4)
    for low, high, expected in ((-1, 3, (-1, 3)), (-9, 99, (-3, 4)), (watch.interval(-2, 0), x - 2, (-2, 2))):
        found = x.within(low, high)
        assert (found.low, found.high) == expected


def test_a_watch_sees_each_case() -> None:
    watch = intervals.Watch(3, 100)
    column = watch.interval([[5], [10], [99]], [[5], [11], [99]])
    assert not watch.over.any()
    assert (column * column).high.tolist() == [[25], [121], [9801]]
    assert watch.over.tolist() == [False, True, True]


@pytest.mark.parametrize("number", [99, 100, 101, 10**9])
def test_a_watch_sees_the_limit_and_what_is_past_it_at_either_end(number: int) -> None:
    for sign in (1, -1):
        watch = intervals.Watch(2, 100)
        watch.interval([[0], [sign * number]], [[0], [sign * number]])
        assert watch.over.tolist() == [False, number >= 100]


def test_every_count_of_parts_is_in_one_range() -> None:
    ranges = bounds._ranges((7, 90, 33), (2, 16), (3, 16))
    for axis, most in enumerate((7, 30, 17)):
        spans = sorted({(low, high) for low, high in (each[2 * axis : 2 * axis + 2] for each in ranges)})
        assert [count for low, high in spans for count in range(low, high + 1)] == list(range(1, most + 1))


@given(
    b=st.integers(1, 10**10),
    k=st.integers(1, 10**5),
    n=st.integers(1, 10**5),
    rows=st.integers(1, 256),
    cols=st.integers(1, 256),
    schedule=st.sampled_from(["interleaved", "interleaved_k", "sequential"]),
)
@settings(max_examples=60, deadline=None)
def test_without_a_memory_counts_are_exact_or_refused(
    b: int, k: int, n: int, rows: int, cols: int, schedule: str
) -> None:
    own = problems([LayerGemm("large", Gemm(b, k, n), 3, needs_dx=True)], patches_in_dram=True)
    question = Question(None, schedule, "", False, True, Precision.of("bf16"))
    (mapping,) = schedules.find(schedule).alternatives()[0]
    expected = {
        name: 3 * count
        for name, count in layers.counts([mapping], {"b": b, "k": k, "n": n}, Accelerator(rows, cols)).items()
    }
    arrays = Arrays(np.array([rows]), np.array([cols]), False)
    if max(expected.values()) >= bounds.NONE:  # no one is refused in vain
        call = partial(direct.without_memory, question, own, arrays, "large")
        assert_refused(Refusal(call, "batch", str(b), "counts could pass 64 bits: give a smaller"))
        return
    found = direct.without_memory(question, own, arrays, "large")
    assert {name: values[0] for name, values in found.items() if values[0]} == {
        name: count for name, count in expected.items() if count
    }


@pytest.mark.parametrize(
    ("sides", "gemm"),
    [
        # Bounds on both arrays at once pass 2^64, on either one they stay below 2^54.
        ([1, 4096], Gemm(1, 1 << 25, 1 << 25)),
        # 15 lies between 1 and 16: on an array of one PE the cycles would pass 2^62.
        ([15], Gemm(1, 1 << 31, 3 << 28)),
    ],
)
def test_arrays_are_not_refused_for_others_in_their_range(sides: list[int], gemm: Gemm) -> None:
    single = problems([LayerGemm("large", gemm, 1, needs_dx=True)], patches_in_dram=True)
    question = Question(None, "interleaved", "", False, True, Precision.of("bf16"))
    counts = direct.without_memory(question, single, Arrays(np.array(sides), np.array(sides), False), "large")
    (mapping,) = schedules.find("interleaved").alternatives()[0]
    sizes = {"b": gemm.batch, "k": gemm.in_features, "n": gemm.out_features}
    for at, side in enumerate(sides):
        expected = layers.counts([mapping], sizes, Accelerator(side, side))
        assert {name: values[at] for name, values in counts.items() if values[at]} == {
            name: count for name, count in expected.items() if count
        }


def test_the_sum_over_layers_is_what_must_fit() -> None:
    """Each of them alone passes; 40 of them are 2^64 MACs."""
    layers_of_a_network = [
        LayerGemm(str(i), Gemm((1 << 28) - i, 1 << 15, 1 << 15), 1, needs_dx=True) for i in range(40)
    ]
    question = Question(None, "interleaved", "", False, True, Precision.of("bf16"))
    arrays = Arrays(np.array([256]), np.array([256]), False)
    for layer in (layers_of_a_network[0], layers_of_a_network[-1]):
        direct.without_memory(question, problems([layer], patches_in_dram=True), arrays, "large")
    every = problems(layers_of_a_network, patches_in_dram=True)
    assert_refused(
        Refusal(lambda: direct.without_memory(question, every, arrays, "large"), "batch", "large", "smaller")
    )


QUESTION = Question(None, "interleaved", "k_major", False, True, Precision.of("bf16"))
ARRAYS = Arrays(np.array([16, 256]), np.array([256, 16]), False)
MEMORIES = Memories(np.array([1 << 18, 1 << 25]), np.array([1, 1000]), np.array([25, 33333]), True)


@pytest.mark.parametrize("batch", [1, 10**4, 10**5])
def test_with_a_memory_counts_are_exact(batch: int) -> None:
    """Those of the plan that was chosen, again in Python ints."""
    b, k, n = batch * 56 * 56, 1152, 256
    own = problems([LayerGemm("large", Gemm(b, k, n), 1, needs_dx=True, x_words=b * 128)], patches_in_dram=False)
    ((found, fits),) = engine.with_memory([QUESTION], own, ARRAYS, MEMORIES, "large")
    assert fits.all()
    (part,), at = QUESTION.plans(True, True)[0], (1, 1, 0)
    usable, rate = int(MEMORIES.usable_bytes[at[1]]), (int(MEMORIES.cycles[at[2]]), int(MEMORIES.of_bytes[at[2]]))
    counts = {name: values.values[at] for name, values in found[part.phase].items()}
    assert counts[MACS] == 2 * b * k * n
    array = Accelerator(int(ARRAYS.rows[at[0]]), int(ARRAYS.cols[at[0]]))
    storage, precision = Storage(usable, *rate), QUESTION.precision
    sizes = {"b": b, "k": k, "n": n}
    tried = [
        candidates.counts(part, nest, block(sizes, splits, array), Shapes(b, k, n, b * 128), array, storage, precision)
        for nest in range(len(part.nests))
        for splits in all_splits({"b": b, "k": -(-k // array.cols), "n": -(-n // array.rows)}, FULL)
    ]  # fmt: skip
    assert {name: int(value) for name, value in counts.items() if value} in [
        {name: value for name, value in each.items() if value} for each in tried
    ]


def test_what_could_wrap_is_refused() -> None:
    own = problems([LayerGemm("large", Gemm(10**14, 1152, 256), 1, needs_dx=True)], patches_in_dram=False)
    assert_refused(
        Refusal(lambda: engine.with_memory([QUESTION], own, ARRAYS, MEMORIES, "large"), "batch", str(10**14), "smaller")
    )


def test_a_large_batch_of_a_network_is_not_refused() -> None:
    """ResNet-50 at batch 4096, of which the largest number is far below 2^62."""
    images = jax.ShapeDtypeStruct((4096, *jaxgrad_models.INPUT_SHAPES["resnet50"]), jnp.float32)
    own = problems(step_gemms(jaxgrad_models.abstract("resnet50"), images), patches_in_dram=False)
    sides, rates = np.arange(16, 257, 16), [(1, 25), (1, 2400)]
    bounds.check(QUESTION, own.whole, sides, sides, rates, "resnet50")
