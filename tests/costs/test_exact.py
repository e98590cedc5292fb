"""Costs of layers of any size: arrays against the same formulas on Python ints, one case at a time."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxgrad_models
from jaxgrad.array import schedules
from jaxgrad.array.counts import CYCLES, KEYS, STALLS
from jaxgrad.array.emulation import Emulation
from jaxgrad.array.gemm import Gemm
from jaxgrad.base.arithmetic import exact
from jaxgrad.costs import blocks, cores, step_cost
from jaxgrad.costs.alternating import words_shared
from jaxgrad.costs.orders import families
from jaxgrad.costs.search import Alternatives
from jaxgrad.costs.transfers import Shapes, Storage, dram_bytes, dram_words, needed_bytes, stall_cycles
from jaxgrad.flax import step_gemms
from jaxgrad.hardware import FORMATS, Accelerator, Machine, Memory, Precision
from jaxgrad.programs import LayerGemm

SIZES = st.integers(1, 40) | st.integers(1, 10**5) | st.sampled_from([10**9, 2**31, 2**33 + 1, 10**12, 2**64 + 3])


@st.composite
def cases(draw: st.DrawFn) -> tuple[Shapes, dict[str, int]]:
    """A layer with patches that overlap or not, and a block of it."""
    b, k, n = (draw(SIZES) for _ in range(3))
    x_words = draw(st.integers(1, b * k) | st.just(b * k) | st.just(max(1, b * k // 9)))
    sizes = {"b": b, "k": k, "n": n}
    block = {axis: draw(st.integers(1, size) | st.just(size) | st.just(1)) for axis, size in sizes.items()}
    return Shapes(b, k, n, x_words), block


def numbers(shapes: Shapes, block: dict[str, Any], machine: Machine, results: Any, order: str) -> list[Any]:
    """All that a search looks at."""
    assert machine.memory is not None
    storage, precision, found = Storage.of(machine.memory), machine.precision, []
    for nests in list(families(results, order))[::5]:
        spare = storage.spare_bytes(needed_bytes(nests, shapes, block, precision))
        moved = dram_words(nests, shapes, block, precision, spare)
        size = dram_bytes(moved, precision)
        found += [spare, *moved.values(), size]
        found.append(stall_cycles(shapes.b * shapes.n, size, nests, shapes, block, storage, precision))
    for mapping in (schedules.INTERLEAVED, schedules.SEQUENTIAL, schedules.DX_WS[0], *schedules.DW_WS):
        counted = blocks.counts([mapping], shapes.sizes, block, machine.array)
        found += [counted.get(key, 0) for key in KEYS]
        found.append(Alternatives(((mapping,),)).cycles(shapes.sizes, block, machine.array))
    return found


@given(
    several=st.lists(cases(), min_size=1, max_size=4),
    array=st.builds(Accelerator, st.integers(1, 300), st.integers(1, 300), st.booleans()),
    memory=st.builds(Memory, st.integers(1, 10**9), st.sampled_from([0.001, 7.001, 100.0]), st.just(9.999)),
    formats=st.tuples(*[st.sampled_from(tuple(FORMATS))] * 5),
    kind=st.sampled_from([(("dx", "dw"), "alternating"), (("dx", "dw"), "k_major"), (("y",), "separate")]),
)
@settings(max_examples=40)
def test_all_that_a_search_computes_is_what_python_ints_say(
    several: Any, array: Any, memory: Any, formats: Any, kind: Any
) -> None:
    machine = Machine(array, memory, Precision(*formats))
    shapes = Shapes.of(own[:4] for own, _ in several)
    block = {axis: exact([own[axis] for _, own in several]) for axis in "bkn"}
    together = numbers(shapes, block, machine, *kind)
    lowest = numbers(shapes.reduced(), block, machine, *kind)
    for index, (own, own_block) in enumerate(several):
        expected = numbers(own, own_block, machine, *kind)
        assert all(isinstance(number, int) for number in expected)
        assert [_at(number, index) for number in together] == expected
        assert [_at(number, index) for number in lowest] == expected


@given(st.lists(st.tuples(*[SIZES] * 5), min_size=1, max_size=4))
@settings(max_examples=60)
def test_shared_words(several: list[tuple[int, ...]]) -> None:
    """``_floor_sum`` as well, which goes on for some and is done for others."""
    several = [(b, n, min(to_b, b), min(to_n, n), window) for b, n, to_b, to_n, window in several]
    b, n, to_b, to_n, window = (exact(column) for column in zip(*several, strict=True))
    expected = [words_shared((b, n), (to_b, to_n), window) for b, n, to_b, to_n, window in several]
    assert words_shared((b, n), (to_b, to_n), window).tolist() == expected


@given(st.lists(cases(), min_size=1, max_size=4), st.sampled_from("bkn"), st.integers(1, 16))
@settings(max_examples=60)
def test_parts_of_cores(several: Any, axis: str, count: int) -> None:
    layers = [own for own, _ in several]
    together = cores._cut(Shapes.of(own[:4] for own in layers), axis, count)
    each = [cores._cut(own, axis, count) for own in layers]
    for index, own in enumerate(each):
        assert [[_at(number, index) for number in part[:4]] for part in together] == [list(part[:4]) for part in own]


@pytest.mark.parametrize("count", [1, 4, 16])
@given(
    b=st.sampled_from([10**6 * 112 * 112, 8192 * 56 * 56, 10**6 + 1]),
    k=st.sampled_from([147, 10**5, 4608]),
    n=st.sampled_from([64, 10**5, 1]),
    ninth=st.booleans(),
    bf16=st.sampled_from(["bf16", "mxfp6"]),
    order=st.sampled_from(["best", "alternating"]),
)
@settings(max_examples=2, deadline=None)
def test_a_plan_of_a_large_layer_counts_what_it_was_chosen_by(
    count: int, b: int, k: int, n: int, ninth: bool, bf16: str, order: str
) -> None:
    """The search's own numbers, of arrays, and the plan's counts, in Python ints, are the same."""
    memory = Memory(1 << 22, 100.0, im2col="on_chip" if ninth else "dram")
    machine = Machine(Accelerator(128, 128), memory, Precision.of(bf16), cores=count)
    layer = LayerGemm("large", Gemm(b, k, n), 1, needs_dx=True, x_words=b * k // 9 + 1)
    cost = step_cost([layer], Emulation(machine.array), ["sequential"], machine=machine, order=order)
    ((plan,),) = (own.plans["sequential"] for own in cost.layers)
    counts = cost.total("sequential")
    slowest = counts[CYCLES] + counts[STALLS]
    assert plan.cycles == slowest
    if bf16 == "bf16":  # bytes of block formats are rounded up core by core
        assert plan.dram_bytes == dram_bytes(counts, machine.precision)
    assert all(counts[key] >= 0 for key in KEYS)


def _at(number: Any, index: int) -> int:
    return number if isinstance(number, int) else number[index if len(number) > 1 else 0]


def test_a_whole_network_at_a_large_batch() -> None:
    """ResNet-50 at batch 8192: in 64 bits alone, 389 of its numbers wrapped and its backward pass was 5 % short."""
    images = jax.ShapeDtypeStruct((8192, *jaxgrad_models.INPUT_SHAPES["resnet50"]), jnp.float32)
    gemms = step_gemms(jaxgrad_models.abstract("resnet50"), images)
    machine = Machine(Accelerator(128, 128), Memory(1 << 22, 100.0), Precision.of("bf16"))
    counts = step_cost(gemms, Emulation(machine.array), ["interleaved"], machine=machine).total("interleaved")
    assert counts[CYCLES] == 6_051_450_880
