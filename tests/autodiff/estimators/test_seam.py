"""Estimators that the package does not know, through the public rules and JAX's transformations."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jax import Array, lax
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

from jaxgrad import Accelerator, Emulation, Gemm, count, count_forward
from jaxgrad.array.counters import total
from jaxgrad.array.emulation import FIDELITIES
from jaxgrad.array.schedules import TRAINING_SCHEDULES
from jaxgrad.autodiff import LayerCounters, conv_general_dilated, dot_general, new_tap, read_tap
from jaxgrad.autodiff.dot_general import DotGeneral
from jaxgrad.autodiff.estimators import EXACT, Estimator, describe, rounded
from jaxgrad.autodiff.layer import GemmRun
from jaxgrad.hardware import Precision
from tests.autodiff.estimators.own import Columns, OneBit, Sketch
from tests.autodiff.truth import Counts, as_dicts
from tests.layers import integers, sparse_integers
from tests.refusals import Refusal, assert_refused
from tests.strategies import dense_integers

ARRAY = Accelerator(3, 4)
NATIVE = Emulation(ARRAY)
MATRICES = (((1,), (0,)), ((), ()))
ROWS, COLUMNS, OUT = 4, 6, 5
KEY = jax.random.key(3)
X, W = jnp.asarray(sparse_integers(0, ROWS, COLUMNS)), jnp.asarray(integers(1, COLUMNS, OUT))
DY = jnp.asarray(integers(2, ROWS, OUT))

Results = tuple[Array, Array, LayerCounters]


def gradients(
    estimator: Estimator, x: Any = X, w: Any = W, dy: Any = DY, key: Any = KEY, emulation: Emulation = NATIVE
) -> Results:
    """dX, dW and counters of a dense layer."""
    _, transpose = jax.vjp(
        lambda x, w, tap: dot_general(x, w, MATRICES, tap, emulation=emulation, estimator=estimator, key=key),
        x, w, new_tap(),
    )  # fmt: skip
    dx, dw, tap = transpose(dy)
    return dx, dw, read_tap(tap)


run = jax.jit(gradients, static_argnums=(0, 5))


def sampled(x: Any, dy: Any, key: Array, keep: int) -> np.ndarray:
    """The dW of ``Columns``, from its definition."""
    x = np.asarray(x)
    chosen = np.asarray(jax.random.permutation(key, x.shape[1]))[:keep]
    mask = np.isin(np.arange(x.shape[1]), chosen)
    return (x * mask).T @ np.asarray(dy) * (x.shape[1] / keep)


def without_data(counts: Counts) -> Counts:
    return {name: number for name, number in counts.items() if name != "effectual_macs"}


def by_hand(runs: tuple[GemmRun, ...], emulation: Emulation) -> Counts:
    """The closed forms of some GEMMs, added up in Python's integers; no update."""
    parts = []
    for gemm, groups, results, *_ in runs:
        own = (
            count_forward(gemm, emulation.array, emulation.forward)
            if results == ("y",)
            else count(gemm, emulation.array, emulation.schedule, dx="dx" in results, dw="dw" in results)
        )
        parts.append({name: groups * number for name, number in own.as_dict().items()})
    return {name: sum(part[name] for part in parts) for name in parts[0]}


@pytest.mark.parametrize("fidelity", FIDELITIES)
def test_gradients_are_the_estimators_own(fidelity: str) -> None:
    dx, dw, _ = run(Columns(3), X, W, DY, KEY, Emulation(ARRAY, fidelity=fidelity))
    np.testing.assert_array_equal(dx, DY @ W.T)
    np.testing.assert_array_equal(dw, sampled(X, DY, KEY, 3))
    assert not np.array_equal(dw, X.T @ DY)


