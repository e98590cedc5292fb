"""Layers of a few bits through the public rules: gradients against plain JAX, counters against the closed form."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array, lax
from jax.sharding import PartitionSpec as P

from jaxgrad import Accelerator, Emulation, Gemm, count, count_forward, emulate_function
from jaxgrad.array.execute import FIDELITIES
from jaxgrad.array.schedules import TRAINING_SCHEDULES
from jaxgrad.autodiff import LayerCounters, dot_general, new_tap, read_tap
from jaxgrad.autodiff.convolution import ConvGeneralDilated
from jaxgrad.autodiff.dot_general import DotGeneral
from jaxgrad.autodiff.estimators import EXACT, Estimator, describe, rad, rounded
from jaxgrad.autodiff.layer import Layer, Wanted
from jaxgrad.hardware import Precision
from jaxgrad.quantization import activation_codes, project, quantized
from jaxgrad.transform.rules import Rule
from tests.autodiff.estimators.own import Columns
from tests.devices import mesh
from tests.layers import NHWC
from tests.quantization import truth
from tests.refusals import Refusal, assert_refused

ARRAY = Accelerator(3, 4)
NATIVE = Emulation(ARRAY)
MATRICES = (((1,), (0,)), ((), ()))
KEY = jax.random.key(5)
RNG = np.random.default_rng(3)
X, W = jnp.asarray(RNG.normal(size=(4, 6)) + 0.4, jnp.float32), jnp.asarray(RNG.normal(size=(6, 5)), jnp.float32)
SQUARES = jnp.asarray(RNG.normal(size=(3, 6, 6)), jnp.float32)
IMAGES, KERNEL = (jnp.asarray(RNG.normal(size=shape), jnp.float32) for shape in ((2, 5, 5, 4), (3, 3, 4, 2)))
RESOLUTION = {"layer": {"resolution": jnp.float32(0.15)}}
W1A4, W2A2 = quantized(1, 4), quantized(2, 2)

OFF_STEPS = 0.07  # sums of codes that are zero exactly are not so in plain JAX, and would be another code

Dot = Callable[[Array, Array], Array]


def layer(dot: Dot, x: Array, w: Array) -> Array:
    with jax.named_scope("layer"):
        return dot(x, w)


def one(dot: Dot, w: Array, x: Array) -> Array:
    return (jnp.sin(dot(x, w)) * jnp.arange(w.shape[-1])).sum()


def convolved(dot: Dot, w: Array, x: Array) -> Array:
    return jnp.sin(dot(x, w)).sum()


def scanned(dot: Dot, w: Array, x: Array) -> Array:
    return lax.scan(lambda x, w: (jnp.tanh(dot(x, w) + OFF_STEPS), None), x, w)[0].sum()


def remade(dot: Dot, w: Array, x: Array) -> Array:
    x = jnp.abs(x)
    for one in w:
        x = jax.checkpoint(lambda x, w: jnp.tanh(jax.jit(dot)(x, w) + OFF_STEPS))(x, one)
    return x.sum()


def branching(dot: Dot, w: Array, x: Array) -> Array:
    x = jnp.abs(x)  # made as w[0] is: else, of two operands with a gradient, the one from outside is w
    return lax.cond(x.sum() > 0, lambda: dot(x, w[0]).sum(), lambda: jnp.sin(dot(x, w[1])).sum())


def mapped(dot: Dot, w: Array, x: Array) -> Array:
    return jax.vmap(lambda x: jnp.sin(dot(x, w)).sum())(jnp.stack([x, 2 * x])).sum()


def sharded(dot: Dot, w: Array, x: Array) -> Array:
    def device(w: Array, x: Array) -> Array:
        return lax.psum(jnp.sin(dot(x, w)).sum(), "rows")

    return jax.shard_map(device, mesh=mesh(4, "rows"), in_specs=(P(), P("rows")), out_specs=P())(w, x)


def conv(x: Array, w: Array) -> Array:
    return lax.conv_general_dilated(x, w, (2, 2), "SAME", dimension_numbers=NHWC)


def emulated(loss: Any, estimator: Estimator, emulation: Emulation, plain: Dot = jnp.matmul) -> Callable[..., Any]:
    """(parameters, w, x, tap) to the loss."""
    rules = [Rule("layer", emulation, estimator)]
    function = functools.partial(loss, functools.partial(layer, plain))

    def run(parameters: Any, w: Array, x: Array, tap: Array) -> Array:
        return emulate_function(function, rules, key=KEY, parameters=parameters).tapped(tap, w, x)[0]

    return run


def gradients(
    loss: Any, estimator: Estimator, emulation: Emulation, w: Array, x: Array, plain: Dot = jnp.matmul
) -> Any:
    """Loss, gradients by parameters, w and x, and the counters."""
    run = jax.jit(jax.value_and_grad(emulated(loss, estimator, emulation, plain), (0, 1, 2, 3)))
    value, (*grads, tap) = run(RESOLUTION, w, x, new_tap())
    return (value, *grads), read_tap(tap)


def expected(loss: Any, estimator: Any, w: Array, x: Array, plain: Dot = jnp.matmul) -> Any:
    """The same in plain JAX."""

    def reference(parameters: Any, w: Array, x: Array) -> Array:
        return loss(lambda x, w: plain(*truth.operands(x, w, parameters["layer"]["resolution"], estimator)), w, x)

    value, grads = jax.jit(jax.value_and_grad(reference, (0, 1, 2)))(RESOLUTION, w, x)
    return value, *grads


@pytest.mark.parametrize("fidelity", FIDELITIES)
@pytest.mark.parametrize("estimator", [W1A4, quantized(3, 8)], ids=["W1A4", "W3A8"])
def test_a_dense_layer(estimator: Estimator, fidelity: str) -> None:
    got, counters = gradients(one, estimator, Emulation(ARRAY, fidelity=fidelity), W, X)
    truth.assert_close(got, expected(one, estimator, W, X))
    gemm = Gemm(4, 6, 5)
    for spent, closed in ((counters.forward, count_forward(gemm, ARRAY)), (counters.backward, count(gemm, ARRAY))):
        assert _of_shapes(spent) == _of_shapes(closed)
    codes, _ = activation_codes(X, RESOLUTION["layer"]["resolution"], estimator.activations)  # pyright: ignore
    assert (
        counters.forward.as_dict()["effectual_macs"]
        == ((codes != 0).astype(int) @ (project(W, estimator.weights).codes != 0)).sum()  # pyright: ignore
    )


@pytest.mark.parametrize("fidelity", ["native", "tile"])
def test_a_convolution(fidelity: str) -> None:
    got, _ = gradients(convolved, W2A2, Emulation(ARRAY, fidelity=fidelity), KERNEL, IMAGES, conv)
    truth.assert_close(got, expected(convolved, W2A2, KERNEL, IMAGES, conv))


@pytest.mark.parametrize(
    "estimator",
    [
        quantized(1, None),
        quantized(None, 4),
        *(quantized(None, 2, by_input=name) for name in ("relu", "identity")),
        *(quantized(4, 2, by_resolution=name) for name in ("pact", "exact")),
        quantized(8, 1, by_input="relu", by_resolution="exact"),
    ],
    ids=lambda estimator: (
        f"{estimator.weights}-{estimator.activations}-{estimator.by_input.name}-{estimator.by_resolution.name}"
    ),
)
def test_one_side_alone_and_every_coarse_derivative(estimator: Estimator) -> None:
    got, _ = gradients(one, estimator, NATIVE, W, X)
    truth.assert_close(got, expected(one, estimator, W, X))


@pytest.mark.parametrize("loss", [scanned, remade, branching, mapped])
def test_through_transformations_with_one_resolution(loss: Any) -> None:
    w = W if loss is mapped else SQUARES
    truth.assert_close(gradients(loss, W1A4, NATIVE, w, X)[0], expected(loss, W1A4, w, X))


def test_on_several_devices() -> None:
    got, _ = gradients(sharded, W1A4, NATIVE, W, X)
    truth.assert_close(got, expected(one_by_row, W1A4, W, X))


def one_by_row(dot: Dot, w: Array, x: Array) -> Array:
    return jnp.sin(dot(x, w)).sum()


@pytest.mark.parametrize("fidelity", ["register", "tile"])
def test_products_of_codes_are_exact(fidelity: str) -> None:
    """Past 2^24, where sums of float32 are not: as NumPy's integers, rounded once."""
    rng = np.random.default_rng(0)
    x, w = rng.integers(250, 256, (2, 601)).astype(np.uint8), rng.integers(120, 128, (601, 2)).astype(np.int8)
    floats = jax.ShapeDtypeStruct(x.shape, jnp.float32), jax.ShapeDtypeStruct(w.shape, jnp.float32)
    contraction = DotGeneral.of(*floats, MATRICES, preferred_element_type=jnp.float32)
    on_array = Layer(contraction, Emulation(Accelerator(8, 2), fidelity=fidelity), Wanted(*floats))
    out, _ = on_array.product(contraction, jnp.asarray(x), jnp.asarray(w))
    sums = x.astype(np.int64) @ w.astype(np.int64)
    assert sums.min() > 2**24
    assert out.dtype == jnp.float32
    np.testing.assert_array_equal(np.asarray(out), sums.astype(np.float32))


