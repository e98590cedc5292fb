"""The table: whatever a model computes its products by, and whatever a step wraps it in, they run on the array.

Expected are GEMMs written down by hand, through the closed form, and Flax's own gradients.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import Array, lax
from jax.sharding import NamedSharding, PartitionSpec

from jaxgrad import Accelerator, Counters, Emulation, Gemm, count, count_forward
from jaxgrad.autodiff import LayerCounters
from jaxgrad.flax import Rule, Tap, put_on_array, read_counters, value_and_grad
from tests import devices
from tests.flax.models import MODELS, Frozen, Shared, Stateful, images, loss

ARRAY = Accelerator(3, 4)
NATIVE = Emulation(ARRAY)
TILE = Emulation(ARRAY, fidelity="tile")


class Uses(NamedTuple):
    """Calls of one product: its GEMM, how often it runs forward and backward, and whether its dX is wanted."""

    gemm: Gemm
    forward: int
    backward: int
    dx: bool = True


def once(*sizes: int, times: int = 1, dx: bool = True) -> Uses:
    return Uses(Gemm(*sizes), times, times, dx)


class Tied(nnx.Module):
    """An embedding whose table is the head too."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.embed = nnx.Embed(20, 6, rngs=rngs)
        self.dense = nnx.Linear(6, 6, rngs=rngs)

    def __call__(self, ids: Array) -> Array:
        return self.embed.attend(self.dense(self.embed(ids)))


class Functional(nnx.Module):
    """Products that no layer of Flax's computes: attention as a function, and matrices of its own."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.qkv = nnx.Linear(6, 18, rngs=rngs)
        self.up, self.down = (nnx.Param(jax.random.normal(rngs(), shape)) for shape in ((6, 8), (8, 6)))

    def mixed(self, x: Array) -> Array:
        q, k, v = jnp.split(self.qkv(x).reshape(1, len(x), 2, 9), 3, axis=-1)
        return nnx.dot_product_attention(q, k, v).reshape(len(x), 6)

    def __call__(self, x: Array) -> Array:
        hidden = nnx.relu(self.mixed(x) @ self.up[...])
        return hidden @ self.down[...]


class Penalised(nnx.Module):
    """A method of its own beside its call, and a scalar product."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.encoder, self.decoder = nnx.Linear(6, 2, rngs=rngs), nnx.Linear(2, 6, rngs=rngs)

    def encode(self, x: Array) -> Array:
        return nnx.tanh(self.encoder(x))

    def __call__(self, x: Array) -> Array:
        code = self.encode(x)
        return self.decoder(code) + jnp.vdot(code, code)


TABLE: dict[str, tuple[Callable[[nnx.Rngs], nnx.Module], dict[str, list[Uses]]]] = {
    "Scanned": (MODELS["Scanned"], {"blocks.dense": [once(3, 6, 6, times=3)]}),
    "ScannedByState": (MODELS["ScannedByState"], {"layers": [once(3, 6, 6, times=3)]}),
    "Remat": (
        MODELS["Remat"],
        {
            "before": [once(3, 6, 6, dx=False)],
            "first": [Uses(Gemm(3, 6, 6), 2, 1)],
            "second": [once(3, 6, 6)],  # nothing needs its output again
        },
    ),
    "Recurrent": (
        MODELS["Recurrent"],
        {"rnn.cell.dense_i": [once(3, 6, 20, times=4, dx=False)], "rnn.cell.dense_h": [once(3, 5, 20, times=4)]},
    ),
    "Attention": (
        MODELS["Attention"],
        {
            **{f"attention.{name}": [once(3, 6, 6, dx=name == "out")] for name in ("query", "key", "value", "out")},
            "attention#1": [once(3, 3, 3, times=2)],
            "attention#2": [once(3, 3, 3, times=2)],
            "einsum": [once(3, 6, 6)],
            "general": [once(3, 6, 4)],
        },
    ),
    "Shared": (MODELS["Shared"], {"again": [once(3, 6, 6, dx=False), once(3, 6, 6)], "head": [once(3, 6, 2)]}),
    "Stateful": (MODELS["Stateful"], {"dense": [once(3, 6, 6, dx=False)]}),
    "Convolutions": (
        MODELS["Convolutions"],
        {
            "circular": [once(36, 3, 2, dx=False)],
            "causal": [once(36, 6, 4)],
            "reflect": [once(18, 6, 2, times=2)],
            "depthwise": [once(18, 3, 1, times=4)],
        },
    ),
    "Tied": (Tied, {"dense": [once(5, 6, 6)], "embed": [once(5, 6, 20)]}),
    "Functional": (
        Functional,
        {
            "qkv": [once(3, 6, 18, dx=False)],
            "model#1": [once(3, 3, 3, times=2)],  # q k^T, two heads
            "model#2": [once(3, 3, 3, times=2)],
            "model#3": [once(3, 6, 8)],
            "model#4": [once(3, 8, 6)],
        },
    ),
    "Penalised": (
        Penalised,
        {"encoder": [once(3, 6, 2, dx=False)], "decoder": [once(3, 2, 6)], "model": [once(1, 6, 1)]},
    ),
}