@given(
    sizes=st.tuples(st.integers(1, 7), st.integers(3, 7), st.integers(1, 7)),
    array=st.builds(Accelerator, st.integers(1, 4), st.integers(1, 4), double_buffered=st.booleans()),
    schedule=st.sampled_from(TRAINING_SCHEDULES),
    forward=st.sampled_from(["ws", "os", "is"]),
    estimator=st.sampled_from([EXACT, Columns(2), Sketch(4)]),
    fidelity=st.sampled_from(FIDELITIES),
)
@example((4, 6, 5), ARRAY, "interleaved", "ws", Columns(2), "register")
@example((4, 6, 5), replace(ARRAY, double_buffered=True), "interleaved", "ws", Columns(2), "register")
@example((4, 6, 5), ARRAY, "interleaved", "os", Columns(2), "tile")
@example((4, 6, 5), ARRAY, "sequential", "is", Columns(2), "native")
@example((4, 6, 5), ARRAY, "interleaved", "ws", Sketch(4), "register")
@example((4, 6, 5), ARRAY, "ws_only", "ws", Sketch(4), "native")
@settings(max_examples=6)
def test_counters_are_the_closed_forms_of_the_gemms_it_poses(
    sizes: tuple[int, int, int], array: Accelerator, schedule: str, forward: str, estimator: Estimator, fidelity: str
) -> None:
    b, k, n = sizes
    rng = np.random.default_rng(b)
    x, w, dy = (dense_integers(rng, shape) for shape in ((b, k), (k, n), (b, n)))
    emulation = Emulation(array, schedule, fidelity, forward)
    counters = as_dicts(run(estimator, x, w, dy, KEY, emulation)[2])
    posed = describe(estimator, DotGeneral.of(jnp.asarray(x), jnp.asarray(w), MATRICES))
    closed = (by_hand(posed.forward, emulation), by_hand(posed.backward, emulation))
    assert as_dicts(posed.count(emulation)) == closed
    if isinstance(estimator, Sketch):  # sums of signs may be zero
        counters, closed = tuple(map(without_data, counters)), tuple(map(without_data, closed))
    assert counters == closed


@pytest.mark.parametrize("estimator", [Columns(2), Sketch(4)])
def test_effectual_macs_are_those_of_the_data_at_native_and_tile_fidelity(estimator: Estimator) -> None:
    native, *others = (
        as_dicts(run(estimator, X, W, DY, KEY, Emulation(ARRAY, fidelity=each))[2]) for each in ("native", "tile")
    )
    assert all(other == native for other in others)
    if isinstance(estimator, Columns):
        x, w, dy = (np.asarray(each) != 0 for each in (X, W, DY))
        chosen = np.asarray(jax.random.permutation(KEY, COLUMNS))[:2]
        of_dx, of_dw = dy.astype(int) @ w.T, x[:, chosen].T.astype(int) @ dy
        assert native[1]["effectual_macs"] == of_dx.sum() + of_dw.sum()


@pytest.mark.parametrize("update", ["separate", "in_array"])
def test_weights_are_updated_whole_though_dw_is_partial(update: str) -> None:
    """Beside the array, since no pass holds all of w and dW: ``in_array`` is as ``separate``."""
    emulation = replace(NATIVE, weight_update=update)
    plain, own = (run(Columns(2), X, W, DY, KEY, each)[2].backward.as_dict() for each in (NATIVE, emulation))
    added = {name: own[name] - plain[name] for name in own if own[name] != plain[name]}
    assert added == dict.fromkeys(("w_reads", "dw_reads", "w_writes"), COLUMNS * OUT)
    posed = describe(Columns(2), DotGeneral.of(X, W, MATRICES)).count(emulation).backward.as_dict()
    assert without_data(posed) == without_data(own)


@pytest.mark.parametrize("estimator", [Columns(2), Sketch(4), OneBit(9, Columns(2))])
def test_unbiased(estimator: Estimator) -> None:
    keys = jax.random.split(jax.random.key(0), 600)
    dws = np.asarray(jax.jit(jax.vmap(lambda key: gradients(estimator, key=key)[1]))(keys), np.float64)
    error = dws.std(0, ddof=1) / len(dws) ** 0.5
    exact = np.asarray(X).T @ np.asarray(DY)
    varied = error > 0
    assert varied.sum() > COLUMNS * OUT / 2
    np.testing.assert_array_equal(dws.mean(0)[~varied], exact[~varied])
    assert np.abs((dws.mean(0) - exact)[varied] / error[varied]).max() < 4


def test_estimators_compose() -> None:
    """Weights of one bit, sampled columns, and all of it in bf16."""
    x, dy = X + 1 / 512, DY + 1 / 512
    dx, dw, counters = run(rounded(Precision.of("bf16"), OneBit(2, Columns(3))), x, W, dy)
    half = np.asarray(dy.astype(jnp.bfloat16), np.float32)
    scale, signs = np.abs(np.asarray(W)).mean(), np.where(np.asarray(W) < 0, -1, 1)
    np.testing.assert_allclose(dx, half @ signs.T * scale, rtol=1e-2)
    np.testing.assert_array_equal(dx, dx.astype(jnp.bfloat16))
    expected = sampled(x.astype(jnp.bfloat16), half, KEY, 3) * (np.abs(np.asarray(W)) <= 2)
    np.testing.assert_allclose(dw, expected, rtol=1e-5)
    assert without_data(counters.backward.as_dict()) == without_data(run(Columns(3))[2].backward.as_dict())


