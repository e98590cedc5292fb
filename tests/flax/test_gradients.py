from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from jax import Array

import jaxgrad_models
from jaxgrad import Accelerator, Counters, Emulation, Gemm, count, count_forward
from jaxgrad.autodiff import LayerCounters
from jaxgrad.flax import Tap, layer_gemms, put_on_array, read_counters, step_gemms, value_and_grad
from jaxgrad.programs import LayerGemm
from tests.flax.models import MODELS, Convolutions, Frozen, Remat, Shared, Stateful, images, loss

ARRAY = Accelerator(3, 4)
NATIVE = Emulation(ARRAY)


def on_array(model: Any, emulation: Emulation = NATIVE) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return put_on_array(model, emulation)


def as_dicts(counters: LayerCounters) -> tuple[dict[str, int], dict[str, int]]:
    return counters.forward.as_dict(), counters.backward.as_dict()


def by_shape(records: list[LayerGemm], path: str) -> tuple[dict[str, int], dict[str, int]]:
    """A layer's counts from its records, but for the effectual MACs."""
    forward = backward = Counters.zero()
    for own in records:
        if own.path == path:
            forward += count_forward(own.gemm, ARRAY).times(own.times + own.recomputed)
            if own.needs_dx or own.needs_dw:
                backward += count(own.gemm, ARRAY, dx=own.needs_dx, dw=own.needs_dw).times(own.times)
    return without_data(forward.as_dict()), without_data(backward.as_dict())


def without_data(counts: dict[str, int]) -> dict[str, int]:
    return {name: number for name, number in counts.items() if name != "effectual_macs"}


def assert_close(got: Any, wanted: Any) -> None:
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=1e-4), got, wanted)


def others(model: nnx.Module) -> list[np.ndarray]:
    """All variables but parameters and taps."""
    leaves = jax.tree.leaves(nnx.state(model, nnx.Not(nnx.Any(nnx.Param, Tap))))
    keys = jax.dtypes.prng_key
    return [np.asarray(jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, keys) else leaf) for leaf in leaves]


@pytest.mark.parametrize("name", MODELS)
def test_gradients_state_and_counts_of_a_step(name: str) -> None:
    plain, model = MODELS[name](nnx.Rngs(0)), on_array(MODELS[name](nnx.Rngs(0)))
    records = step_gemms(model, images())
    value, grads, counters = nnx.jit(value_and_grad(loss))(model, images())
    expected, gradients = nnx.jit(nnx.value_and_grad(loss))(plain, images())
    assert_close((value, grads), (expected, gradients))
    assert_close(others(model), others(plain))
    modules: dict[str, LayerCounters] = {}
    for label, own in counters.items():
        path = label.partition("#")[0]
        modules[path] = modules[path] + own if path in modules else own
    assert {own.path for own in records} == set(modules)
    for path, own in modules.items():
        forward, backward = as_dicts(own)
        assert (without_data(forward), without_data(backward)) == by_shape(records, path), path
        assert 0 < forward["effectual_macs"] <= forward["macs"]


@pytest.mark.parametrize(("name", "shape"), [("mlp", (4, 4, 1)), ("lenet", (8, 8, 1)), ("resnet20", (8, 8, 3))])
def test_models_that_know_nothing_of_arrays(name: str, shape: tuple[int, ...]) -> None:
    x = jax.random.normal(jax.random.key(1), (2, *shape))
    plain, model = (jaxgrad_models.build(name, input_shape=shape, classes=3, rngs=nnx.Rngs(0)) for _ in range(2))
    records = layer_gemms(plain, jax.ShapeDtypeStruct(x.shape, x.dtype))
    put_on_array(model, NATIVE)
    value, grads, counters = nnx.jit(value_and_grad(loss))(model, x)
    expected, gradients = nnx.jit(nnx.value_and_grad(loss))(plain, x)
    assert_close((value, grads), (expected, gradients))
    assert [own.path for own in records if not own.needs_dx] == [records[0].path]
    for path, own in counters.items():
        assert tuple(map(without_data, as_dicts(own))) == by_shape(records, path), path


