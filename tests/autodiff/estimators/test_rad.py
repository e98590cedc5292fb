"""Randomized automatic differentiation of products of matrices, against its definition in numpy."""

from __future__ import annotations

import doctest
import functools
import importlib
import math
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array, lax
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

from jaxgrad import Accelerator, Emulation, Gemm, count, count_forward
from jaxgrad.array.counters import total
from jaxgrad.array.emulation import FIDELITIES
from jaxgrad.autodiff import LayerCounters, dot_general, new_tap, read_tap
from jaxgrad.autodiff.dot_general import DotGeneral
from jaxgrad.autodiff.estimators import EXACT, Estimator, describe, rad, rounded
from jaxgrad.autodiff.estimators.rad import MODES, Rad
from jaxgrad.hardware import Precision
from tests.autodiff.truth import as_dicts
from tests.layers import integers
from tests.refusals import Refusal, assert_refused
from tests.strategies import dense_integers

ARRAY = Accelerator(3, 4)
NATIVE = Emulation(ARRAY)
MATRICES = (((1,), (0,)), ((), ()))
ROWS, COLUMNS, OUT, KEPT = 4, 8, 5, 3
KEEP = 0.3  # of 8 columns it is 3
KEY = jax.random.key(3)
_RNG = np.random.default_rng(0)
X, W, DY = (jnp.asarray(dense_integers(_RNG, shape)) for shape in ((ROWS, COLUMNS), (COLUMNS, OUT), (ROWS, OUT)))
DW = np.asarray(X).T @ np.asarray(DY)
SAMPLES = 4000


def gradients(
    estimator: Estimator, x: Any = X, w: Any = W, dy: Any = DY, key: Any = KEY, emulation: Emulation = NATIVE
) -> tuple[Array, Array, LayerCounters]:
    """dX, dW and counters of a dense layer."""
    _, transpose = jax.vjp(
        lambda x, w, tap: dot_general(x, w, MATRICES, tap, emulation=emulation, estimator=estimator, key=key),
        x, w, new_tap(),
    )  # fmt: skip
    dx, dw, tap = transpose(dy)
    return dx, dw, read_tap(tap)


run = jax.jit(gradients, static_argnums=(0, 5))


def by_definition(mode: str, key: Array = KEY, x: Any = X, dy: Any = DY) -> np.ndarray:
    """dW of ``x R R^T``, row by row where each has an R of its own."""
    x, dy = np.asarray(x, np.float64), np.asarray(dy, np.float64)
    rows, columns = x.shape
    if mode == "project":
        sketch = np.asarray(jax.random.rademacher(key, (columns, KEPT), jnp.float32)) / math.sqrt(KEPT)
        return sketch @ (x @ sketch).T @ dy
    drawn = jax.random.randint(key, (KEPT,) if mode == "same" else (rows, KEPT, 1), 0, columns)
    drawn = np.broadcast_to(np.asarray(drawn).reshape(-1, KEPT), (rows, KEPT))
    times = np.stack([np.bincount(row, minlength=columns) for row in drawn])
    return (x * times * columns / KEPT).T @ dy


@pytest.fixture(scope="module", params=MODES)
def drawn(request: pytest.FixtureRequest) -> tuple[str, np.ndarray]:
    """A mode, and what it gives for dW over many keys."""
    estimator, keys = rad(KEEP, request.param), jax.random.split(jax.random.key(0), SAMPLES)
    gradient = jax.vmap(lambda key: jax.vjp(lambda w: estimator.matmul(X, w, key), W)[1](DY)[0])
    return request.param, np.asarray(jax.jit(gradient)(keys), np.float64)


def test_unbiased(drawn: tuple[str, np.ndarray]) -> None:
    mean, error = drawn[1].mean(0), drawn[1].std(0, ddof=1) / math.sqrt(SAMPLES)
    varied = error > 0
    assert varied.sum() > DW.size / 2
    np.testing.assert_array_equal(mean[~varied], DW[~varied])
    assert np.abs((mean - DW)[varied] / error[varied]).max() < 4