def kept_bytes(estimator: Estimator) -> int:
    """What a compiled forward pass hands to the backward pass."""

    def forward(x: Array, w: Array, key: Array) -> Any:
        layer = functools.partial(dot_general, emulation=NATIVE, estimator=estimator, key=key)
        return jax.vjp(lambda w: layer(x, w, MATRICES, new_tap()), w)[1]

    compiled = jax.jit(forward).lower(jnp.ones((64, 96)), jnp.ones((96, 8)), KEY).compile()
    memory: Any = compiled.memory_analysis()
    return memory.output_size_in_bytes


@pytest.mark.parametrize("estimator", [EXACT, Columns(24), Sketch(24)])
def test_what_lives_between_the_passes_is_what_the_estimator_says(estimator: Estimator) -> None:
    words = describe(estimator, DotGeneral.of(jnp.ones((64, 96)), jnp.ones((96, 8)), MATRICES), dx=False).stored_words
    assert words == 64 * (96 if estimator == EXACT else 24)
    of_numbers = 4 * 24 if isinstance(estimator, Columns) else 8 if isinstance(estimator, Sketch) else 0
    pointers = 16 if of_numbers else 0  # XLA's, to the parts of a tuple
    assert kept_bytes(estimator) == 4 * words + of_numbers + pointers


def test_a_compiled_step_needs_less_memory() -> None:
    layers, batch, width, keep = 10, 512, 64, 8

    def loss(weights: Array, x: Array, estimator: Estimator) -> Array:
        def layer(x: Array, own: Any) -> tuple[Array, None]:
            return dot_general(x, own[0], MATRICES, new_tap(), emulation=NATIVE, estimator=estimator, key=own[1]), None

        return lax.scan(layer, x, (weights, jax.random.split(KEY, layers)))[0].sum()

    def temporary(estimator: Estimator) -> int:
        operands = jnp.ones((layers, width, width)), jnp.ones((batch, width))
        compiled = jax.jit(jax.grad(loss), static_argnums=2).lower(*operands, estimator).compile()
        memory: Any = compiled.memory_analysis()
        return memory.temp_size_in_bytes

    exact = temporary(EXACT)
    for estimator in (Columns(keep), Sketch(keep)):
        assert exact - temporary(estimator) > 4 * (layers - 1) * batch * (width - keep)


CONV = {"emulation": NATIVE, "dimension_numbers": ("NHC", "HIO", "NHC")}
IMAGES, KERNEL = jnp.asarray(sparse_integers(5, 3, 6, 4)), jnp.asarray(integers(6, 3, 4, 2))


@pytest.mark.parametrize("fidelity", ["native", "tile"])
def test_a_convolution_keeps_some_channels(fidelity: str) -> None:
    def loss(x: Array, w: Array, tap: Array, estimator: Estimator = EXACT) -> Array:
        options = {**CONV, "emulation": Emulation(ARRAY, fidelity=fidelity)}
        out = conv_general_dilated(x, w, (1,), "SAME", tap, estimator=estimator, key=KEY, **options)
        return (out * jnp.arange(2)).sum()

    gradient = jax.jit(jax.grad(loss, (0, 1, 2)), static_argnums=3)
    dx, dw, tap = gradient(IMAGES, KERNEL, new_tap(), Columns(2))
    exact_dx, exact_dw, _ = gradient(IMAGES, KERNEL, new_tap())
    np.testing.assert_array_equal(dx, exact_dx)
    chosen = np.isin(np.arange(4), np.asarray(jax.random.permutation(KEY, 4))[:2])
    np.testing.assert_array_equal(dw, exact_dw * chosen[:, None] * 2)
    counters = read_tap(tap)
    runs = (GemmRun(Gemm(18, 6, 2), 1, ("dx", "dw")), GemmRun(Gemm(18, 6, 2), 1, ("dx",)))
    assert without_data(counters.backward.as_dict()) == without_data(by_hand(runs, NATIVE))


def test_vmap_over_examples_and_keys() -> None:
    keys = jax.random.split(KEY, ROWS)
    one = jax.jit(lambda x, dy, key: gradients(Columns(3), x[None], W, dy[None], key))
    dx, dw, counters = jax.jit(jax.vmap(lambda x, dy, key: gradients(Columns(3), x[None], W, dy[None], key)))(
        X, DY, keys
    )
    singles = [one(*each) for each in zip(X, DY, keys, strict=True)]
    np.testing.assert_array_equal(dx[:, 0], DY @ W.T)
    np.testing.assert_array_equal(dw, jnp.stack([single[1] for single in singles]))
    together = LayerCounters(counters.forward.sum(), counters.backward.sum())
    assert together.forward.as_dict() == total([single[2].forward for single in singles]).as_dict()
    assert together.backward.as_dict() == total([single[2].backward for single in singles]).as_dict()


