"""Estimators by rules: the estimator's own gradients, its GEMMs counted, and what it keeps, wherever the product is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array, lax
from jax.sharding import PartitionSpec as P

from jaxgrad import Emulation, Gemm, Precision, count, count_forward, emulate_function
from jaxgrad.autodiff import LayerCounters, dot_general, new_tap, read_tap
from jaxgrad.autodiff.estimators import EXACT, Estimator, Exact, rounded
from jaxgrad.programs import kinds
from jaxgrad.transform.rules import Rule
from tests.autodiff.estimators.own import Flags, OneBit, Sketch
from tests.devices import mesh
from tests.layers import NHWC
from tests.refusals import Refusal, assert_refused
from tests.transform.truth import (
    ARRAY,
    EMULATION,
    XW,
    XWV,
    V,
    W,
    X,
    assert_equal,
    at_each_fidelity,
    closed_form,
    shape_counts,
    two,
    weights,
)

KEY = jax.random.key(0)
SKETCH = Sketch(3)
MATRIX = (((1,), (0,)), ((), ()))


@dataclass(frozen=True)
class Same(Exact):
    """The exact one under another name: it goes the way of estimators, and must be seen in nothing."""


def by(estimator: Estimator, emulation: Emulation = EMULATION) -> list[Rule]:
    return [Rule("*", emulation, estimator)]


def step(
    loss: Callable[..., Array], rules: list[Rule], args: tuple[Any, ...], key: Array | None = KEY
) -> tuple[Array, Any, LayerCounters]:
    """Loss, gradient by the first argument, and what both took."""

    def tapped(first: Any, tap: Array, key: Array | None) -> Array:
        return emulate_function(loss, rules, key=key).tapped(tap, first, *args[1:])[0]

    value, (gradient, tap) = jax.jit(jax.value_and_grad(tapped, (0, 1)))(args[0], new_tap(), key)
    return value, gradient, read_tap(tap)


def scanned(ws: Array, x: Array) -> Array:
    return lax.scan(lambda x, w: (jax.nn.relu(x @ w), None), x, ws)[0].sum()


def remat(ws: Array, x: Array) -> Array:
    return lax.scan(jax.checkpoint(lambda x, w: (jax.nn.relu(x @ w), None)), x, ws)[0].sum()


def unrolled(ws: Array, x: Array) -> Array:
    for w in ws:
        x = jax.checkpoint(lambda x, w: jax.jit(jax.nn.relu)(x @ w))(x, w)
    return x.sum()


def branching(ws: Array, x: Array) -> Array:
    return lax.cond(x.sum() > 0, lambda ws, x: (x @ ws[0]).sum(), lambda ws, x: jax.nn.relu(x @ ws[1]).sum(), ws, x)


def looped(ws: Array, x: Array) -> Array:
    """The loops have no derivative; one has a product in its condition too."""
    rows = lax.fori_loop(0, jnp.int32(x[0, 0] * 0 + 2), lambda _, x: jnp.sign(x @ ws[1]), lax.stop_gradient(x))
    rows = lax.while_loop(lambda x: (x @ ws[2]).sum() < 9, lambda x: jnp.abs(x) + 1, rows)
    return (rows @ ws[0]).sum()


def sharded(w: Array, x: Array) -> Array:
    def device(w: Array, x: Array) -> Array:
        return lax.psum(jax.nn.relu(x @ w).sum(), "rows")

    return jax.shard_map(device, mesh=mesh(4, "rows"), in_specs=(P(), P("rows")), out_specs=P())(w, x)


def convolution(w: Array, x: Array) -> Array:
    return jax.nn.relu(lax.conv_general_dilated(x, w, (2, 2), "SAME", dimension_numbers=NHWC)).sum()


SQUARE = weights(3, 6, 6)
IMAGES, KERNEL = weights(2, 5, 5, 4, seed=4), weights(3, 3, 4, 2, seed=5)
LOSSES: dict[str, tuple[Callable[..., Array], tuple[Any, ...]]] = {
    "two layers": (two, ((W, V), X)),
    "weights on the left": (lambda w, x: jax.nn.relu(w @ x.T).sum(), (W.T, X)),
    "weights made": (lambda w, x: (x @ jnp.abs(w)).sum(), (W, X)),
    "batch": (lambda w, x: jnp.einsum("gbk,gkn->bgn", x, w).sum(), (SQUARE, weights(3, 4, 6))),
    "convolution": (convolution, (KERNEL, IMAGES)),
    "scan": (scanned, (SQUARE, X)),
    "scan of remat": (remat, (SQUARE, X)),
    "remat of jit": (unrolled, (SQUARE, X)),
    "branches": (branching, (SQUARE, X)),
    "loops": (looped, (SQUARE, X)),
    "shard_map": (sharded, (W, weights(8, 6))),
    "vmap": (lambda ws, x: jax.vmap(lambda x: two(ws, x))(jnp.stack([x, x])).sum(), ((W, V), X)),
}


@pytest.mark.parametrize("name", LOSSES)
def test_the_exact_estimator_is_seen_in_nothing(name: str) -> None:
    loss, args = LOSSES[name]
    value, gradient, counters = step(loss, [Rule("*", EMULATION)], args)
    assert_equal((value, gradient), jax.value_and_grad(loss)(*args))
    for estimator in (EXACT, Same()):
        other, other_gradient, other_counters = step(loss, by(estimator), args)
        assert_equal((other, other_gradient), (value, gradient))
        assert other_counters.forward.as_dict() == counters.forward.as_dict()
        assert other_counters.backward.as_dict() == counters.backward.as_dict()


@at_each_fidelity
def test_a_sketch_counts_the_gemms_that_it_poses(fidelity: str) -> None:
    _, gradient, counters = step(two, by(SKETCH, Emulation(ARRAY, fidelity=fidelity)), ((W, V), X))
    posed = [count_forward(gemm, ARRAY) for gemm in (XW, Gemm(5, 6, 3), XWV, Gemm(5, 7, 3))]  # y, and x R
    assert shape_counts(counters.forward) == closed_form(*posed)
    sketched = [
        count(XWV, ARRAY, dw=False),
        *(count(gemm, ARRAY, dx=False) for gemm in (Gemm(5, 3, 7), Gemm(5, 3, 3))),  # (x R)^T dY
        *(count_forward(gemm, ARRAY) for gemm in (Gemm(6, 3, 7), Gemm(7, 3, 3))),  # R times that
    ]
    assert shape_counts(counters.backward) == closed_form(*sketched)
    # W's gradient is R (x R)^T dY, and dY is exact: V has no estimate in it.
    exact = jax.grad(two)((W, V), X)
    assert not np.allclose(gradient[0], exact[0])
    assert np.linalg.matrix_rank(gradient[0]) <= 3


def test_by_rule_as_by_the_product_itself() -> None:
    """Layer by layer, what ``dot_general`` with that estimator gives and counts."""
    estimators = rounded(Precision.of("bf16")), OneBit(2.0)
    ws, x = (W / 7, V / 3), X / 3

    def net(ws: tuple[Array, Array], x: Array) -> Array:
        with kinds.scope(None, "body"):
            x = jnp.tanh(x @ ws[0])
        with kinds.scope(None, "head"):
            return (x @ ws[1]).sum()

    def by_hand(ws: tuple[Array, Array], taps: tuple[Array, Array]) -> Array:
        hidden = jnp.tanh(dot_general(x, ws[0], MATRIX, taps[0], emulation=EMULATION, estimator=estimators[0]))
        return dot_general(hidden, ws[1], MATRIX, taps[1], emulation=EMULATION, estimator=estimators[1]).sum()

    rules = [Rule("body", EMULATION, estimators[0]), Rule("head", EMULATION, estimators[1])]
    run = emulate_function(net, rules)

    def by_rule(ws: tuple[Array, Array], taps: tuple[Array, Array]) -> Array:
        labelled: dict[str, Array] = {"body": taps[0], "head": taps[1]}
        return run.with_taps(lambda labels: {label: labelled[label] for label in labels}, ws, x)[0]

    taps = (new_tap(), new_tap())
    expected, got = (jax.jit(jax.value_and_grad(loss, (0, 1)))(ws, taps) for loss in (by_hand, by_rule))
    assert_equal(got[0], expected[0])
    assert_equal(got[1][0], expected[1][0])
    for tap, other in zip(got[1][1], expected[1][1], strict=True):
        assert read_tap(tap).forward.as_dict() == read_tap(other).forward.as_dict()
        assert read_tap(tap).backward.as_dict() == read_tap(other).backward.as_dict()
    assert not np.array_equal(got[1][0][0], jax.grad(net)(ws, x)[0])


def test_precision_is_the_rounded_estimator() -> None:
    precision = Precision.of("bf16")
    whole = Emulation(ARRAY, fidelity="tile", precision=precision)
    ws = W / 7, V / 3
    assert_equal(step(two, [Rule("*", whole)], (ws, X))[:2], step(two, by(rounded(precision)), (ws, X))[:2])
    assert_equal(step(two, by(Same(), whole), (ws, X))[:2], step(two, by(rounded(precision)), (ws, X))[:2])


@pytest.mark.parametrize(("loss", "rounds"), [(two, ()), (scanned, (3,)), (remat, (3,))])
def test_what_is_kept_is_what_the_estimator_saves(loss: Callable[..., Array], rounds: tuple[int, ...]) -> None:
    """Of x nothing but three columns of sketch, in a loop stacked; or flags, where x is zeros and ones."""
    args = ((W, V), X) if not rounds else (SQUARE, X)

    def kept(estimator: Estimator) -> list[tuple[Any, ...]]:
        _, pullback = jax.vjp(lambda first: emulate_function(loss, by(estimator), key=KEY)(first, args[1])[0], args[0])
        return [(leaf.shape, leaf.dtype.name) for leaf in jax.tree.leaves(pullback)]

    exact, sketched = kept(EXACT), kept(SKETCH)
    flags = kept(Flags())
    if loss is remat:  # it keeps what each round begins with, and makes the rest anew
        assert (3, 5, 6) in [shape for shape, _ in sketched]
        assert (3, 5, 3) not in [shape for shape, _ in sketched]
        return
    assert ((*rounds, *X.shape), "float32") in exact
    assert ((*rounds, *X.shape), "float32") not in sketched + flags
    assert ((*rounds, 5, 3), "float32") in sketched
    assert ((*rounds, *X.shape), "bool") in flags


def gradients(key: Array, loss: Callable[..., Array], *args: Any) -> Any:
    return jax.grad(lambda first: emulate_function(loss, by(SKETCH), key=key)(first, *args[1:])[0])(args[0])


def repeated(ws: Array, x: Array) -> Array:
    """Products of the same numbers: of two lines, and two of one line in a module, which are one label."""
    out = x @ ws[0]
    out += x @ ws[1]
    with kinds.scope(None, "layer"):
        for w in ws[2:]:
            out += x @ w
    return out.sum()


def rounds(ws: Array, x: Array) -> Array:
    return lax.scan(lambda total, w: (total + (x @ w).sum(), None), jnp.zeros(()), ws)[0]


def devices(ws: Array, x: Array) -> Array:
    def device(ws: Array, x: Array) -> Array:
        return lax.psum((x @ ws[0]).sum(), "rows")

    return jax.shard_map(device, mesh=mesh(4, "rows"), in_specs=(P("rows"), P()), out_specs=P())(ws, x)


@pytest.mark.parametrize("loss", [repeated, rounds, devices])
def test_keys(loss: Callable[..., Array]) -> None:
    """The same key gives the same; another key, line, call of a line, round of a loop or device does not."""
    same = jnp.broadcast_to(W, (4, *W.shape))
    run = jax.jit(gradients, static_argnums=1)
    gradient = run(KEY, loss, same, X)
    assert_equal(run(KEY, loss, same, X), gradient)
    assert not np.array_equal(run(jax.random.key(1), loss, same, X), gradient)
    assert len({np.asarray(layer).tobytes() for layer in gradient}) == 4


def test_in_the_mean_over_keys_the_gradient_is_exact() -> None:
    keys = jax.random.split(KEY, 2000)
    draws = jax.jit(jax.vmap(lambda key: gradients(key, two, (W, V), X)))(keys)
    for drawn, exact in zip(draws, jax.grad(two)((W, V), X), strict=True):
        deviation = np.maximum(drawn.std(0), 1e-6) / len(keys) ** 0.5
        assert np.abs((drawn.mean(0) - exact) / deviation).max() < 5
    assert max(drawn.std(0).max() for drawn in draws) > 1


def test_one_of_a_module_s_products_keeps_the_labels_of_all() -> None:
    def attend(w: Array, x: Array) -> Array:
        with kinds.scope(None, "attention"):
            scores = jnp.tanh(x @ w)
            return (scores.T @ x).sum()

    for number in (1, 2):
        rules = [Rule(f"attention#{number}", EMULATION, Same()), Rule("*", EMULATION)]
        _, tally = emulate_function(attend, rules)(W, X)
        assert list(tally.sites) == ["attention#1", "attention#2"]
        assert tally.notes == ()


def test_a_rule_that_is_no_product_s_is_told() -> None:
    _, tally = emulate_function(two, [Rule("head", EMULATION, SKETCH), *by(Same())])((W, V), X)
    (note,) = tally.notes
    assert note.startswith("rule 'head': no product is its own; there are truth.py:")


def test_products_without_a_derivative_are_computed_beside_an_estimator() -> None:
    whole = jnp.arange(12, dtype=jnp.int8).reshape(6, 2)

    def function(w: Array, x: Array) -> Array:
        return (jax.nn.relu(x @ w).sum() + (x.astype(jnp.int8) @ whole).astype(jnp.float32)).sum()

    value, gradient, spent = step(function, by(Same()), (W, X))
    assert_equal((value, gradient), jax.value_and_grad(function)(W, X))
    assert spent.forward.as_dict()["macs"] == 5 * 6 * 7 + 5 * 6 * 2


def test_groups_of_a_batch_and_complex_numbers_have_estimators() -> None:
    x, w = jnp.arange(36.0).reshape(2, 2, 3, 3) % 5, jnp.arange(24.0).reshape(2, 2, 2, 3) % 3 - 1

    def function(w: Array, x: Array) -> Array:
        y = lax.conv_general_dilated(x, w, (1, 1), "SAME", batch_group_count=2)
        return (jnp.abs((y + 1j * y)[0, 0] @ (w[0, 0].T + 2j)) ** 2).sum()

    value, gradient, _ = step(function, by(Same(), Emulation(ARRAY)), (w, x))
    expected = jax.value_and_grad(function)(w, x)
    jax.tree.map(lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-5), (value, gradient), expected)


def experts(x: Array) -> Array:
    return lax.ragged_dot(x, jnp.ones((2, 6, 3)), jnp.array([2, 3])).sum()


@jax.custom_vjp
def clipped(x: Array, w: Array) -> Array:
    return x @ w


clipped.defvjp(lambda x, w: (x @ w, (x, w)), lambda saved, dy: (dy @ saved[1].T, saved[0].T @ jnp.clip(dy, -1, 1)))


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(
            lambda: emulate_function(two, by(SKETCH))((W, V), X), "key", "none, and Sketch", "emulate_function a key"
        ),
        Refusal(
            lambda: step(two, by(Same(), Emulation(ARRAY, "ws")), ((W, V), X)),
            "schedule",
            "'ws', and the function computes",
            "interleaved",
        ),
        Refusal(lambda: emulate_function(two, by("bf16")), "rules[0].estimator", "'bf16'", "rounded("),  # pyright: ignore[reportArgumentType]
        Refusal(
            lambda: emulate_function(two, [Rule("*", None, SKETCH)]), "rules[0].estimator", "left to XLA", "Emulation"
        ),
        Refusal(lambda: emulate_function(jax.grad(two), by(Same()))((W, V), X), "estimator", "takes itself", "outside"),
        Refusal(
            lambda: emulate_function(lambda w: clipped(X, w).sum(), by(Same()))(W), "estimator", "of its own", "before"
        ),
        Refusal(lambda: emulate_function(experts, by(Same()))(X), "estimator", "which is ragged", "before"),
    ],
    ids=lambda refusal: refusal.shown,
)
def test_refuses(refusal: Refusal) -> None:
    assert_refused(refusal)