def test_the_variance_is_the_closed_form(drawn: tuple[str, np.ndarray]) -> None:
    mode, samples = drawn
    squares = ((samples - DW) ** 2).sum((1, 2))
    of_rows = (np.asarray(X) ** 2).sum(1) @ (np.asarray(DY) ** 2).sum(1)
    closed = (COLUMNS - 1) / KEPT * (of_rows if mode == "different" else (DW**2).sum())
    error = squares.std(ddof=1) / math.sqrt(SAMPLES)
    assert abs(squares.mean() - closed) < 4 * error
    assert error < 0.05 * closed


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("keep", [1.0, 0.99])  # .99 of 8 is 8
def test_all_of_it_is_exact_bit_for_bit(mode: str, keep: float) -> None:
    x, w, dy = (jnp.asarray(_RNG.standard_normal(value.shape), jnp.float32) for value in (X, W, DY))
    key = None if keep == 1 else KEY
    for emulation in (NATIVE, Emulation(ARRAY, fidelity="tile")):
        ours, exact = (run(estimator, x, w, dy, key, emulation) for estimator in (rad(keep, mode), EXACT))
        np.testing.assert_array_equal(ours[0], exact[0])
        np.testing.assert_array_equal(ours[1], exact[1])
        assert as_dicts(ours[2]) == as_dicts(exact[2])


def test_the_share_is_the_decimal_number() -> None:
    x, w = jax.ShapeDtypeStruct((2, 100), jnp.float32), jax.ShapeDtypeStruct((100, 3), jnp.float32)
    assert math.ceil(0.07 * 100) == 8
    assert describe(rad(0.07, "same"), DotGeneral.of(x, w, MATRICES)).stored_words == 2 * 7


LAYER, Y, BOTH = Gemm(ROWS, COLUMNS, OUT), ("y",), ("dx", "dw")
POSED = {  # each pass's GEMMs: what comes of each, and of how many columns of x its dW is
    "project": (
        [(LAYER, Y, None), (Gemm(ROWS, COLUMNS, KEPT), Y, None)],
        [(LAYER, BOTH, KEPT), (Gemm(COLUMNS, KEPT, OUT), Y, None)],
    ),
    "same": ([(LAYER, Y, None)], [(LAYER, BOTH, KEPT)]),
    "different": ([(LAYER, Y, None)], [(LAYER, BOTH, None)]),
}


def closed_form(gemm: Gemm, results: tuple[str, ...], columns: int | None, emulation: Emulation) -> dict[str, int]:
    counters = (
        count_forward(gemm, emulation.array, emulation.forward)
        if results == Y
        else count(gemm, emulation.array, emulation.schedule, columns=columns)
    )
    return {name: number for name, number in counters.as_dict().items() if name != "effectual_macs"}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("fidelity", FIDELITIES)
def test_dx_is_exact_dw_by_definition_and_the_counters_in_closed_form(mode: str, fidelity: str) -> None:
    emulation = Emulation(replace(ARRAY, double_buffered=fidelity != "register"), fidelity=fidelity)
    dx, dw, taken = run(rad(KEEP, mode), X, W, DY, KEY, emulation)
    np.testing.assert_array_equal(dx, DY @ W.T)
    np.testing.assert_allclose(dw, by_definition(mode), rtol=1e-5, atol=1e-4)
    counters = as_dicts(taken)
    for measured, posed in zip(counters, POSED[mode], strict=True):
        parts = [closed_form(gemm, results, columns, emulation) for gemm, results, columns in posed]
        for name in parts[0]:
            assert measured[name] == sum(part[name] for part in parts), name
    described = describe(rad(KEEP, mode), DotGeneral.of(X, W, MATRICES))
    told = [[(run.gemm, run.results, run.columns) for run in runs] for runs in (described.forward, described.backward)]
    assert told == list(POSED[mode])


@pytest.mark.parametrize("mode", ["same", "different"])
def test_macs_of_what_was_drawn_alone_are_effectual(mode: str) -> None:
    """A column that was drawn twice counts once; what fills up, not at all."""
    for fidelity in ("native", "tile"):
        counters = run(rad(KEEP, mode), X, W, DY, KEY, Emulation(ARRAY, fidelity=fidelity))[2].backward
        drawn = jax.random.randint(KEY, (KEPT,) if mode == "same" else (ROWS, KEPT, 1), 0, COLUMNS)
        distinct = [len(set(row)) for row in np.asarray(drawn).reshape(-1, KEPT).tolist()]
        kept = sum(distinct) * (ROWS if mode == "same" else 1)
        assert counters.as_dict()["effectual_macs"] == (ROWS * COLUMNS + kept) * OUT