def test_scan_over_layers_with_a_key_each() -> None:
    weights, keys = jnp.asarray(integers(7, 3, COLUMNS, COLUMNS)), jax.random.split(KEY, 3)
    one_by_one = [keys[index] for index in range(3)]

    def layer(x: Array, own: Any, tap: Array) -> Array:
        return dot_general(x, own[0], MATRICES, tap, emulation=NATIVE, estimator=Columns(3), key=own[1])

    def scanned(weights: Array, tap: Array) -> Array:
        return lax.scan(lambda x, own: (layer(x, own, tap), None), X, (weights, keys))[0].sum()

    def unrolled(weights: Array, tap: Array) -> Array:
        return functools.reduce(lambda x, own: layer(x, own, tap), zip(weights, one_by_one, strict=True), X).sum()

    dw, tap = jax.jit(jax.grad(scanned, (0, 1)))(weights, new_tap())
    expected, _ = jax.jit(jax.grad(unrolled, (0, 1)))(weights, new_tap())
    np.testing.assert_array_equal(dw, expected)
    forward, backward = as_dicts(read_tap(tap))
    posed = describe(Columns(3), DotGeneral.of(X, weights[0], MATRICES))
    assert without_data(forward) == {name: 3 * n for name, n in without_data(by_hand(posed.forward, NATIVE)).items()}
    assert without_data(backward) == {name: 3 * n for name, n in without_data(by_hand(posed.backward, NATIVE)).items()}


def test_remat_draws_the_same_and_counts_what_runs_again() -> None:
    def loss(w: Array, tap: Array, runs: int) -> Array:
        out = dot_general(X, w, MATRICES, tap, emulation=NATIVE, estimator=Sketch(4), key=KEY, runs=runs)
        return jnp.sin(out).sum()

    gradient, tap = jax.jit(jax.grad(functools.partial(loss, runs=1), (0, 1)))(W, new_tap())
    again, own = jax.jit(jax.grad(jax.checkpoint(functools.partial(loss, runs=2)), (0, 1)))(W, new_tap())
    np.testing.assert_allclose(again, gradient, rtol=1e-6)
    assert read_tap(own).forward.as_dict() == read_tap(tap).forward.times(2).as_dict()
    assert read_tap(own).backward.as_dict() == read_tap(tap).backward.as_dict()


@pytest.mark.parametrize("estimator", [Columns(3), Sketch(4)])
def test_a_shard_map_is_an_array_a_device(estimator: Estimator) -> None:
    if jax.device_count() < ROWS:
        pytest.skip("needs four devices")
    mesh = jax.make_mesh((ROWS,), ("data",), axis_types=(AxisType.Auto,))

    def loss(w: Array, tap: Array, x: Array, dy: Array) -> Array:
        return (dy * dot_general(x, w, MATRICES, tap, emulation=NATIVE, estimator=estimator, key=KEY)).sum()

    def on_device(x: Array, dy: Array) -> tuple[Array, LayerCounters]:
        dw, tap = jax.grad(loss, (0, 1))(W, new_tap(), x, dy)
        return dw, read_tap(tap)

    dw, counters = jax.jit(jax.shard_map(on_device, mesh=mesh, in_specs=P("data"), out_specs=P()))(X, DY)
    singles = [jax.jit(on_device)(x[None], dy[None]) for x, dy in zip(X, DY, strict=True)]
    np.testing.assert_allclose(dw, sum(single[0] for single in singles), rtol=1e-6)
    for got, name in ((counters.forward, "forward"), (counters.backward, "backward")):
        assert got.as_dict() == total([getattr(single[1], name) for single in singles]).as_dict()


def test_without_gradients_nothing_is_drawn_or_kept() -> None:
    traced = jax.make_jaxpr(
        lambda x, w, key: dot_general(x, w, MATRICES, new_tap(), emulation=NATIVE, estimator=Sketch(4), key=key)
    )(X, W, KEY)
    assert str(traced).count("dot_general[") == 1
    assert "random_bits" not in str(traced)


def test_the_exact_estimator_leaves_a_key_alone() -> None:
    with_key, without = run(EXACT, X, W, DY, KEY), run(EXACT, X, W, DY, None)
    np.testing.assert_array_equal(with_key[1], without[1])
    assert as_dicts(with_key[2]) == as_dicts(without[2])


def test_refuses_to_draw_without_a_key() -> None:
    for estimator in (Columns(3), rounded(Precision.of("bf16"), Columns(3))):
        refusal = Refusal(
            lambda estimator=estimator: dot_general(X, W, MATRICES, new_tap(), emulation=NATIVE, estimator=estimator),
            "key", "None", "jax.random.key",
        )  # fmt: skip
        assert_refused(refusal)
