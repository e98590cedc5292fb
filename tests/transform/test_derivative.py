"""Derivatives taken outside of an emulated function: the same values and counts as inside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array, lax

from jaxgrad import Emulation, Gemm, count, emulate_function
from jaxgrad.autodiff import new_tap, read_tap
from tests.transform.truth import (
    ARRAY,
    BOTH,
    EMULATION,
    XW,
    XWV,
    V,
    W,
    X,
    assert_equal,
    at_each_fidelity,
    backwards,
    closed_form,
    forwards,
    shape_counts,
    two,
    weights,
)


@at_each_fidelity
def test_gradients_outside_equal_those_inside_and_the_tap_tells(fidelity: str) -> None:
    emulation = Emulation(ARRAY, fidelity=fidelity)
    function, args = BOTH
    inside, tally = jax.jit(emulate_function(function, emulation))(*args)
    run = emulate_function(two, emulation)

    @jax.jit
    def outside(*args: Any) -> Any:
        return jax.grad(lambda ws, x, tap: run.tapped(tap, ws, x)[0], (0, 1, 2))(*args, new_tap())

    *gradients, cotangent = outside(*args)
    assert_equal(tuple(gradients), inside)
    told = read_tap(cotangent)
    assert told.forward.as_dict() == tally.forward.as_dict()
    assert told.backward.as_dict() == tally.backward.as_dict()
    assert_equal(jax.grad(lambda ws: run(ws, X)[0])((W, V)), inside[0])


def test_gradients_outside_of_what_is_not_wanted_cost_nothing() -> None:
    run = emulate_function(two, EMULATION)
    _, tap = jax.grad(lambda w, tap: run.tapped(tap, (w, V), X)[0], (0, 1))(W, new_tap())
    assert shape_counts(read_tap(tap).backward) == closed_form(count(XW, ARRAY, dx=False), count(XWV, ARRAY, dw=False))


@at_each_fidelity
def test_a_functions_own_derivative_is_run_inside_and_outside(fidelity: str) -> None:
    emulation = Emulation(ARRAY, fidelity=fidelity)

    @jax.custom_vjp
    def doubled(w: Array, x: Array) -> Array:
        return x @ w

    doubled.defvjp(lambda w, x: (x @ w, (w, x)), lambda saved, dy: (2 * saved[1].T @ dy, 2 * dy @ saved[0].T))

    @jax.custom_jvp
    def tripled(w: Array, x: Array) -> Array:
        return x @ w

    @tripled.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        (w, x), (dw, dx) = primals, tangents
        return x @ w, 3 * (x @ dw + dx @ w)

    for own in (doubled, tripled):

        def loss(w: Array, own: Callable[..., Array] = own) -> Array:
            return jax.nn.relu(own(w, X)).sum()

        out, tally = emulate_function(jax.value_and_grad(loss), emulation)(W)
        assert_equal(out, jax.value_and_grad(loss)(W))
        # X has no gradient that anyone wants, though the rule has one for it.
        assert shape_counts(tally.forward) == forwards(XW)
        assert shape_counts(tally.backward) == closed_form(count(XW, ARRAY, dx=False))
        run = emulate_function(loss, emulation)
        assert_equal(run(W)[0], loss(W))
        outside = jax.value_and_grad(lambda w, tap, run=run: run.tapped(tap, w), (0, 1), has_aux=True)
        (value, aside), (gradient, tap) = jax.jit(outside)(W, new_tap())
        assert_equal((value, gradient), out)
        assert aside.total.as_dict() == read_tap(tap).forward.as_dict() == tally.forward.as_dict()
        assert read_tap(tap).backward.as_dict() == tally.backward.as_dict()


@pytest.mark.parametrize("own", [True, False])
def test_products_that_only_a_derivative_rule_has(own: bool) -> None:
    @jax.custom_vjp
    def rows(w: Array, x: Array) -> Array:
        return x @ w if own else x * w.sum()

    rows.defvjp(lambda w, x: (rows(w, x) + (x @ w).sum(), (w, x)), lambda saved, dy: (saved[1].T @ dy, dy @ saved[0].T))
    square = weights(6, 6)

    def loss(w: Array, x: Array) -> Array:
        return jax.nn.relu(rows(w, x)).sum()

    inside, tally = jax.jit(emulate_function(jax.grad(loss, (0, 1)), EMULATION))(square, X)
    assert_equal(inside, jax.grad(loss, (0, 1))(square, X))
    run = emulate_function(loss, EMULATION)
    *outside, tap = jax.grad(lambda w, x, tap: run.tapped(tap, w, x)[0], (0, 1, 2))(square, X, new_tap())
    assert_equal(tuple(outside), inside)
    assert read_tap(tap).forward.as_dict() == tally.forward.as_dict()
    assert read_tap(tap).backward.as_dict() == tally.backward.as_dict()
    assert shape_counts(tally.backward) == backwards(Gemm(5, 6, 6))


def test_what_a_derivative_outside_leaves_to_xla_is_said() -> None:
    @jax.custom_vjp
    def whole(x: Array) -> Array:
        return (x @ W).sum()

    def rule(x: Array, dy: Array) -> tuple[Array]:
        return (dy * (jnp.linalg.cholesky(jnp.eye(5)) @ jnp.ones((5, 7)) @ W.T),)

    whole.defvjp(lambda x: (whole(x), x), rule)
    with pytest.warns(UserWarning, match=r"emulated: test_derivative\.py:\d+: cholesky left to XLA"):
        gradient = jax.grad(lambda x: emulate_function(lambda x: whole(x) * 1, EMULATION)(x)[0])(X)
    assert_equal(gradient, jax.grad(whole)(X))


def test_derivatives_outside_through_other_transformations() -> None:
    xs = jnp.stack([X, X - 1, 2 * X])

    def loss(w: Array, x: Array) -> Array:
        return jax.nn.relu(x @ w).sum()

    run = emulate_function(loss, EMULATION)
    one = jax.vmap(jax.grad(loss), (None, 0))(W, xs)
    forms: dict[str, Callable[[Array, Array], Any]] = {
        "vmap": lambda w, tap: jax.vmap(lambda x: run.tapped(tap, w, x)[0])(xs).sum(),
        "scan": lambda w, tap: lax.scan(lambda sum, x: (sum + run.tapped(tap, w, x)[0], None), 0.0, xs)[0],
        "remat": lambda w, tap: sum(jax.checkpoint(lambda w, x: run.tapped(tap, w, x)[0])(w, x) for x in xs),
        "closure": lambda w, tap: sum(emulate_function(lambda x: loss(w, x), EMULATION).tapped(tap, x)[0] for x in xs),
    }
    for form in forms.values():
        out, tap = jax.jit(jax.grad(form, (0, 1)))(W, new_tap())
        assert_equal(out, one.sum(0))
        assert shape_counts(read_tap(tap).forward) == forwards(*[XW] * 3)
        assert shape_counts(read_tap(tap).backward) == closed_form(*[count(XW, ARRAY, dx=False)] * 3)
    assert_equal(jax.vmap(jax.grad(lambda w, x: run(w, x)[0]), (None, 0))(W, xs), one)


def test_results_without_gradients_stand_beside_those_with() -> None:
    def function(w: Array) -> tuple[Array, Array, Array]:
        return jnp.argmax(w), X @ w, W @ w.T

    _, pullback = jax.vjp(lambda w: emulate_function(function, EMULATION)(w)[0], W)
    _, plain = jax.vjp(function, W)
    cotangents = np.zeros((), jax.dtypes.float0), jnp.ones((5, 7)), jnp.ones((6, 6))
    assert_equal(pullback(cotangents), plain(cotangents))
    only_one = jax.grad(lambda w: emulate_function(function, EMULATION)(w)[0][1].sum())(W)
    assert_equal(only_one, jax.grad(lambda w: function(w)[1].sum())(W))


def test_a_second_derivative_is_counted_with_one_outside_and_refused_with_both() -> None:
    def loss(w: Array) -> Array:
        return (jnp.tanh(X @ w) ** 2).sum()

    def twice(w: Array) -> Array:
        return jax.grad(lambda w: (jax.grad(loss)(w) ** 2).sum())(w)

    out, tally = jax.jit(emulate_function(twice, EMULATION))(W / 10)
    np.testing.assert_allclose(out, twice(W / 10), rtol=1e-3, atol=1e-3)
    assert tally.total.as_dict()["macs"] > 3 * XW.macs

    def once_outside(w: Array, tap: Array) -> Array:
        return (emulate_function(jax.grad(loss), EMULATION).tapped(tap, w)[0] ** 2).sum()

    outside, tap = jax.jit(jax.grad(once_outside, (0, 1)))(W / 10, new_tap())
    np.testing.assert_allclose(outside, out, rtol=1e-3, atol=1e-3)
    assert read_tap(tap).total.as_dict()["macs"] == tally.total.as_dict()["macs"]
    with pytest.raises(ValueError, match="put the first one inside"):
        jax.grad(lambda w: jax.grad(lambda w: emulate_function(loss, EMULATION)(w)[0])(w).sum())(W)
