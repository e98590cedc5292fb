"""Both rules under JAX's transformations: gradients stay JAX's own, counts stay exact."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array, lax
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxgrad import Accelerator, Counters, Emulation, Gemm, count, count_forward
from jaxgrad.autodiff import LayerCounters, conv_general_dilated, dot_general, layer, new_tap, read_tap
from tests.autodiff.truth import Counts, as_dicts
from tests.layers import integers, sparse_integers

ARRAY = Accelerator(3, 4)
NATIVE = Emulation(ARRAY)
MATRICES = (((1,), (0,)), ((), ()))
BATCH, SIZE, FILTERS, CLASSES = 4, 6, 3, 5

Params = tuple[Array, Array]
Taps = tuple[Array, Array]

PARAMS = (jnp.asarray(integers(1, 3, 2, FILTERS)), jnp.asarray(integers(2, SIZE * FILTERS, CLASSES)))
TAPS = (new_tap(), new_tap())
IMAGES = jnp.asarray(sparse_integers(0, BATCH, SIZE, 2))
CONV = Gemm(BATCH * SIZE, 3 * 2, FILTERS)
DENSE = Gemm(BATCH, SIZE * FILTERS, CLASSES)


def network(params: Params, taps: Taps, images: Array, emulation: Emulation = NATIVE) -> Array:
    """A convolution over one axis, ReLU, and a dense layer; integers all the way."""
    hidden = conv_general_dilated(
        images, params[0], (1,), "SAME", taps[0], emulation=emulation, dimension_numbers=("NHC", "HIO", "NHC")
    )
    hidden = jnp.maximum(hidden, 0).reshape(len(images), -1)
    return dot_general(hidden, params[1], MATRICES, taps[1], emulation=emulation)


def loss(params: Params, taps: Taps, images: Array, emulation: Emulation = NATIVE) -> Array:
    logits = network(params, taps, images, emulation)
    return (logits * jnp.arange(CLASSES)).sum() + (logits * logits).sum() / 2


def plain_loss(params: Params, images: Array) -> Array:
    hidden = lax.conv_general_dilated(images, params[0], (1,), "SAME", dimension_numbers=("NHC", "HIO", "NHC"))
    logits = jnp.maximum(hidden, 0).reshape(len(images), -1) @ params[1]
    return (logits * jnp.arange(CLASSES)).sum() + (logits * logits).sum() / 2


def read(taps: Taps) -> list[LayerCounters]:
    return [read_tap(tap) for tap in taps]


def numbers(taps: Taps) -> list[tuple[Counts, Counts]]:
    return [as_dicts(counters) for counters in read(taps)]


def added(parts: list[list[tuple[Counts, Counts]]]) -> list[tuple[Counts, Counts]]:
    """Layer by layer, name by name, in Python integers."""

    def sums(counts: Sequence[Counts]) -> Counts:
        return {name: sum(each[name] for each in counts) for name in counts[0]}

    layers = [list(zip(*layer, strict=True)) for layer in zip(*parts, strict=True)]
    return [(sums(forward), sums(backward)) for forward, backward in layers]


def without_data(counts: Counts) -> Counts:
    return {name: number for name, number in counts.items() if name != "effectual_macs"}


def assert_equal(got: Any, wanted: Any) -> None:
    jax.tree.map(np.testing.assert_array_equal, got, wanted)


both_gradients = jax.jit(jax.grad(loss, (0, 1)), static_argnums=3)
FIDELITIES = pytest.mark.parametrize("fidelity", ["native", "tile"])


@pytest.mark.parametrize("fidelity", ["native", "tile", "register"])
def test_the_input_layer_computes_no_dx_and_counts_none(fidelity: str) -> None:
    gradients, taps = both_gradients(PARAMS, TAPS, IMAGES, Emulation(ARRAY, fidelity=fidelity))
    assert_equal(gradients, jax.grad(plain_loss)(PARAMS, IMAGES))
    conv, dense = numbers(taps)
    assert without_data(conv[0]) == without_data(count_forward(CONV, ARRAY).as_dict())
    assert without_data(conv[1]) == without_data(count(CONV, ARRAY, dx=False).as_dict())
    assert without_data(dense[0]) == without_data(count_forward(DENSE, ARRAY).as_dict())
    assert without_data(dense[1]) == without_data(count(DENSE, ARRAY).as_dict())
    assert numbers(both_gradients(PARAMS, TAPS, IMAGES, NATIVE)[1]) == [conv, dense]


def test_the_inputs_gradient_is_counted_where_it_is_wanted() -> None:
    got, taps = jax.grad(loss, (2, 1))(PARAMS, TAPS, IMAGES)
    assert_equal(got, jax.grad(plain_loss, 1)(PARAMS, IMAGES))
    for own, gemm in zip(numbers(taps), (CONV, DENSE), strict=True):  # and with the weights frozen, no dW
        assert without_data(own[1]) == without_data(count(gemm, ARRAY, dw=False).as_dict())


def test_value_and_grad_with_and_without_jit() -> None:
    eager = jax.value_and_grad(loss, (0, 1))(PARAMS, TAPS, IMAGES)
    assert_equal(jax.jit(jax.value_and_grad(loss, (0, 1)))(PARAMS, TAPS, IMAGES), eager)
    assert_equal(eager[0], plain_loss(PARAMS, IMAGES))


@pytest.mark.parametrize("output", [lax.stop_gradient, jnp.zeros_like, lambda logits: logits.astype(int)])
def test_a_layer_that_does_not_reach_the_loss_counts_nothing(output: Callable[[Array], Array]) -> None:
    taps = jax.grad(lambda taps: output(network(PARAMS, taps, IMAGES)).sum().astype(float))(TAPS)
    assert all(counters.total.as_dict() == Counters.zero().as_dict() for counters in read(taps))


def test_no_one_counts_where_no_one_asks() -> None:
    """Without the gradient by a tap there is no counting in the program."""
    counting = "u32["
    asked = str(jax.make_jaxpr(jax.grad(loss, (0, 1)))(PARAMS, TAPS, IMAGES))
    assert counting in asked
    assert counting not in str(jax.make_jaxpr(jax.grad(loss))(PARAMS, TAPS, IMAGES))
    assert counting not in str(jax.make_jaxpr(loss)(PARAMS, TAPS, IMAGES))


def one_by_one(emulation: Emulation) -> list[tuple[Counts, Counts]]:
    """The counts of each image by itself, added up."""
    return added([numbers(both_gradients(PARAMS, TAPS, image[None], emulation)[1]) for image in IMAGES])


@FIDELITIES
def test_gradient_of_a_vmap(fidelity: str) -> None:
    emulation = Emulation(ARRAY, fidelity=fidelity)

    def summed(params: Params, taps: Taps) -> Array:
        return jax.vmap(lambda image: loss(params, taps, image[None], emulation))(IMAGES).sum()

    gradients, taps = jax.jit(jax.grad(summed, (0, 1)))(PARAMS, TAPS)
    assert_equal(gradients, jax.grad(plain_loss)(PARAMS, IMAGES))
    assert numbers(taps) == one_by_one(emulation)


@FIDELITIES
def test_vmap_of_a_gradient(fidelity: str) -> None:
    emulation = Emulation(ARRAY, fidelity=fidelity)
    gradient = jax.grad(loss, (0, 1))
    gradients, taps = jax.jit(jax.vmap(lambda image: gradient(PARAMS, TAPS, image[None], emulation)))(IMAGES)
    assert_equal(jax.tree.map(lambda leaf: leaf.sum(0), gradients), jax.grad(plain_loss)(PARAMS, IMAGES))
    assert taps[0].shape == (BATCH, *TAPS[0].shape)
    assert numbers(taps) == one_by_one(emulation)


def test_vmap_over_weights_alone() -> None:
    """An ensemble on one batch: the input is not batched, the counts are."""
    several = jax.tree.map(lambda leaf: jnp.stack([leaf, -leaf, 2 * leaf]), PARAMS)

    def summed(several: Params, taps: Taps) -> Array:
        return jax.vmap(loss, (0, None, None))(several, taps, IMAGES).sum()

    _, taps = jax.jit(jax.grad(summed, (0, 1)))(several, TAPS)
    singles = [jax.tree.map(lambda leaf, index=index: leaf[index], several) for index in range(3)]
    assert numbers(taps) == added([numbers(both_gradients(single, TAPS, IMAGES, NATIVE)[1]) for single in singles])


@FIDELITIES
def test_scan_over_time_and_over_layers(fidelity: str) -> None:
    emulation = Emulation(ARRAY, fidelity=fidelity)
    weights = jnp.asarray(integers(4, 3, 5, 5))
    start = jnp.asarray(sparse_integers(5, 2, 5))

    def layer(x: Array, w: Array, tap: Array) -> Array:
        return jnp.maximum(dot_general(x, w, MATRICES, tap, emulation=emulation), 0)

    def shared(w: Array, tap: Array) -> Array:
        return lax.scan(lambda x, _: (layer(x, w, tap), None), start, None, length=3)[0].sum()

    def stacked(weights: Array, taps: Array) -> Array:
        return lax.scan(lambda x, own: (layer(x, *own), None), start, (weights, taps))[0].sum()

    def unrolled(weights: Array, taps: list[Array]) -> Array:
        return functools.reduce(lambda x, own: layer(x, *own), zip(weights, taps, strict=True), start).sum()

    gemm = Gemm(2, 5, 5)
    _, tap = jax.jit(jax.grad(shared, (0, 1)))(weights[0], new_tap())
    forward, backward = as_dicts(read_tap(tap))
    assert without_data(forward) == without_data(count_forward(gemm, ARRAY).times(3).as_dict())
    assert without_data(backward) == without_data(count(gemm, ARRAY).times(3).as_dict())

    # A scan's carry may always want its gradient; unrolled, the first layer's input is a constant.
    one = jax.jit(jax.grad(stacked, (0, 1)))(weights, new_tap(3))
    other = jax.jit(jax.grad(unrolled, (0, 1)))(weights, [new_tap()] * 3)
    assert_equal(one[0], other[0])
    assert one[1].shape == new_tap(3).shape
    assert_equal(one[1][1:], jnp.stack(other[1])[1:])


@FIDELITIES
def test_remat_counts_its_second_forward_where_told(fidelity: str) -> None:
    emulation = Emulation(ARRAY, fidelity=fidelity)
    w, x = jnp.asarray(integers(6, 5, 5)), jnp.asarray(sparse_integers(7, 2, 5))

    def run(w: Array, tap: Array, runs: int) -> Array:
        return jnp.tanh(dot_general(x, w, MATRICES, tap, emulation=emulation, runs=runs)).sum()

    plain, tap = jax.jit(jax.grad(run, (0, 1)), static_argnums=2)(w, new_tap(), 1)
    for runs in (1, 2):
        again = jax.checkpoint(functools.partial(run, runs=runs))
        gradient, own = jax.jit(jax.grad(again, (0, 1)))(w, new_tap())
        assert_equal(gradient, plain)
        assert as_dicts(read_tap(own))[0] == read_tap(tap).forward.times(runs).as_dict()
        assert as_dicts(read_tap(own))[1] == read_tap(tap).backward.as_dict()


@FIDELITIES
def test_gradient_accumulation(fidelity: str) -> None:
    emulation = Emulation(ARRAY, fidelity=fidelity)

    def step(sums: tuple[Any, list[LayerCounters]], images: Array) -> tuple[tuple[Any, list[LayerCounters]], None]:
        gradients, taps = jax.grad(loss, (0, 1))(PARAMS, TAPS, images, emulation)
        counters = [old + new for old, new in zip(sums[1], read(taps), strict=True)]
        return (jax.tree.map(jnp.add, sums[0], gradients), counters), None

    start = jax.tree.map(jnp.zeros_like, PARAMS), [LayerCounters(Counters.zero(), Counters.zero())] * 2
    (gradients, counters), _ = jax.jit(lambda: lax.scan(step, start, IMAGES[:, None]))()
    assert_equal(gradients, jax.grad(plain_loss)(PARAMS, IMAGES))
    assert [as_dicts(layer) for layer in counters] == one_by_one(emulation)


def test_counts_stay_exact_far_past_32_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """With made-up counts of 2**40 and more, through scan, vmap and accumulation."""
    forward = {"cycles": (1 << 41) + 3, "w_reads": (1 << 32) - 1}
    backward = {"cycles": (1 << 45) - 7, "dw_writes": 0xFFFFFFFFFF}
    monkeypatch.setattr(layer, "count_forward", lambda *_, **__: Counters.of(**forward))
    monkeypatch.setattr(layer, "count", lambda *_, **__: Counters.of(**backward))
    w = jnp.eye(5)

    def run(w: Array, tap: Array) -> Array:
        def step(x: Array, _: None) -> tuple[Array, None]:
            return jax.vmap(lambda row: dot_general(row[None], w, MATRICES, tap, emulation=NATIVE)[0])(x), None

        return lax.scan(step, jnp.ones((7, 5)), None, length=100)[0].sum()

    def accumulate(total: LayerCounters, _: None) -> tuple[LayerCounters, None]:
        return total + read_tap(jax.grad(run, (0, 1))(w, new_tap())[1]), None

    zero = LayerCounters(Counters.zero(), Counters.zero())
    counters = jax.jit(lambda: lax.scan(accumulate, zero, None, length=30)[0])()
    times = 30 * 100 * 7
    for got, wanted in zip(as_dicts(counters), (forward, backward), strict=True):
        assert {name: got[name] for name in wanted} == {name: times * number for name, number in wanted.items()}


@pytest.fixture(scope="module")
def mesh() -> Mesh:
    if jax.device_count() < 4:
        pytest.skip("needs four devices")
    return jax.make_mesh((4,), ("data",), axis_types=(AxisType.Auto,))


@pytest.mark.parametrize("fidelity", ["native", "tile", "register"])
def test_data_sharded_over_devices_is_one_array(mesh: Mesh, fidelity: str) -> None:
    emulation = Emulation(ARRAY, fidelity=fidelity)
    sharded = jax.device_put(IMAGES, NamedSharding(mesh, P("data")))
    gradients, taps = both_gradients(PARAMS, TAPS, sharded, emulation)
    expected, same = both_gradients(PARAMS, TAPS, IMAGES, emulation)
    assert_equal(gradients, expected)
    assert numbers(taps) == numbers(same)


@pytest.mark.parametrize("check_vma", [True, False])
@pytest.mark.parametrize(
    ("fidelity", "double_buffered"), [("native", False), ("tile", False), ("register", False), ("register", True)]
)
def test_a_shard_map_is_an_array_a_device(mesh: Mesh, fidelity: str, double_buffered: bool, check_vma: bool) -> None:
    emulation = Emulation(replace(ARRAY, double_buffered=double_buffered), fidelity=fidelity)

    def on_device(params: Params, taps: Taps, images: Array) -> tuple[Params, list[LayerCounters]]:
        gradients, own = jax.grad(loss, (0, 1))(params, taps, images, emulation)
        if check_vma:  # JAX adds up the gradients of what the devices share
            return gradients, read(own)
        return lax.psum(gradients, "data"), [counters.psum("data") for counters in read(own)]

    run = jax.shard_map(on_device, mesh=mesh, in_specs=(P(), P(), P("data")), out_specs=P(), check_vma=check_vma)
    gradients, counters = jax.jit(run)(PARAMS, TAPS, IMAGES)
    assert_equal(gradients, jax.grad(plain_loss)(PARAMS, IMAGES))
    assert [as_dicts(layer) for layer in counters] == one_by_one(emulation)
