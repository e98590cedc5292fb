"""Products whose axes lie anyhow, and their gradients: GEMMs with the counts of the layer's record."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest
from jax import Array, lax

from jaxgrad import Emulation, Gemm, count, emulate_function
from jaxgrad.array.execute import FIDELITIES
from jaxgrad.autodiff import new_tap, read_tap
from jaxgrad.costs.profiling import profile
from tests.layers import CONVOLUTIONS, Conv, sparse_integers
from tests.transform.truth import (
    ARRAY,
    EMULATION,
    XW,
    W,
    X,
    assert_equal,
    at_each_fidelity,
    backwards,
    closed_form,
    dense,
    forwards,
    shape_counts,
    weights,
)


def test_vmap_inside_is_part_of_the_gemm_and_outside_an_axis_of_the_counters() -> None:
    xs = jnp.stack([X, X + 1, 2 * X])
    function = jax.vmap(dense, (None, 0))
    out, tally = emulate_function(function, EMULATION)(W, xs)
    assert_equal(out, function(W, xs))
    assert shape_counts(tally.total) == forwards(Gemm(15, 6, 7))
    out, tally = jax.vmap(emulate_function(dense, EMULATION), (None, 0))(W, xs)
    assert_equal(out, function(W, xs))
    assert tally.total.low.shape[0] == 3
    assert shape_counts(tally.sum().total) == forwards(*[XW] * 3)
    gradient, tally = jax.vmap(emulate_function(jax.grad(dense), EMULATION), (None, 0))(W, xs)
    assert_equal(gradient, jax.vmap(jax.grad(dense), (None, 0))(W, xs))
    assert shape_counts(tally.sum().backward) == closed_form(*[count(XW, ARRAY, dx=False)] * 3)


@at_each_fidelity
def test_batched_products_are_a_gemm_an_element(fidelity: str) -> None:
    x, w = jnp.asarray(sparse_integers(0, 2, 5, 6)), weights(2, 6, 3)
    function = jax.grad(lambda x, w: jax.nn.relu(jnp.einsum("gbk,gkn->gbn", x, w)).sum(), (0, 1))
    out, tally = jax.jit(emulate_function(function, Emulation(ARRAY, fidelity=fidelity)))(x, w)
    assert_equal(out, function(x, w))
    assert shape_counts(tally.backward) == backwards(*[Gemm(5, 6, 3)] * 2)


@pytest.mark.parametrize(
    "formula",
    [
        "abk,kmn->abmn",
        "abkl,lkn->abn",
        "kba,kn->abn",
        "gab,gbc->gac",
        "bhqd,bkhd->bhqk",
    ],
)
def test_axes_in_any_order(formula: str) -> None:
    sizes = dict(zip("abcdghklmnq", (2, 3, 4, 2, 2, 3, 4, 3, 2, 5, 3), strict=True))
    left, right = (tuple(sizes[axis] for axis in term) for term in formula.split("->")[0].split(","))
    x, w = jnp.asarray(sparse_integers(0, *left)), weights(*right)

    def function(x: Array, w: Array) -> Array:
        return (jnp.einsum(formula, jnp.maximum(x, 0), w) ** 2).sum()

    gradient = jax.grad(function, (0, 1))
    for fidelity in FIDELITIES:
        out, tally = jax.jit(emulate_function(gradient, Emulation(ARRAY, fidelity=fidelity)))(x, w)
        assert_equal(out, gradient(x, w))
        (record,) = profile(gradient, x, w).gemms
        assert shape_counts(tally.backward) == backwards(*[record.gemm] * record.times), record
        assert shape_counts(tally.forward) == forwards(*[record.gemm] * record.times)


def test_gradients_by_example() -> None:
    function = jax.vmap(jax.grad(dense, (0, 1)), (None, 0))
    xs = jnp.stack([X, X + 1, 2 * X])
    for fidelity in FIDELITIES:
        out, tally = jax.jit(emulate_function(function, Emulation(ARRAY, fidelity=fidelity)))(W, xs)
        assert_equal(out, function(W, xs))
        assert shape_counts(tally.backward) == backwards(*[XW] * 3)


def test_the_weights_may_stand_left() -> None:
    def function(w: Array, v: Array, x: Array) -> Array:
        return (v @ jax.nn.relu(w @ x)).sum()

    gradient = jax.grad(function, (0, 1))
    args = (weights(7, 6), weights(2, 7), X.T)
    for fidelity in FIDELITIES:
        out, tally = jax.jit(emulate_function(gradient, Emulation(ARRAY, fidelity=fidelity)))(*args)
        assert_equal(out, gradient(*args))
        assert shape_counts(tally.forward) == forwards(XW, Gemm(5, 7, 2))
        assert shape_counts(tally.backward) == closed_form(count(XW, ARRAY, dx=False), count(Gemm(5, 7, 2), ARRAY))


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions(name: str) -> None:
    conv: Conv = CONVOLUTIONS[name]
    x, w = jnp.asarray(sparse_integers(0, *conv.lhs)), jnp.asarray(sparse_integers(1, *conv.rhs))

    def function(x: Array, w: Array) -> Array:
        return (lax.conv_general_dilated(x, w, *conv.arguments, **conv.options) ** 2).sum()

    gradient = jax.grad(function, (0, 1))
    (record,) = profile(gradient, x, w).gemms
    for fidelity in ("native", "tile"):
        emulation = Emulation(ARRAY, fidelity=fidelity)
        out, tally = jax.jit(emulate_function(gradient, emulation))(x, w)
        assert_equal(out, gradient(x, w))
        assert tally.notes == ()
        assert shape_counts(tally.forward) == forwards(*[record.gemm] * record.times)
        assert shape_counts(tally.backward) == backwards(*[record.gemm] * record.times)
        run = emulate_function(function, emulation)
        outside = jax.jit(jax.grad(lambda x, w, tap, run=run: run.tapped(tap, x, w)[0], (0, 1, 2)))(x, w, new_tap())
        assert_equal(outside[:2], out)
        assert read_tap(outside[2]).total.as_dict() == tally.total.as_dict()
