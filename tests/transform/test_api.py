"""``emulate_function(fn)``: the function's own values, and the closed form's counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array, lax
from jax.extend.core import Primitive, jaxpr_as_fun

from jaxgrad import Accelerator, Counters, Emulation, Gemm, count, emulate_function
from jaxgrad.array.execute import FIDELITIES
from jaxgrad.autodiff import dot_general, new_tap
from jaxgrad.hardware import Precision
from tests.refusals import Refusal, assert_refused
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
    dense,
    forwards,
    shape_counts,
    two,
)


def test_a_function_gives_its_values_and_counts() -> None:
    out, tally = emulate_function(two, EMULATION)((W, V), X)
    assert_equal(out, two((W, V), X))
    assert shape_counts(tally.forward) == forwards(XW, XWV)
    assert tally.backward.as_dict() == Counters.zero().as_dict()
    hidden = np.maximum(np.asarray(X) @ np.asarray(W), 0)
    live = [np.asarray(each) != 0 for each in (X, W, hidden, V)]
    effectual = int((live[0].astype(int) @ live[1]).sum() + (live[2].astype(int) @ live[3]).sum())
    assert tally.total.as_dict()["effectual_macs"] == effectual


@at_each_fidelity
@pytest.mark.parametrize("double_buffered", [False, True])
def test_gradients_inside_run_in_one_pass(fidelity: str, double_buffered: bool) -> None:
    array = Accelerator(3, 4, double_buffered=double_buffered)
    function, args = BOTH
    out, tally = jax.jit(emulate_function(function, Emulation(array, fidelity=fidelity)))(*args)
    assert_equal(out, function(*args))
    assert shape_counts(tally.backward) == closed_form(count(XW, array), count(XWV, array))
    assert tally.notes == ()
    assert [shape_counts(own.backward) for own in tally.sites.values()] == [
        shape_counts(count(XW, array)),
        shape_counts(count(XWV, array)),
    ]


@pytest.mark.parametrize("schedule", ["sequential", "ws_only", "os_only", "auto"])
def test_every_schedule(schedule: str) -> None:
    function, args = BOTH
    for fidelity in FIDELITIES:
        out, tally = jax.jit(emulate_function(function, Emulation(ARRAY, schedule, fidelity)))(*args)
        assert_equal(out, function(*args))
        assert shape_counts(tally.backward) == backwards(XW, XWV, schedule=schedule)


def test_arguments_and_results_that_are_no_arrays() -> None:
    def function(x: Array, name: str, *, rows: int, rest: Any) -> dict[str, Any]:
        return {name: (x @ rest["w"]).reshape(rows, -1), "none": None, "text": name, "number": rows}

    out, tally = emulate_function(function, EMULATION)(X, "y", rows=7, rest={"w": W})
    assert_equal(out.pop("y"), (X @ W).reshape(7, -1))
    assert out == {"none": None, "text": "y", "number": 7}
    assert shape_counts(tally.total) == forwards(XW)


@at_each_fidelity
def test_number_formats_are_those_of_the_rule(fidelity: str) -> None:
    emulation = Emulation(ARRAY, fidelity=fidelity, precision=Precision.of("bf16"))
    keys = jax.random.split(jax.random.key(0))
    w, x = jax.random.normal(keys[0], (6, 7)), jax.random.normal(keys[1], (5, 6))

    def loss(w: Array, x: Array, product: Callable[[Array, Array], Array] = jnp.matmul) -> Array:
        return jnp.tanh(product(x, w)).sum()  # its cotangent is no number of the format

    def by_rule(x: Array, w: Array) -> Array:
        return dot_general(x, w, (((1,), (0,)), ((), ())), new_tap(), emulation=emulation)

    expected = jax.grad(loss, (0, 1))(w, x, by_rule)
    assert not np.array_equal(expected[0], jax.grad(loss)(w, x))
    assert_equal(emulate_function(jax.grad(loss, (0, 1)), emulation)(w, x)[0], expected)
    assert_equal(jax.grad(lambda w, x: emulate_function(loss, emulation)(w, x)[0], (0, 1))(w, x), expected)


@at_each_fidelity
def test_mixed_types_and_empty_arrays(fidelity: str) -> None:
    def loss(w: Array, x: Array, index: Array, empty: Array) -> Array:
        wide = lax.dot_general(x, w.astype(x.dtype), (((1,), (0,)), ((), ())), preferred_element_type=jnp.float32)
        return (jax.nn.relu(wide) ** 2).sum() + w[index].sum() + (empty @ w).sum()

    args = W, X.astype(jnp.bfloat16), jnp.array([0, 2]), jnp.zeros((0, 6))
    gradient = jax.value_and_grad(loss)
    out, tally = jax.jit(emulate_function(gradient, Emulation(ARRAY, fidelity=fidelity)))(*args)
    assert_equal(out, gradient(*args))
    assert shape_counts(tally.forward) == forwards(XW)
    assert shape_counts(tally.backward) == closed_form(count(XW, ARRAY, dx=False))


@at_each_fidelity
def test_8_bit_floats(fidelity: str) -> None:
    """Products of 8-bit floats are summed in float32, forward and in both gradients."""

    def loss(w: Array, x: Array) -> Array:
        left, right = x.astype(jnp.float8_e4m3fn), w.astype(jnp.float8_e4m3fn)
        return (lax.dot_general(left, right, (((1,), (0,)), ((), ())), preferred_element_type=jnp.float32) ** 2).sum()

    gradient = jax.value_and_grad(loss, (0, 1))
    out, tally = jax.jit(emulate_function(gradient, Emulation(ARRAY, fidelity=fidelity)))(W, X)
    assert_equal(out, jax.jit(gradient)(W, X))
    assert shape_counts(tally.forward) == forwards(XW)
    assert shape_counts(tally.backward) == backwards(XW)


@at_each_fidelity
def test_scalar_products(fidelity: str) -> None:
    """Their cotangents are numbers that stand in the program."""

    def penalised(w: Array, x: Array) -> Array:
        return w @ x + jnp.vdot(w, w) / 2

    gradient = jax.value_and_grad(penalised, (0, 1))
    w, x = X[0], X[1]
    out, tally = emulate_function(gradient, Emulation(ARRAY, fidelity=fidelity))(w, x)
    assert_equal(out, gradient(w, x))
    assert [counters.forward.as_dict()["macs"] for counters in tally.sites.values()] == [6, 6]
    assert [counters.backward.as_dict()["macs"] for counters in tally.sites.values()] == [12, 12]


@jax.tree_util.register_pytree_node_class
class Dropping:
    """A layer in the style of Equinox, with its rate, its switch and its activation among its leaves."""

    def __init__(self, w: Any, rate: Any, trains: Any, activation: Any) -> None:
        self.w, self.rate, self.trains, self.activation = w, rate, trains, activation

    def tree_flatten(self) -> tuple[tuple[Any, ...], None]:
        return (self.w, self.rate, self.trains, self.activation), None

    @classmethod
    def tree_unflatten(cls, _: None, leaves: tuple[Any, ...]) -> Dropping:
        return cls(*leaves)

    def loss(self, w: Array, x: Array) -> Array:
        if self.trains:
            assert type(self.rate) is float
            x = jnp.where(jax.random.bernoulli(jax.random.key(0), self.rate, x.shape), x, 0)
        return self.activation(x @ w).sum()


def test_steps_of_a_layer_that_holds_its_settings() -> None:
    def step(layer: Dropping, x: Array) -> tuple[Dropping, int]:
        w = layer.w - jax.grad(layer.loss)(layer.w, x)
        return Dropping(w, layer.rate, layer.trains, layer.activation), 3

    run = emulate_function(step, EMULATION)
    layer = expected = Dropping(W, 0.5, True, jax.nn.relu)
    for _ in range(2):  # what comes out goes in again
        (layer, number), tally = run(layer, X)
        expected, _ = step(expected, X)
        assert (layer.rate, layer.trains, layer.activation, number) == (0.5, True, jax.nn.relu, 3)
        assert layer.trains is True
        assert_equal(layer.w, expected.w)
        assert shape_counts(tally.backward) == closed_form(count(XW, ARRAY, dx=False))


def test_half_precision_keeps_its_types() -> None:
    function, args = BOTH
    half = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), args)
    for fidelity in FIDELITIES:
        out, tally = jax.jit(emulate_function(function, Emulation(ARRAY, fidelity=fidelity)))(*half)
        expected = function(*half)
        jax.tree.map(lambda one, other: np.testing.assert_equal(one.dtype, other.dtype), out, expected)
        assert shape_counts(tally.backward) == backwards(XW, XWV)


def untraceable(x: Array) -> Array:
    return x if x.sum() > 0 else -x


OPAQUE = Primitive("opaque")  # calls products, and tells no one how
OPAQUE.def_abstract_eval(lambda *_, jaxprs: jaxprs[0].out_avals[0])
OPAQUE.def_impl(lambda x, *, jaxprs: jaxpr_as_fun(jaxprs[0])(x)[0])


def unknown(x: Array) -> Array:
    inner = jax.make_jaxpr(lambda x: X @ (X.T @ x))(x)
    return OPAQUE.bind(x, jaxprs=(inner, inner))


def solved(x: Array) -> Array:
    return jnp.linalg.solve(x @ x.T, x)


def test_what_calls_products_in_a_way_of_its_own_is_left_whole_and_listed() -> None:
    out, tally = emulate_function(unknown, EMULATION)(X[:, 0])
    assert_equal(out, unknown(X[:, 0]))
    (note,) = tally.notes
    assert "opaque left to XLA whole" in note
    assert tally.sites == {}


def test_linear_calls_are_calls() -> None:
    def function(w: Array, x: Array) -> Array:
        return jax.custom_derivatives.linear_call(lambda w, x: x @ w, lambda w, y: y @ w.T, w, x)

    out, tally = emulate_function(function, EMULATION)(W, X)
    assert_equal(out, X @ W)
    assert shape_counts(tally.total) == forwards(XW)


def test_linear_solves_run_with_what_their_solver_multiplies() -> None:
    out, tally = jax.jit(emulate_function(solved, EMULATION))(X)
    np.testing.assert_allclose(out, solved(X), rtol=1e-5)
    assert all(any(f" {name} left to XLA" in note for note in tally.notes) for name in ("lu", "triangular_solve"))
    assert shape_counts(tally.total) == forwards(Gemm(5, 6, 5))  # x x^T, which stands beside it

    def of_rows(w: Array, y: Array) -> Array:
        """Two rounds of conjugate gradients."""
        matrix = w @ w.T + jnp.eye(len(w))
        return jax.scipy.sparse.linalg.cg(lambda v: matrix @ v, y, tol=0.0, maxiter=2)[0]

    w, y = X / 4, jnp.arange(1.0, 6.0)
    out, tally = jax.jit(emulate_function(of_rows, EMULATION))(w, y)
    np.testing.assert_allclose(out, of_rows(w, y), rtol=1e-5)
    # w w^T; A x of the start and of two rounds; of vectors two products before and two in each round
    assert tally.total.as_dict()["macs"] == 5 * 6 * 5 + 3 * 25 + 6 * 5
    assert tally.notes == ()
    step = jax.value_and_grad(lambda w, y: (of_rows(w, y) ** 2).sum(), (0, 1))
    (value, gradient), tally = jax.jit(emulate_function(step, Emulation(ARRAY)))(w, y)
    # w w^T and its two gradients; the solve and, with the cotangent, once more; dA, which is of two vectors
    assert tally.total.as_dict()["macs"] == 3 * 5 * 6 * 5 + 2 * (3 * 25 + 6 * 5) + 25
    np.testing.assert_allclose(value, step(w, y)[0], rtol=1e-5)
    jax.tree.map(lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-4), gradient, step(w, y)[1])
    outside = jax.grad(lambda w, y: emulate_function(lambda w, y: (of_rows(w, y) ** 2).sum(), EMULATION)(w, y)[0])(w, y)
    np.testing.assert_allclose(outside, gradient[0], rtol=1e-4)


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(lambda: emulate_function(3, EMULATION), "function", "3", "something to call"),  # pyright: ignore[reportArgumentType]
        Refusal(lambda: emulate_function(dense, ARRAY), "emulation", "Accelerator", "Emulation"),  # pyright: ignore[reportArgumentType]
        Refusal(lambda: emulate_function(untraceable, EMULATION)(X), "function", "untraceable", "jax.jit"),
        Refusal(lambda: emulate_function(BOTH[0], Emulation(ARRAY, "ws"))(*BOTH[1]), "schedule", "'ws'", "interleaved"),
    ],
    ids=["function", "emulation", "untraceable", "schedule"],
)
def test_bad_input_is_refused(refusal: Refusal) -> None:
    assert_refused(refusal)
