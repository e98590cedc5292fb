"""What runs on the array and what does not."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxgrad import Gemm, count, emulate_function
from jaxgrad.costs.profiling import profile
from tests.transform.truth import (
    ARRAY,
    EMULATION,
    XW,
    W,
    X,
    assert_equal,
    closed_form,
    forwards,
    shape_counts,
    weights,
)


def test_what_lies_on_a_mesh_with_explicit_axes_is_left_and_listed() -> None:
    mesh = jax.make_mesh((1,), ("d",), axis_types=(jax.sharding.AxisType.Explicit,), devices=jax.devices()[:1])

    def function(x: Array, w: Array) -> Array:
        return jnp.matmul(x, w, out_sharding=jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("d")))

    with jax.set_mesh(mesh):
        args = jax.device_put(X[:4], jax.sharding.PartitionSpec("d")), jax.device_put(W, jax.sharding.PartitionSpec())
        out, tally = jax.jit(emulate_function(function, EMULATION))(*args)
        assert_equal(out, function(*args))
    (note,) = tally.notes
    assert "dot_general left to XLA, meshes with explicit axes" in note
    assert f"{4 * 6 * 7} MACs" in note


def test_what_no_result_needs_costs_nothing() -> None:
    def function(w: Array, x: Array) -> Array:
        y = x @ w
        _ = jnp.tanh(y.T @ y) @ y.T
        return y.sum()

    out, tally = jax.jit(emulate_function(function, EMULATION))(W, X)
    assert_equal(out, function(W, X))
    assert tally.notes == ()
    assert shape_counts(tally.total) == forwards(XW)
    assert [record.gemm for record in profile(function, W, X).gemms] == [XW]
    # Training does: y itself is nothing to the gradient of its sum.
    out, tally = jax.jit(emulate_function(jax.grad(function), EMULATION))(W, X)
    assert_equal(out, jax.grad(function)(W, X))
    assert shape_counts(tally.forward) == forwards(XW)
    assert shape_counts(tally.backward) == closed_form(count(XW, ARRAY, dx=False))


def test_what_a_loop_begins_with_is_needed() -> None:
    def function(w: Array, v: Array, x: Array) -> Array:
        start = jax.nn.relu(x @ v)
        last = lax.scan(lambda x, _: (jax.nn.relu(x @ w), None), start, None, length=3)[0]
        return lax.while_loop(lambda x: x.sum() > 9, lambda x: x - jnp.abs(x), last @ v).sum() + last.sum()

    square, gemm = weights(6, 6), Gemm(5, 6, 6)
    args = square, square.T, X
    out, tally = emulate_function(function, EMULATION)(*args)
    assert_equal(out, function(*args))
    assert shape_counts(tally.forward) == forwards(*[gemm] * 5)

    def loss(w: Array, v: Array) -> Array:
        return (lax.scan(lambda x, _: (jax.nn.relu(x @ w), None), X, None, length=3)[0] @ v).sum()

    gradient = jax.grad(loss, (0, 1))
    out, tally = jax.jit(emulate_function(gradient, EMULATION))(*args[:2])
    assert_equal(out, gradient(*args[:2]))
    assert shape_counts(tally.backward) == closed_form(*[count(gemm, ARRAY)] * 4)


def test_what_lapack_does_is_listed() -> None:
    def function(x: Array) -> Array:
        return jnp.linalg.qr(x @ x.T + jnp.eye(len(x)))[1]

    out, tally = emulate_function(function, EMULATION)(X)
    np.testing.assert_allclose(out, function(X), rtol=1e-5, atol=1e-5)
    (note,) = tally.notes
    assert " qr left to XLA" in note
    assert shape_counts(tally.total) == forwards(Gemm(5, 6, 5))


def test_a_convolution_s_gradient_by_each_example_runs_on_the_array() -> None:
    def loss(w: Array, x: Array) -> Array:
        return (lax.conv(x[None], w, (1, 1), "SAME") ** 2).sum()

    per_example = jax.vmap(jax.grad(loss), (None, 0))
    w, x = jnp.ones((3, 2, 3, 3)), jnp.arange(4.0 * 2 * 5 * 5).reshape(4, 2, 5, 5)
    out, tally = emulate_function(per_example, EMULATION)(w, x)
    np.testing.assert_allclose(out, per_example(w, x), rtol=1e-5)
    (note,) = tally.notes
    assert "runs as a forward GEMM" in note
    assert tally.total.as_dict()["macs"] == 2 * 4 * 25 * 18 * 3
