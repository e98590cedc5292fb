"""Jitted functions inside an emulated one stay jitted: compiled once, their products on the array and counted."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax import Array, lax
from jax.experimental.layout import Format, Layout
from jax.sharding import NamedSharding, PartitionSpec

from jaxgrad import Emulation, Gemm, Precision, emulate_function
from jaxgrad.autodiff import new_tap, read_tap
from jaxgrad.autodiff.estimators import rounded
from jaxgrad.programs.jaxprs import JITS, equations
from jaxgrad.transform.rules import Rule
from tests.transform.truth import (
    ARRAY,
    BOTH,
    XW,
    XWV,
    V,
    W,
    X,
    assert_equal,
    backwards,
    forwards,
    shape_counts,
    two,
    weights,
)

NATIVE = Emulation(ARRAY)
COMPILED = "/jax/core/compile/backend_compile_duration"


@contextmanager
def compilations() -> Iterator[list[str]]:
    """What is compiled within it."""
    events: list[str] = []

    def listen(event: str, duration_secs: float, **kwargs: str | int) -> None:
        if event == COMPILED:
            events.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield events
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)


def traced(function: Callable[..., Any]) -> tuple[Callable[..., Any], list[None]]:
    """The function, and a list that grows whenever it is traced."""
    traces: list[None] = []

    @functools.wraps(function)
    def counted(*args: Any, **kwargs: Any) -> Any:
        traces.append(None)
        return function(*args, **kwargs)

    return counted, traces


def test_a_second_call_traces_and_compiles_nothing() -> None:
    step, traces = traced(BOTH[0])
    run = emulate_function(jax.jit(step), NATIVE)
    with compilations() as events:
        run(*BOTH[1])
    assert events  # the listener hears
    with compilations() as events:
        out, tally = run(*BOTH[1])
    assert events == []
    assert len(traces) == 1
    assert_equal(out, BOTH[0](*BOTH[1]))
    assert shape_counts(tally.forward) == forwards(XW, XWV)
    assert shape_counts(tally.backward) == backwards(XW, XWV)


def test_gradients_from_outside_are_compiled_once() -> None:
    loss, traces = traced(two)
    run = emulate_function(jax.jit(loss), NATIVE)

    def gradient() -> tuple[Any, Array]:
        return jax.grad(lambda ws, tap: run.tapped(tap, ws, X)[0], (0, 1))((W, V), new_tap())

    gradient()
    before = len(traces)
    with compilations() as events:
        out, tap = gradient()
    assert (events, len(traces)) == ([], before)
    assert_equal(out, jax.grad(two)((W, V), X))
    assert shape_counts(read_tap(tap).backward) == shape_counts(
        emulate_function(jax.grad(two), NATIVE)((W, V), X)[1].backward
    )


def test_estimators_keep_what_is_jitted() -> None:
    loss, traces = traced(lambda ws, x: two(ws, x))
    run = emulate_function(jax.jit(loss), [Rule("*", NATIVE, rounded(Precision.of("bf16")))])
    first, _ = run((W, V), X)
    with compilations() as events:
        out, tally = run((W, V), X)
    assert (events, len(traces)) == ([], 1)
    assert_equal(out, first)
    assert shape_counts(tally.forward) == forwards(XW, XWV)


SQUARE = weights(4, 4)
product = jax.jit(lambda w, x: jnp.sign(x @ w))
outer = jax.jit(lambda w, x: product(w, product(w, x)))


@jax.custom_vjp
def ruled(w: Array, x: Array) -> Array:
    return product(w, x)


ruled.defvjp(lambda w, x: (ruled(w, x), (w, x)), lambda saved, cotangent: (saved[0], cotangent @ saved[0].T))

# What calls it, and how often it then runs.
PLACES: dict[str, tuple[Callable[[Array, Array], Array], int]] = {
    "jit": (outer, 2),
    "scan": (lambda w, x: lax.scan(lambda x, _: (product(w, x), None), x, length=3)[0], 3),
    "while": (lambda w, x: lax.while_loop(lambda s: s[0] < 2, lambda s: (s[0] + 1, product(w, s[1])), (0, x))[1], 2),
    "cond": (lambda w, x: lax.cond(x.sum() < 1000, lambda: product(w, x), lambda: x), 1),
    "remat": (lambda w, x: jax.checkpoint(product)(w, x), 1),
    "custom_vjp": (ruled, 1),
    "vmap": (lambda w, x: jax.vmap(product, (None, 0))(w, x[None])[0], 1),
}


@pytest.mark.parametrize("place", PLACES)
def test_wherever_they_are(place: str) -> None:
    function, runs = PLACES[place]
    run = emulate_function(function, NATIVE)
    run(SQUARE, SQUARE)
    with compilations() as events:
        out, tally = run(SQUARE, SQUARE)
    function(SQUARE, SQUARE)
    with compilations() as plain:  # loops that are not jitted are compiled at each call
        expected = function(SQUARE, SQUARE)
    assert len(events) == len(plain)
    assert_equal(out, expected)
    assert shape_counts(tally.total) == forwards(*[Gemm(4, 4, 4)] * runs)
    names = jitted(run, SQUARE, SQUARE)
    assert [name for name in names if name == "<lambda>"] == ["<lambda>"] * (3 if place == "jit" else 1)


def jitted(function: Callable[..., Any], *args: Any) -> list[str]:
    """The names of the jitted functions in a trace."""
    jaxpr = jax.make_jaxpr(function)(*args).jaxpr
    return [equation.params["name"] for equation in equations(jaxpr) if equation.primitive.name in JITS]


def test_under_an_outer_jit_and_with_static_arguments() -> None:
    @functools.partial(jax.jit, static_argnames="times")
    def chain(w: Array, x: Array, *, times: int) -> Array:
        for _ in range(times):
            x = jnp.sign(x @ w)
        return x

    run = emulate_function(lambda w, x: (chain(w, x, times=2), chain(w, x, times=1)), NATIVE)
    out, tally = jax.jit(run)(SQUARE, SQUARE)
    assert_equal(out, (chain(SQUARE, SQUARE, times=2), chain(SQUARE, SQUARE, times=1)))
    assert shape_counts(tally.total) == forwards(*[Gemm(4, 4, 4)] * 3)
    assert jitted(run, SQUARE, SQUARE).count("chain") == 2


def test_what_is_donated_stays_donated() -> None:
    step = jax.jit(lambda w, x: (w - x.T @ x, x.sum()), donate_argnums=0)
    deleted: list[bool] = []
    for function in (step, emulate_function(step, NATIVE)):
        w, x = jnp.ones((4, 4)), jnp.ones((3, 4))
        function(w, x)
        deleted += [w.is_deleted(), x.is_deleted()]
    assert deleted == [True, False] * 2


def test_shardings_stay() -> None:
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    rows, whole = (NamedSharding(mesh, PartitionSpec(*axes)) for axes in (("data",), ()))
    step = jax.jit(lambda w, x: (x @ w, x + 1), in_shardings=(whole, rows), out_shardings=(whole, None))
    x = weights(8, 4)
    out, tally = emulate_function(step, NATIVE)(SQUARE, x)
    assert_equal(out, step(SQUARE, x))
    assert (out[0].sharding, out[1].sharding) == (whole, rows)
    assert shape_counts(tally.total) == forwards(Gemm(8, 4, 4))
    assert out[0].sharding.is_equivalent_to(step(SQUARE, x)[0].sharding, 2)


def test_layouts_stay() -> None:
    place = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    for order in ((0, 1), (1, 0)):
        step = jax.jit(lambda w, x: x @ w, out_shardings=Format(Layout(order), place))
        assert emulate_function(step, NATIVE)(SQUARE, SQUARE)[0].format == step(SQUARE, SQUARE).format


def test_calls_that_differ_are_not_taken_for_each_other() -> None:
    factor, shift = 2.0, jnp.ones(())

    def function(w: Array, x: Array) -> Array:
        return product(w, x) * factor + shift

    run = emulate_function(function, NATIVE)
    for factor, shift in ((2.0, jnp.ones(())), (3.0, jnp.ones(())), (3.0, jnp.zeros(()))):  # noqa: B007
        assert_equal(run(SQUARE, SQUARE)[0], function(SQUARE, SQUARE))


def test_derivative_rules_that_differ_are_not_taken_for_each_other() -> None:
    """Their forward passes are the same."""

    def function(w: Array, limit: float) -> Array:
        @jax.custom_vjp
        def clipped(w: Array) -> Array:
            return w

        clipped.defvjp(lambda w: (w, None), lambda _, cotangent: (jnp.clip(cotangent, -limit, limit),))
        return product(clipped(w), SQUARE).sum() + (clipped(w) @ SQUARE).sum()

    run = emulate_function(function, NATIVE)
    for limit in (1.0, 2.0, 1.0):
        out = jax.grad(lambda w, limit=limit: run(w, limit)[0])(SQUARE)
        assert_equal(out, jax.grad(function)(SQUARE, limit))