def inputs(name: str) -> Array:
    return jnp.arange(5) if name == "Tied" else images()


def without_data(counters: Counters) -> dict[str, int]:
    return {name: number for name, number in counters.as_dict().items() if name != "effectual_macs"}


def by_hand(uses: list[Uses]) -> tuple[dict[str, int], dict[str, int]]:
    forward = backward = Counters.zero()
    for own in uses:
        forward += count_forward(own.gemm, ARRAY).times(own.forward)
        backward += count(own.gemm, ARRAY, dx=own.dx).times(own.backward)
    return without_data(forward), without_data(backward)


def phases(counters: LayerCounters) -> tuple[dict[str, int], dict[str, int]]:
    return without_data(counters.forward), without_data(counters.backward)


def assert_counts(counters: dict[str, LayerCounters], expected: dict[str, list[Uses]], times: int = 1) -> None:
    assert set(counters) == set(expected)
    for path, uses in expected.items():
        wanted = [{name: number * times for name, number in counts.items()} for counts in by_hand(uses)]
        assert list(phases(counters[path])) == wanted, path
        assert 0 < counters[path].forward.as_dict()["effectual_macs"] <= counters[path].forward.as_dict()["macs"]


def assert_close(got: Any, wanted: Any) -> None:
    def close(a: Any, b: Any) -> None:  # sums in another order: as near as the largest of them tells
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=1e-5 * max(1, np.max(np.abs(b), initial=0)))

    jax.tree.map(close, got, wanted)


def on_array(kind: Callable[[nnx.Rngs], nnx.Module], emulation: Any = NATIVE) -> Any:
    return put_on_array(kind(nnx.Rngs(0)), emulation)