@pytest.mark.parametrize("mode", MODES)
def test_groups_are_gemms_of_their_own(mode: str) -> None:
    """A batch axis, and operands that lie otherwise than the GEMM has them."""
    x, w, dy = jnp.stack([X, X[::-1] + 1]), jnp.stack([W.T, W.T - 1]), jnp.stack([DY, DY + 2])
    axes = (((2,), (2,)), ((0,), (0,)))

    def layer(x: Array, w: Array) -> Array:
        return dot_general(x, w, axes, new_tap(), emulation=NATIVE, estimator=rad(KEEP, mode), key=KEY)

    dx, dw = jax.vjp(layer, x, w)[1](dy)
    np.testing.assert_array_equal(dx, jnp.einsum("gbn,gnk->gbk", dy, w))
    if mode == "different":
        assert dw.shape == w.shape
        return  # the rows of all groups draw together
    for group in range(2):
        np.testing.assert_allclose(dw[group].T, by_definition(mode, x=x[group], dy=dy[group]), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_gradients_have_the_operands_types(mode: str, dtype: str) -> None:
    x, w = X[None].astype(dtype), W.astype(dtype)
    out, transpose = jax.vjp(lambda x, w: rad(KEEP, mode).matmul(x, w, KEY), x, w)
    dx, dw = transpose(DY[None].astype(dtype))
    assert {out.dtype, dx.dtype, dw.dtype} == {jnp.dtype(dtype)}
    np.testing.assert_array_equal(out, x @ w)
    np.testing.assert_allclose(dw.astype("float32"), by_definition(mode), rtol=0.02, atol=4)


def test_in_double_precision() -> None:
    with jax.enable_x64(True):
        x, w, dy = (jnp.asarray(np.asarray(value), "float64") for value in (X, W, DY))
        dw = jax.vjp(lambda w: rad(KEEP, "same").matmul(x, w, KEY), w)[1](dy)[0]
        assert dw.dtype == jnp.float64


def test_in_a_number_format() -> None:
    """Of the rounded operands; what scales it up is in no format."""
    x = X + 1 / 512
    _, dw, _ = run(rounded(Precision.of("bf16"), rad(KEEP, "same")), x)
    expected = jnp.asarray(by_definition("same", x=x.astype(jnp.bfloat16)), jnp.float32)
    np.testing.assert_allclose(dw, expected.astype(jnp.bfloat16).astype(jnp.float32), rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize("mode", MODES)
def test_so_many_values_a_row_and_the_key_are_kept(mode: str) -> None:
    operands = jnp.ones((64, 100)), jnp.ones((100, 8))
    described = describe(rad(0.1, mode), DotGeneral.of(*operands, MATRICES), dx=False)
    assert described.stored_words == 64 * 10
    layer = functools.partial(dot_general, emulation=NATIVE, estimator=rad(0.1, mode))

    def forward(x: Array, w: Array, key: Array) -> Any:
        return jax.vjp(lambda w: layer(x, w, MATRICES, new_tap(), key=key), w)[1]

    memory: Any = jax.jit(forward).lower(*operands, KEY).compile().memory_analysis()
    assert memory.output_size_in_bytes == 4 * 64 * 10 + 8 + 16  # the key, and XLA's pointers to the two


def temporary_bytes(estimator: Estimator, layers: int, batch: int, width: int) -> int:
    """What a compiled step of dense layers with ReLUs needs beside its arguments and results."""

    def loss(weights: Array, x: Array) -> Array:
        def layer(x: Array, operands: Any) -> tuple[Array, None]:
            out = dot_general(
                x, operands[0], MATRICES, new_tap(), emulation=NATIVE, estimator=estimator, key=operands[1]
            )
            return jax.nn.relu(out), None

        return (lax.scan(layer, x, (weights, jax.random.split(KEY, layers)))[0] ** 2).sum()

    step = jax.jit(jax.value_and_grad(loss))
    compiled = step.lower(jnp.ones((layers, width, width)), jnp.ones((batch, width))).compile()
    memory: Any = compiled.memory_analysis()
    return memory.temp_size_in_bytes


def test_a_compiled_step_needs_less_memory() -> None:
    layers, batch, width, kept = 8, 256, 128, 13
    exact = temporary_bytes(EXACT, layers, batch, width)
    for mode in MODES:
        ours = temporary_bytes(rad(0.1, mode), layers, batch, width)
        assert exact - ours > 4 * (layers - 1) * batch * (width - kept)
        assert ours < exact / 2  # the masks are still there, and one layer's dX


@pytest.mark.parametrize("mode", MODES)
def test_vmap_over_examples_and_keys(mode: str) -> None:
    keys = jax.random.split(KEY, ROWS)
    one = jax.jit(lambda x, dy, key: gradients(rad(KEEP, mode), x[None], W, dy[None], key))
    dx, dw, counters = jax.jit(jax.vmap(one))(X, DY, keys)
    singles = [one(*operands) for operands in zip(X, DY, keys, strict=True)]
    np.testing.assert_array_equal(dx[:, 0], DY @ W.T)
    np.testing.assert_allclose(dw, jnp.stack([single[1] for single in singles]), rtol=1e-6)
    assert counters.backward.sum().as_dict() == total([single[2].backward for single in singles]).as_dict()


def test_scan_and_remat_draw_what_the_key_says() -> None:
    weights, keys = jnp.asarray(integers(7, 3, COLUMNS, COLUMNS)), jax.random.split(KEY, 3)
    estimator = rad(KEEP, "same")

    def scanned(weights: Array, remat: bool) -> Array:
        def layer(x: Array, operands: Any) -> tuple[Array, None]:
            return estimator.matmul(x, *operands), None

        return lax.scan(jax.checkpoint(layer) if remat else layer, X, (weights, keys))[0].sum()

    def unrolled(weights: Array) -> Array:
        return functools.reduce(lambda x, index: estimator.matmul(x, weights[index], keys[index]), range(3), X).sum()

    expected = jax.jit(jax.grad(unrolled))(weights)
    for remat in (False, True):
        np.testing.assert_allclose(jax.jit(jax.grad(scanned), static_argnums=1)(weights, remat), expected, rtol=1e-6)


@pytest.mark.parametrize("mode", MODES)
def test_a_shard_map_is_an_array_a_device(mode: str) -> None:
    if jax.device_count() < ROWS:
        pytest.skip("needs four devices")
    mesh = jax.make_mesh((ROWS,), ("data",), axis_types=(AxisType.Auto,))

    def loss(w: Array, x: Array, dy: Array) -> Array:
        return (dy * rad(KEEP, mode).matmul(x, w, KEY)).sum()

    sharded = jax.shard_map(jax.grad(loss), mesh=mesh, in_specs=(P(), P("data"), P("data")), out_specs=P())
    singles = [by_definition(mode, x=x[None], dy=dy[None]) for x, dy in zip(X, DY, strict=True)]
    np.testing.assert_allclose(jax.jit(sharded)(W, X, DY), sum(singles), rtol=1e-5, atol=1e-4)


def test_without_gradients_nothing_is_drawn_or_kept() -> None:
    traced = jax.make_jaxpr(lambda x, w, key: rad(KEEP, "project").matmul(x, w, key))(X, W, KEY)
    assert str(traced).count("dot_general[") == 1
    assert "random_bits" not in str(traced)
    frozen = jax.make_jaxpr(lambda x: jax.vjp(lambda x: rad(KEEP, "same").matmul(x, W, KEY), x)[1](DY))(X)
    assert "random_bits" not in str(frozen)
    assert describe(rad(KEEP, "same"), DotGeneral.of(X, W, MATRICES), dw=False).stored_words == 0


def test_refuses_what_it_can_not_keep() -> None:
    for keep in (0.0, -0.1, 1.5, math.nan):
        assert_refused(Refusal(lambda keep=keep: rad(keep, "same"), "keep", repr(keep), "above 0"))
    assert_refused(Refusal(lambda: rad(0.1, "sane"), "mode", "'sane'", "did you mean 'same'?"))
    for x, w in ((X, X), (X, W[0]), (X[0, 0], W)):
        assert_refused(Refusal(lambda x=x, w=w: rad(0.1, "same").matmul(x, w, KEY), "w", "shape", "(d, n)"))


def test_a_value_that_names_itself() -> None:
    assert rad(0.1, "same") == Rad(0.1, "same")
    assert hash(rad(0.1, "same")) == hash(Rad(0.1, "same"))


def test_the_documented_examples() -> None:
    assert doctest.testmod(importlib.import_module("jaxgrad.autodiff.estimators.rad")).failed == 0