def test_what_lives_between_the_passes_is_codes_and_flags() -> None:
    def kept(estimator: Estimator) -> list[str]:
        run = emulated(one, estimator, NATIVE)
        _, pullback = jax.vjp(lambda parameters, w: run(parameters, w, X, new_tap()), RESOLUTION, W)
        return sorted(leaf.dtype.name for leaf in jax.tree.leaves(pullback) if leaf.shape == X.shape)

    assert kept(W1A4) == ["bool", "uint8"]
    assert kept(quantized(1, 4, by_input="relu", by_resolution="exact")) == ["uint8"]
    assert kept(quantized(1, 4, of=Columns(2))) == ["bool", "bool"]


def test_stored_words_are_those_of_the_bits() -> None:
    dense = DotGeneral.of(jnp.ones((8, 40)), jnp.ones((40, 5)), MATRICES)
    assert describe(EXACT, dense).stored_words == 320
    assert describe(W1A4, dense).stored_words == 320 * 4 // 32 + 320 // 32
    assert describe(quantized(1, 3, by_input="identity", by_resolution="exact"), dense).stored_words == 320 * 3 // 32
    assert describe(quantized(1, None), dense).stored_words == 320
    assert describe(quantized(1, 4, of=Columns(2)), dense).stored_words == 16 * 4 // 32 + 2 * 320 // 32
    images = ConvGeneralDilated.of(IMAGES, KERNEL, (2, 2), "SAME", dimension_numbers=NHWC)
    assert describe(W1A4, images).stored_words == 200 * 4 // 32 + 7