@pytest.mark.parametrize("name", TABLE)
def test_every_product_is_counted_and_nothing_is_said(name: str) -> None:
    kind, expected = TABLE[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        value, grads, counters = nnx.jit(value_and_grad(loss))(on_array(kind), inputs(name))
    assert_close((value, grads), nnx.jit(nnx.value_and_grad(loss))(kind(nnx.Rngs(0)), inputs(name)))
    assert_counts(counters, expected)


def test_a_tied_head_by_hand() -> None:
    """The figures of the bug report: 180 and 360 MACs were the dense layer alone."""
    _, _, counters = nnx.jit(value_and_grad(loss))(on_array(Tied), inputs("Tied"))
    assert sum(own.forward.as_dict()["macs"] for own in counters.values()) == 780
    assert sum(own.backward.as_dict()["macs"] for own in counters.values()) == 1560


@pytest.mark.parametrize("name", ["Tied", "Functional", "Attention", "Remat"])
def test_fidelities_agree(name: str) -> None:
    kind, expected = TABLE[name]
    value, grads, counters = nnx.jit(value_and_grad(loss))(on_array(kind, TILE), inputs(name))
    assert_close((value, grads), nnx.jit(nnx.value_and_grad(loss))(kind(nnx.Rngs(0)), inputs(name)))
    assert_counts(counters, expected)


def test_vmap_inside_is_the_gemm_that_it_makes() -> None:
    """Three members of one input are one GEMM of their weights side by side: what XLA runs, and the array."""
    kind = MODELS["Ensemble"]
    value, grads, counters = nnx.jit(value_and_grad(loss))(on_array(kind), images())
    assert_close((value, grads), nnx.jit(nnx.value_and_grad(loss))(kind(nnx.Rngs(0)), images()))
    forward, backward = phases(counters["members"])
    assert forward["macs"] == backward["macs"] == 3 * 3 * 6 * 4
    assert backward == without_data(count(Gemm(3, 6, 12), ARRAY, dx=False))


class Wrapped(NamedTuple):
    """A step in the midst of a transformation.

    Args:
        run: of (a model's graph, its state, the whole batch) to gradients and counters, of all the batch.
        times: how many steps of a third of the batch it is; 1 for one step of all.
    """

    run: Callable[[Any, Any, Array], Any]
    times: int


def step(graph: Any, state: Any, x: Array, loss_of: Callable[..., Array] = loss) -> Any:
    return value_and_grad(loss_of)(nnx.merge(graph, state, copy=True), x)[1:]


def summed(results: Any) -> Any:
    grads, counters = results
    totals = {path: LayerCounters(own.forward.sum(), own.backward.sum()) for path, own in counters.items()}
    return jax.tree.map(lambda leaf: leaf.sum(0), grads), totals


def vmapped(graph: Any, state: Any, x: Array) -> Any:
    return summed(jax.vmap(functools.partial(step, graph, state))(x[:, None]))


def accumulated(graph: Any, state: Any, x: Array) -> Any:
    return summed(lax.scan(lambda _, row: (None, step(graph, state, row)), None, x[:, None])[1])


def sharded(graph: Any, state: Any, x: Array) -> Any:
    mesh = devices.mesh(3, "data")
    return jax.jit(functools.partial(step, graph))(state, jax.device_put(x, NamedSharding(mesh, PartitionSpec("data"))))


def shard_mapped(graph: Any, state: Any, x: Array) -> Any:
    mesh = devices.mesh(3, "data")

    def device(state: Any, x: Array) -> Any:
        state = jax.tree.map(lambda leaf: lax.pcast(leaf, "data", to="varying"), state)
        grads, counters = step(graph, state, x)
        return lax.psum(grads, "data"), {path: own.psum("data") for path, own in counters.items()}

    specs = (PartitionSpec(), PartitionSpec("data"))
    mapped = jax.shard_map(device, mesh=mesh, in_specs=specs, out_specs=PartitionSpec(), check_vma=False)
    return jax.jit(mapped)(state, x)


def jitted_inside(graph: Any, state: Any, x: Array) -> Any:
    return step(graph, state, x, lambda model, x: nnx.jit(loss)(model, x))


WRAPPED = {
    "eager": Wrapped(step, 1),
    "jax.jit": Wrapped(lambda graph, state, x: jax.jit(functools.partial(step, graph))(state, x), 1),
    "nnx.jit inside": Wrapped(jitted_inside, 1),
    "vmap": Wrapped(vmapped, 3),
    "accumulation": Wrapped(accumulated, 3),
    "sharding": Wrapped(sharded, 1),
    "shard_map": Wrapped(shard_mapped, 3),
}


@pytest.mark.parametrize("name", WRAPPED)
@pytest.mark.parametrize("emulation", [NATIVE, TILE], ids=["native", "tile"])
def test_a_step_within_a_transformation(name: str, emulation: Emulation) -> None:
    wrapped = WRAPPED[name]
    grads, counters = wrapped.run(*nnx.split(on_array(Functional, emulation)), images())
    rows = 3 // wrapped.times

    def alone(model: Any, x: Array) -> Array:
        return sum((loss(model, part) for part in jnp.split(x, wrapped.times)), start=jnp.zeros(()))

    if wrapped.times == 1:
        assert_counts(counters, TABLE["Functional"][1])
        assert_close(grads, nnx.grad(alone)(Functional(nnx.Rngs(0)), images()))
    else:  # a row at a time: attention is of one token
        expected = {
            "qkv": [once(rows, 6, 18, dx=False)],
            "model#1": [once(1, 3, 1, times=2)],
            "model#2": [once(3, 1, 1, times=2)],  # einsum lays v left
            "model#3": [once(rows, 6, 8)],
            "model#4": [once(rows, 8, 6)],
        }
        assert_counts(counters, expected, wrapped.times)
        assert_close(grads, nnx.grad(alone)(Functional(nnx.Rngs(0)), images()))


def test_gradients_of_gradients() -> None:
    """A penalty on the input's gradient: each layer's forward, its dX, and the gradients of both."""

    def penalised(model: Any, x: Array) -> Array:
        return (jax.grad(lambda x: nnx.tanh(model(x)).sum())(x) ** 2).sum()

    for emulation in (NATIVE, TILE):
        value, grads, counters = nnx.jit(value_and_grad(penalised))(on_array(Shared, emulation), images())
        assert_close((value, grads), nnx.jit(nnx.value_and_grad(penalised))(Shared(nnx.Rngs(0)), images()))
        macs: dict[str, int] = {}
        for label, own in counters.items():
            path = label.partition("#")[0]
            macs[path] = macs.get(path, 0) + own.total.as_dict()["macs"]
        # A product, its inner dX, and the two gradients of each; of the first one no dX of its own.
        assert macs == {"again": (5 + 6) * 3 * 6 * 6, "head": 6 * 3 * 6 * 2}


def test_a_step_differentiated_from_outside() -> None:
    def after(scale: Array, emulation: Emulation | None) -> Array:
        model = Shared(nnx.Rngs(0)) if emulation is None else on_array(Shared, emulation)
        scaled = functools.partial(lambda scale, model, x: scale * loss(model, x), scale)
        gradient = nnx.grad(scaled) if emulation is None else lambda *args: value_and_grad(scaled)(*args)[1]
        return sum(((leaf**2).sum() for leaf in jax.tree.leaves(gradient(model, images()))), start=jnp.zeros(()))

    wanted = jax.grad(after)(jnp.float32(2), None)
    np.testing.assert_allclose(jax.jit(jax.grad(after), static_argnums=1)(jnp.float32(2), NATIVE), wanted, rtol=1e-4)


def test_frozen_weights_have_no_gradient_to_count() -> None:
    wrt = nnx.All(nnx.Param, nnx.PathContains("trained"))
    _, _, counters = nnx.jit(value_and_grad(loss, wrt=wrt))(on_array(Frozen), images())
    zero = without_data(Counters.zero())
    assert phases(counters["first"])[1] == phases(counters["second"])[1] == zero
    assert phases(counters["trained"])[1] == without_data(count(Gemm(3, 6, 6), ARRAY, dx=False))
    assert phases(counters["last"])[1] == without_data(count(Gemm(3, 6, 6), ARRAY, dw=False))


def test_products_of_the_loss_itself_have_their_line() -> None:
    def contrastive(model: Any, x: Array) -> Array:
        out = model(x)
        return (out @ out.T).sum()

    _, grads, counters = nnx.jit(value_and_grad(contrastive))(on_array(Shared), images())
    assert_close(grads, nnx.grad(contrastive)(Shared(nnx.Rngs(0)), images()))
    (line,) = set(counters) - {"again", "head"}
    assert line.startswith("test_interception.py:")
    assert phases(counters[line])[0] == without_data(count_forward(Gemm(3, 2, 3), ARRAY))


# Calls outside of ``value_and_grad``: by hand, with taps.


def step_by_hand(model: Any, x: Array) -> tuple[nnx.State, dict[str, LayerCounters]]:
    graph, params, taps, rest = nnx.split(model, nnx.Param, Tap, ...)

    def loss_of(params: nnx.State, taps: nnx.State) -> Array:
        return loss(nnx.merge(graph, params, taps, rest, copy=True), x)

    grads, cotangents = jax.grad(loss_of, (0, 1))(params, taps)
    return grads, read_counters(cotangents)


@pytest.mark.parametrize("name", sorted(set(TABLE) - {"Scanned"}))  # its dropout draws anew
def test_a_step_by_hand_counts_by_module(name: str) -> None:
    kind, expected = TABLE[name]
    grads, counters = nnx.jit(step_by_hand)(on_array(kind), inputs(name))
    assert_close(grads, nnx.jit(nnx.grad(loss))(kind(nnx.Rngs(0)), inputs(name)))
    modules: dict[str, list[Uses]] = {}
    for path, uses in expected.items():
        modules.setdefault(path.partition("#")[0], []).extend(uses)
    for path, own in counters.items():
        assert phases(own) == by_hand(modules.get(path, [])), path
    assert set(modules) <= set(counters)


def test_calls_keep_the_model_s_state_and_its_own_errors() -> None:
    model, plain = on_array(Stateful), Stateful(nnx.Rngs(0))
    assert_close(model(images()), plain(images()))
    assert_close(model.norm.mean[...], plain.norm.mean[...])
    assert_close(model(images()), plain(images()))  # the next key of the stream
    assert (type(model).__name__, isinstance(model, Stateful)) == ("Stateful", True)
    assert not hasattr(model.norm, "_scope")  # what a trace changed is as it was
    with pytest.raises(TypeError, match="dot_general"):
        model(jnp.ones((3, 5)))


def test_variables_that_a_call_makes_are_the_model_s() -> None:
    class Sowing(Shared):
        def __call__(self, x: Array) -> Array:
            hidden = self.dense(x)
            self.hidden = nnx.Intermediate(hidden)
            self.calls = getattr(self, "calls", 0) + 1
            return self.head(hidden)

    model = on_array(Sowing)
    out = model(images())
    assert model.calls == 1
    with pytest.warns(UserWarning, match="head: called from outside of its model"):
        assert_close(model.head(model.hidden[...]), out)


def test_parts_of_a_model_called_by_themselves_run_where_its_rules_say_and_tell_that_no_tap_counts_them() -> None:
    model = on_array(Shared, [Rule("head", TILE), Rule("*", NATIVE)])

    def jaxpr(layer: Any) -> str:
        with pytest.warns(UserWarning, match="called from outside of its model, whose taps do not count it"):
            return str(jax.make_jaxpr(lambda x: layer(x))(images()))

    assert "name=_forward" in jaxpr(model.head)  # the array's own function, a tile at a time
    assert "name=_forward" not in jaxpr(model.dense)


def test_public_methods_are_calls_too() -> None:
    model = on_array(Penalised, Emulation(ARRAY, fidelity="tile"))
    assert_close(model.encode(images()), Penalised(nnx.Rngs(0)).encode(images()))
    text = str(jax.make_jaxpr(lambda x: model.encode(x))(images()))
    assert "name=_forward" in text  # the array's own function


def test_rules_by_path() -> None:
    narrow = Emulation(Accelerator(2, 2), "sequential")
    rules = [Rule("attention", narrow), Rule("attention.*", NATIVE), Rule("general", None), Rule("decoder*", NATIVE)]
    model = on_array(MODELS["Attention"], rules)
    with pytest.warns(UserWarning, match="on the array") as caught:
        _, grads, counters = nnx.jit(value_and_grad(loss))(model, images())
    (warning,) = caught
    said = str(warning.message)
    assert "dot_general of einsum left to XLA, no rule is for it; 108 MACs forward, 216 backward" in said
    assert "dot_general of general left to XLA, by a rule; 72 MACs forward, 144 backward" in said
    assert "rule 'decoder*': no product is its own" in said
    assert_close(grads, nnx.grad(loss)(MODELS["Attention"](nnx.Rngs(0)), images()))
    scores = count(Gemm(3, 3, 3), narrow.array, "sequential").times(2)
    assert without_data(counters["attention#1"].backward) == without_data(scores)
    assert phases(counters["attention.out"]) == by_hand([once(3, 6, 6)])
    assert not {"einsum", "general"} & set(counters)


def test_models_within_a_model_keep_their_own_rules() -> None:
    class Pair(nnx.Module):
        def __init__(self, rngs: nnx.Rngs) -> None:
            self.one, self.other = Shared(rngs), Shared(rngs)
            self.outside = nnx.Linear(2, 2, rngs=rngs)

        def __call__(self, x: Array) -> Array:
            return self.outside(self.one(x) + self.other(x))

    pair = Pair(nnx.Rngs(0))
    narrow = Emulation(Accelerator(2, 2))
    put_on_array(pair.one, NATIVE)
    put_on_array(pair.other, narrow)
    with pytest.warns(UserWarning, match="dot_general of outside left to XLA, no rule is for it; 12 MACs"):
        _, grads, counters = nnx.jit(value_and_grad(loss))(pair, images())
    assert_close(jax.tree.leaves(grads), jax.tree.leaves(nnx.grad(loss)(Pair(nnx.Rngs(0)), images())))
    assert phases(counters["one.head"]) == by_hand([once(3, 6, 2)])
    assert without_data(counters["other.head"].backward) == without_data(count(Gemm(3, 6, 2), narrow.array))


def test_transposed_convolutions_and_complex_products_of_a_model_run_on_the_array() -> None:
    class Decoder(nnx.Module):
        def __init__(self, rngs: nnx.Rngs) -> None:
            self.transposed = nnx.ConvTranspose(2, 3, (3, 3), strides=2, rngs=rngs)
            self.mix = nnx.Param(jnp.ones((3, 3)))

        def __call__(self, x: Array) -> Array:
            y = jnp.fft.fft(self.transposed(x), axis=1) @ self.mix.astype(jnp.complex64)
            return y.real + y.imag

    x = jnp.ones((1, 4, 4, 2))
    model = on_array(Decoder)
    _, grads, counters = nnx.jit(value_and_grad(loss))(model, x)
    assert_close(grads, nnx.grad(loss)(Decoder(nnx.Rngs(0)), x))
    up = Gemm(16, 2, 27)  # each pixel meets the whole kernel
    assert without_data(counters["transposed"].forward) == without_data(count_forward(up, ARRAY))
    assert without_data(counters["transposed"].backward) == without_data(count(up, ARRAY, dx=False))
    assert counters["model"].forward.as_dict()["macs"] == 4 * 64 * 9
