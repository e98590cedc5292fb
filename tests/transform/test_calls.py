"""Products within loops, branches, ``remat`` and ``shard_map``."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax import Array, lax
from jax.sharding import PartitionSpec

from jaxgrad import Emulation, Gemm, count, emulate_function
from jaxgrad.array.execute import FIDELITIES
from jaxgrad.autodiff import new_tap, read_tap
from jaxgrad.transform import Tally
from tests import devices
from tests.layers import sparse_integers
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


def scanned(w: Array, xs: Array) -> Array:
    def body(carry: Array, x: Array) -> tuple[Array, Array]:
        carry = jax.nn.relu(carry @ w) + x
        carry = carry - 3.0 * (carry > 20)
        return carry, carry.sum()

    last, sums = lax.scan(body, xs[0], xs)
    return last.sum() + sums.sum()


def test_scan() -> None:
    w, xs = weights(4, 4), jnp.asarray(sparse_integers(3, 3, 2, 4))
    gemm = Gemm(2, 4, 4)
    for fidelity in FIDELITIES:
        emulation = Emulation(ARRAY, fidelity=fidelity)
        for function in (jax.grad(scanned, (0, 1)), jax.jit(jax.value_and_grad(scanned, (0, 1)))):
            out, tally = jax.jit(emulate_function(function, emulation))(w, xs)
            assert_equal(out, function(w, xs))
            assert shape_counts(tally.forward) == forwards(*[gemm] * 3)
            assert shape_counts(tally.backward) == backwards(*[gemm] * 3)
        run = emulate_function(scanned, emulation)
        out, tap = jax.grad(lambda w, tap, run=run: run.tapped(tap, w, xs)[0], (0, 1))(w, new_tap())
        assert_equal(out, jax.grad(scanned)(w, xs))
        assert shape_counts(read_tap(tap).backward) == backwards(*[gemm] * 3)


def test_scan_over_an_emulated_function() -> None:
    run = emulate_function(dense, EMULATION)
    xs = jnp.stack([X, 2 * X, -X])
    sums, tally = lax.scan(lambda carry, x: (carry, run(W, x)), None, xs)[1]
    assert_equal(sums, jnp.stack([dense(W, x) for x in xs]))
    assert shape_counts(tally.sum().total) == forwards(*[XW] * 3)


def test_loops_and_branches() -> None:
    w = weights(4, 4)

    def function(w: Array, x: Array, times: Array) -> Array:
        x = lax.fori_loop(0, times, lambda _, x: jnp.sign(x @ w), x)
        return lax.cond(x.sum() > 1000, lambda x: (x @ w) @ w, lambda x: x + 1, x)

    out, tally = jax.jit(emulate_function(function, EMULATION))(w, w, 4)
    assert_equal(out, function(w, w, jnp.asarray(4)))
    assert shape_counts(tally.total) == forwards(*[Gemm(4, 4, 4)] * 4)  # and none of the branch that is not taken


@at_each_fidelity
def test_products_in_a_loops_condition_count_once_more_than_the_rounds(fidelity: str) -> None:
    def function(w: Array, limit: Array) -> Array:
        return lax.while_loop(lambda x: (x @ w[:, :2]).sum() < limit, lambda x: x + w @ w, w)

    square, limits = jnp.ones((3, 3)), jnp.array([0.0, 100.0, 200.0])
    run = jax.vmap(emulate_function(function, Emulation(ARRAY, fidelity=fidelity)), (None, 0))
    outs, tally = jax.jit(run)(square, limits)
    assert_equal(outs, jax.vmap(function, (None, 0))(square, limits))
    assert tally.notes == ()
    rounds = [int((out[0, 0] - 1) / 3) for out in outs]
    assert rounds == [0, 2, 4]
    bodies, tests = [Gemm(3, 3, 3)] * sum(rounds), [Gemm(3, 3, 2)] * (sum(rounds) + 3)
    assert shape_counts(tally.sum().forward) == forwards(*bodies, *tests)


@at_each_fidelity
def test_remat_runs_forward_products_again(fidelity: str) -> None:
    emulation = Emulation(ARRAY, fidelity=fidelity)

    def function(ws: tuple[Array, Array], x: Array) -> Array:
        block = jax.checkpoint(lambda w, x: jnp.maximum(jnp.maximum(x @ w, 0) @ w.T, 0))
        return (block(ws[0], x) @ ws[1]).sum()

    w, v = weights(6, 7), weights(6, 2)
    gradient = jax.grad(function)
    out, tally = jax.jit(emulate_function(gradient, emulation))((w, v), X)
    assert_equal(out, gradient((w, v), X))
    one, other, last = Gemm(5, 6, 7), Gemm(5, 7, 6), Gemm(5, 6, 2)
    # The second product is linear's: only its relu needs it, so it runs again too.
    assert shape_counts(tally.forward) == forwards(one, other, last, one, other)
    assert shape_counts(tally.backward) == closed_form(
        count(one, ARRAY, dx=False), count(other, ARRAY), count(last, ARRAY)
    )
    run = emulate_function(function, emulation)
    assert_equal(jax.jit(jax.grad(lambda ws: run(ws, X)[0]))((w, v)), out)


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("check_vma", [True, False])
@at_each_fidelity
def test_shard_map(inside: bool, check_vma: bool, fidelity: str) -> None:
    emulation = Emulation(ARRAY, fidelity=fidelity)
    mesh = devices.mesh(4, "data")
    rows, whole = PartitionSpec("data"), PartitionSpec()
    x = jnp.asarray(sparse_integers(0, 8, 6))

    def step(w: Array, x: Array) -> Any:
        return lax.psum(jax.grad(lambda w: dense(w, x))(lax.pcast(w, "data", to="varying") if check_vma else w), "data")

    shard = functools.partial(jax.shard_map, mesh=mesh, in_specs=(whole, rows), check_vma=check_vma)
    if inside:
        out, tally = jax.jit(emulate_function(shard(step, out_specs=whole), emulation))(W, x)
    else:

        def counted(w: Array, x: Array) -> tuple[Array, Tally]:
            out, tally = emulate_function(step, emulation)(w, x)
            return out, tally.psum("data")

        out, tally = jax.jit(shard(counted, out_specs=whole))(W, x)
    assert_equal(out, jax.grad(dense)(W, x))
    assert shape_counts(tally.backward) == closed_form(*[count(Gemm(2, 6, 7), ARRAY, dx=False)] * 4)
    assert shape_counts(tally.forward) == forwards(*[Gemm(2, 6, 7)] * 4)


def test_gradient_of_an_emulated_shard_map() -> None:
    mesh = devices.mesh(4, "data")
    specs = (PartitionSpec(), PartitionSpec("data"))
    x = jnp.asarray(sparse_integers(0, 8, 6))
    loss = jax.shard_map(lambda w, x: lax.psum(dense(w, x), "data"), mesh=mesh, in_specs=specs, out_specs=specs[0])
    run = emulate_function(loss, EMULATION)
    out, tap = jax.jit(jax.grad(lambda w, tap: run.tapped(tap, w, x)[0], (0, 1)))(W, new_tap())
    assert_equal(out, jax.grad(dense)(W, x))
    assert shape_counts(read_tap(tap).backward) == closed_form(*[count(Gemm(2, 6, 7), ARRAY, dx=False)] * 4)
