"""Fingerprints: equal for traces that compute the same, and for no others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax import Array, lax

from jaxgrad.transform.cache import Cache, Fingerprint, fingerprint, trace_key

X = jnp.ones((4, 4))


def of(function: Callable[..., Any], *args: Any, differentiated: bool = False) -> Fingerprint:
    return fingerprint(jax.make_jaxpr(function)(*(args or (X,))).jaxpr, differentiated=differentiated)


def step(x: Array, *, factor: Any = 2.0, rounds: int = 2, axis: int = 0) -> Array:
    def body(x: Array, _: None) -> tuple[Array, None]:
        return jnp.tanh(x @ x) * factor, None

    return lax.scan(body, x, length=rounds)[0].sum(axis)


def test_two_traces_of_one_function_have_one() -> None:
    assert of(lambda x: step(x)) == of(lambda x: step(x))
    assert hash(of(lambda x: step(x))) == hash(of(lambda x: step(x)))
    assert not of(step).fresh


def on_this_line(x: Array) -> Array:
    return x @ x


def on_another_line(x: Array) -> Array:
    return x @ x


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (step, jax.jit(step)),
        (step, lambda x: step(x, factor=3.0)),
        (step, lambda x: step(x, rounds=3)),
        (step, lambda x: step(x, axis=1)),
        (lambda x: x * 0.0, lambda x: x * -0.0),
        (lambda x: jnp.sin(x) - jnp.cos(x), lambda x: jnp.cos(x) - jnp.sin(x)),
        (lambda x: (x, x + 1), lambda x: (x + 1, x)),
        (on_this_line, on_another_line),
        (jax.named_scope("a")(jnp.sin), jax.named_scope("b")(jnp.sin)),
    ],
)
def test_traces_that_differ_have_others(one: Callable[..., Any], other: Callable[..., Any]) -> None:
    assert of(one) != of(other)


def test_so_have_traces_of_other_arrays() -> None:
    assert of(step) != of(step, jnp.ones((3, 3)))
    assert of(step) != of(step, X.astype(jnp.bfloat16))


def test_arrays_that_the_program_holds_are_told_apart_by_identity() -> None:
    held, equal = jnp.arange(4.0), jnp.arange(4.0)

    def function(array: Array) -> Callable[..., Any]:
        return jax.jit(lambda x: x + array)

    jitted = function(held)
    assert of(lambda x: jitted(x)) == of(lambda x: jitted(x))
    assert of(jitted) != of(function(equal))


@jax.custom_jvp
def ruled(x: Array) -> Array:
    return jnp.sin(x)


ruled.defjvp(lambda primals, tangents: (ruled(*primals), tangents[0]))


def test_derivative_rules_matter_where_derivatives_are_taken() -> None:
    assert of(lambda x: ruled(x)) == of(lambda x: ruled(x))
    one, other = (of(lambda x: ruled(x), differentiated=True) for _ in range(2))
    assert one.fresh
    assert one != other
    jitted = jax.jit(ruled)
    one, other = (of(lambda x: jitted(x), differentiated=True) for _ in range(2))
    assert not one.fresh
    assert one == other


def calls_back(x: Array) -> Array:
    jax.debug.callback(lambda _: None, x)
    return x


JITTED = jax.jit(calls_back)


def test_what_can_not_be_found_again_has_no_key() -> None:
    jaxpr = jax.make_jaxpr(ruled)(X).jaxpr
    assert trace_key("a", jaxpr, 1) == trace_key("a", jax.make_jaxpr(ruled)(X).jaxpr, 1)
    assert len({trace_key("a", jaxpr, 1), trace_key("a", jaxpr, 2), trace_key("b", jaxpr, 1)}) == 3
    assert trace_key("a", jaxpr, differentiated=True) is None
    assert trace_key("a", jax.make_jaxpr(calls_back)(X).jaxpr) is None
    keys = {trace_key("a", jax.make_jaxpr(lambda x: JITTED(x))(X).jaxpr) for _ in range(2)}
    assert len(keys) == 1
    assert None not in keys
    drawn = {trace_key("a", jax.make_jaxpr(lambda: jax.random.normal(jax.random.key(0)))().jaxpr) for _ in range(2)}
    assert len(drawn) == 1
    assert None not in drawn
    assert trace_key("a", jaxpr, []) is None  # pyright: ignore[reportArgumentType]  # it can't be hashed


def test_a_cache_keeps_the_latest() -> None:
    cache, made = Cache(2), list[str]()

    def get(key: str | None) -> int:
        return cache.get(key, lambda jits: made.append(key or "") or len(made))

    assert [get("a"), get("b"), get("a"), get("c"), get("a"), get("b")] == [1, 2, 1, 3, 1, 4]
    assert made == ["a", "b", "c", "b"]
    assert get(None) != get(None)
    assert cache.get("d", lambda jits: jits) is cache.get("d", lambda jits: jits) == {}
    assert cache.get(None, lambda jits: jits) is None