@pytest.mark.parametrize(("kind", "fidelity"), [(Convolutions, "tile"), (Shared, "tile"), (Shared, "register")])
def test_fidelities_agree(kind: Any, fidelity: str) -> None:
    steps = [
        nnx.jit(value_and_grad(loss))(on_array(kind(nnx.Rngs(0)), emulation), images())
        for emulation in (NATIVE, Emulation(ARRAY, fidelity=fidelity))
    ]
    assert_close(steps[1][:2], steps[0][:2])
    counts = [{path: tuple(map(without_data, as_dicts(own))) for path, own in step[2].items()} for step in steps]
    assert counts[0] == counts[1]


def test_records_of_layers() -> None:
    square = Gemm(3, 6, 6)
    assert layer_gemms(Shared(nnx.Rngs(0)), images()) == [
        LayerGemm("again", square, 1, needs_dx=False),
        LayerGemm("again", square, 1, needs_dx=True),
        LayerGemm("head", Gemm(3, 6, 2), 1, needs_dx=True),
    ]
    assert layer_gemms(Remat(nnx.Rngs(0)), images()) == [
        LayerGemm("before", square, 1, needs_dx=False),
        LayerGemm("first", square, 1, needs_dx=True, recomputed=1),
        LayerGemm("second", square, 1, needs_dx=True),
    ]


def test_frozen_layers() -> None:
    """No dW, and no dX that only a frozen layer would use, though its forward work is still told."""
    wrt = nnx.All(nnx.Param, nnx.PathContains("trained"))
    plain, model = Frozen(nnx.Rngs(0)), on_array(Frozen(nnx.Rngs(0)))
    _, grads, counters = nnx.jit(value_and_grad(loss, wrt=wrt))(model, images())
    _, gradients = nnx.value_and_grad(loss, argnums=nnx.DiffState(0, wrt))(plain, images())
    assert_close(grads, gradients)
    macs = 3 * 6 * 6
    assert {path: own.forward.as_dict()["macs"] for path, own in counters.items()} == dict.fromkeys(counters, macs)
    backward = {path: own.backward.as_dict() for path, own in counters.items()}
    assert {path: counts["macs"] for path, counts in backward.items()} == {
        "first": 0, "second": 0, "trained": macs, "last": macs,
    }  # fmt: skip
    assert without_data(backward["trained"]) == without_data(count(Gemm(3, 6, 6), ARRAY, dx=False).as_dict())
    assert without_data(backward["last"]) == without_data(count(Gemm(3, 6, 6), ARRAY, dw=False).as_dict())
    records = layer_gemms(model, images(), wrt=wrt)
    assert [(own.path, own.needs_dx, own.needs_dw) for own in records] == [
        ("first", False, False), ("second", False, False), ("trained", False, True), ("last", True, False),
    ]  # fmt: skip


def test_a_layer_run_again_in_one_of_its_calls_only_is_counted_as_it_runs() -> None:
    class Sometimes(Shared):
        def __call__(self, x: Array) -> Array:
            again = nnx.remat(lambda model, x: nnx.tanh(model.dense(nnx.tanh(x))))
            return self.head(again(self, nnx.tanh(self.dense(x))))

    _, _, counters = nnx.jit(value_and_grad(loss))(on_array(Sometimes(nnx.Rngs(0))), images())
    assert counters["again"].forward.as_dict()["macs"] == 3 * 3 * 6 * 6


def test_aux_and_other_arguments_under_jax_jit() -> None:
    model = on_array(Stateful(nnx.Rngs(0)))
    graph, state = nnx.split(model)

    def scaled(model: Stateful, x: Array, *, scale: Array) -> tuple[Array, Array]:
        out = model(x)
        return scale * (out**2).sum(), out

    @jax.jit
    def step(state: nnx.State, x: Array) -> Any:
        model = nnx.merge(graph, state)
        results = value_and_grad(scaled, has_aux=True)(model, x, scale=jnp.float32(2))
        return results, nnx.state(model)

    ((value, out), grads, counters), after = step(state, images())
    np.testing.assert_allclose(value, 2 * (out**2).sum(), rtol=1e-6)
    assert jax.tree.structure(grads) == jax.tree.structure(nnx.state(model, nnx.Param))
    assert set(counters) == {"dense"}
    assert any(
        not np.array_equal(old, new) for old, new in zip(others(model), others(nnx.merge(graph, after)), strict=True)
    )