def test_the_first_layer_computes_dx_for_its_resolution_alone() -> None:
    def spent(wrt: tuple[int, ...]) -> int:
        *_, tap = jax.jit(jax.grad(emulated(one, W1A4, NATIVE), (*wrt, 3)))(RESOLUTION, W, X, new_tap())
        return read_tap(tap).backward.as_dict()["macs"]

    assert spent((0, 1)) == 2 * 4 * 6 * 5
    assert spent((1,)) == spent((0,)) == 4 * 6 * 5
    posed = describe(W1A4, DotGeneral.of(X, W, MATRICES), dx=False)
    assert [run.results for run in posed.backward] == [("dx", "dw")]


def test_rounded_outside_and_within() -> None:
    bf16 = Precision.of("bf16")
    outside, _ = gradients(one, rounded(bf16, W1A4), NATIVE, W, X)
    within, _ = gradients(one, quantized(1, 4, of=rounded(bf16)), NATIVE, W, X)
    np.testing.assert_array_equal(outside[3], np.asarray(outside[3].astype(jnp.bfloat16), np.float32))
    assert outside[1]["layer"]["resolution"] != 0
    assert not np.array_equal(within[3], np.asarray(within[3].astype(jnp.bfloat16), np.float32))


@pytest.mark.parametrize("mode", ["same", "different", "project"])
@pytest.mark.parametrize("plain", [jnp.matmul, conv])
def test_of_a_random_estimator(mode: str, plain: Dot) -> None:
    """dW is what that one makes of codes that are held in floats, by the same key; dX is exact."""
    w, x = (W, X) if plain is jnp.matmul else (KERNEL, IMAGES)
    dy = jnp.cos(jnp.arange(plain(x, w).size)).reshape(plain(x, w).shape)
    a, of = RESOLUTION["layer"]["resolution"], rad(0.6, mode)

    def linear(dot: Dot, w: Array, x: Array) -> Array:
        return (dy * dot(x, w)).sum()

    (_, _, dw, dx), _ = gradients(linear, quantized(1, 4, of=of), NATIVE, w, x, plain)
    codes, signs = (values.astype(jnp.float32) for values in (activation_codes(x, a, 4)[0], project(w, 1).codes))
    (_, _, of_codes, _), _ = gradients(linear, of, NATIVE, signs, codes, plain)
    truth.assert_close(dw, a * of_codes)
    truth.assert_close(dx, expected(linear, W1A4, w, x, plain)[3])


def _of_shapes(counters: Any) -> dict[str, int]:
    return {name: number for name, number in counters.as_dict().items() if name != "effectual_macs"}


@pytest.mark.parametrize(("cell", "schedule"), list(enumerate(TRAINING_SCHEDULES)))
def test_product_table(cell: int, schedule: str) -> None:
    """Estimator x quantiser x schedule x fidelity: each schedule, and of the others each pair once (a Latin square)."""
    row, column = divmod(cell % 9, 3)
    of, quantiser = (EXACT, Columns(2), rad(1.0, "same"))[row], (None, (1, 4), (2, 2))[column]
    fidelity = FIDELITIES[(row + column) % 3]
    estimator = of if quantiser is None else quantized(*quantiser, of=of)
    emulation = Emulation(ARRAY, schedule, fidelity)
    (_, of_a, dw, dx), counters = gradients(one, estimator, emulation, W, X)
    reference = quantized(*(quantiser or (None, None)))
    _, expected_a, expected_w, expected_x = expected(one, reference, W, X)
    if isinstance(of, Columns):
        chosen = jax.random.permutation(jax.random.fold_in(jax.random.fold_in(KEY, zlib.crc32(b"layer")), 0), 6)
        expected_w = expected_w * np.isin(np.arange(6), np.asarray(chosen)[: of.keep])[:, None] * (6 / of.keep)
    truth.assert_close((of_a, dw, dx), (expected_a, expected_w, expected_x))
    closed = describe(estimator, DotGeneral.of(X, W, MATRICES)).count(emulation)
    assert LayerCounters(*map(_of_shapes, counters)) == LayerCounters(*map(_of_shapes, closed))  # pyright: ignore


def network(dot: Dot, w: tuple[Array, ...], x: Array) -> Array:
    x = jnp.abs(x)
    for one in w:
        x = jax.nn.relu(dot(x, one) + OFF_STEPS)
    return (x * jnp.arange(6)).sum()


@pytest.mark.parametrize("mode", ["same", "different", "project"])
def test_a_network_of_sampled_codes(mode: str) -> None:
    """Loss, dX and the resolution's gradient are those of plain JAX, dW by one key and counters the same at every
    fidelity."""
    few = quantized(1, 4, of=rad(0.5, mode))
    w: Any = tuple(SQUARES[:2])
    fidelities = FIDELITIES if mode == "same" else ("tile", "native")  # registers take long to compile
    runs = [gradients(network, few, Emulation(ARRAY, fidelity=fidelity), w, X) for fidelity in fidelities]
    value, of_a, _, dx = expected(network, W1A4, w, X)
    for (got, got_a, dw, got_dx), counters in runs:
        truth.assert_close((got, got_a, got_dx), (value, of_a, dx))
        truth.assert_close(dw, runs[0][0][2])
        assert [one.as_dict() for one in counters] == [one.as_dict() for one in runs[0][1]]


def test_initial_parameters_are_the_layers_own() -> None:
    def net(ws: tuple[Array, Array], x: Array) -> Array:
        with jax.named_scope("first"):
            x = jax.nn.relu(x @ ws[0])
        with jax.named_scope("second"):
            return (x @ ws[1]).sum()

    rules = [Rule("first", NATIVE, quantized(1, 2)), Rule("*", NATIVE, quantized(1, None))]
    initial = emulate_function(net, rules).initial_parameters((W, SQUARES[0][:5]), X)
    assert jax.tree.map(float, initial) == {"first": {"resolution": np.float32(0.6511)}}
    value, _ = emulate_function(net, rules, parameters=initial)((W, SQUARES[0][:5]), X)
    assert np.isfinite(value)
    refusal = Refusal(
        lambda: emulate_function(net, rules)((W, SQUARES[0][:5]), X), "parameters", "no resolution for first", "initial"
    )
    assert_refused(refusal)


def test_refusals() -> None:
    for call in (
        Refusal(lambda: quantized(0), "weights", "0", "from 1 to 8"),
        Refusal(lambda: quantized(1, 9), "activations", "9", "from 1 to 8"),
        Refusal(lambda: quantized(by_input="hard"), "by_input", "'hard'", "clipped_relu"),
        Refusal(lambda: quantized(by_resolution="lsq"), "by_resolution", "'lsq'", "pact"),
        Refusal(lambda: quantized(of="exact"), "of", "'exact'", "EXACT"),  # pyright: ignore[reportArgumentType]
        Refusal(lambda: gradients(one, quantized(1, None), NATIVE, W + 1j, X), "estimator", "Quantized", "before"),
        Refusal(
            lambda: dot_general(X, W, MATRICES, new_tap(), emulation=NATIVE, estimator=W1A4),
            "estimator",
            "Quantized",
            "emulate_function",
        ),
    ):
        assert_refused(call)