def test_a_model_off_the_array_has_gradients_and_no_counts() -> None:
    value, grads, counters = nnx.jit(value_and_grad(loss))(Shared(nnx.Rngs(0)), images())
    assert_close((value, grads), nnx.jit(nnx.value_and_grad(loss))(Shared(nnx.Rngs(0)), images()))
    assert counters == {}


def test_a_layer_the_loss_does_not_depend_on_counts_zero() -> None:
    model = on_array(Shared(nnx.Rngs(0)))
    _, _, counters = nnx.jit(value_and_grad(lambda model, x: (model.dense(x) ** 2).sum()))(model, images())
    assert as_dicts(counters["head"]) == (Counters.zero().as_dict(),) * 2
    assert counters["again"].backward.as_dict()["macs"] == 3 * 6 * 6


def step_by_hand(model: Any, x: Array) -> tuple[nnx.State, dict[str, LayerCounters]]:
    graph, params, taps, rest = nnx.split(model, nnx.Param, Tap, ...)

    def loss_of(params: nnx.State, taps: nnx.State) -> Array:
        return loss(nnx.merge(graph, params, taps, rest, copy=True), x)

    grads, cotangents = jax.grad(loss_of, (0, 1))(params, taps)
    return grads, read_counters(cotangents)


def ready_made_step(model: Any, x: Array) -> tuple[nnx.State, dict[str, LayerCounters]]:
    return value_and_grad(loss)(model, x)[1:]


@pytest.mark.parametrize("step", [step_by_hand, ready_made_step])
def test_an_optimizer_sees_parameters_alone(step: Callable[..., Any]) -> None:
    plain, model = Shared(nnx.Rngs(0)), on_array(Shared(nnx.Rngs(0)))
    optimizers = [nnx.Optimizer(each, optax.adamw(1e-2), wrt=nnx.Param) for each in (plain, model)]
    step, plain_step = nnx.jit(step), nnx.jit(nnx.grad(loss))
    for _ in range(2):
        grads, counters = step(model, images())
        assert counters["again"].forward.as_dict()["macs"] == 2 * 3 * 6 * 6
        optimizers[1].update(model, grads)
        optimizers[0].update(plain, plain_step(plain, images()))
    assert_close(nnx.state(model, nnx.Param), nnx.state(plain, nnx.Param))
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(nnx.state(model, Tap)))
    moments = jax.tree.leaves(nnx.state(optimizers[1]))
    assert len(moments) == len(jax.tree.leaves(nnx.state(optimizers[0])))


def test_nnx_grad_itself_works_and_counts_nothing() -> None:
    model = on_array(Shared(nnx.Rngs(0)))
    gradient = nnx.jit(nnx.grad(loss))
    assert_close(gradient(model, images()), gradient(Shared(nnx.Rngs(0)), images()))


def test_accumulating_over_parts_of_a_batch() -> None:
    model = on_array(Shared(nnx.Rngs(0)))
    graph, state = nnx.split(model)
    step = nnx.jit(value_and_grad(loss))
    parts = [step(model, row[None])[1:] for row in images()]

    @jax.jit
    def accumulate(state: nnx.State, rows: Array) -> Any:
        def step(state: nnx.State, row: Array) -> Any:
            _, grads, counters = value_and_grad(loss)(nnx.merge(graph, state, copy=True), row[None])
            return state, (grads, counters)

        _, (grads, counters) = jax.lax.scan(step, state, rows)
        totals = {path: LayerCounters(own.forward.sum(), own.backward.sum()) for path, own in counters.items()}
        return jax.tree.map(lambda leaf: leaf.sum(0), grads), totals

    grads, counters = accumulate(state, images())
    assert_close(grads, jax.tree.map(lambda *leaves: sum(leaves), *(part[0] for part in parts)))
    for path, own in counters.items():
        assert as_dicts(own) == as_dicts(sum((part[1][path] for part in parts[1:]), start=parts[0][1][path]))
