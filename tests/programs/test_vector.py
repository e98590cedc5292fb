from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxgrad.programs import VectorWork, vector_work
from jaxgrad.programs.kinds import scope

X = jnp.ones((4, 8))
N = 32


def work(function: Callable[..., Any], *args: Any) -> list[VectorWork]:
    return vector_work(jax.make_jaxpr(function)(*args))


def sums(function: Callable[..., Any], *args: Any) -> tuple[int, int, int]:
    records = work(function, *args)
    return (
        sum(own.operations for own in records),
        sum(own.reads_words for own in records),
        sum(own.writes_words for own in records),
    )


def test_elementwise_work_is_one_pass() -> None:
    assert sums(lambda x, y: jnp.exp(x * y) + x, X, X) == (3 * N, 2 * N, N)


def test_a_reduction_ends_a_pass() -> None:
    # a sum; then a subtraction from each element, which reads x anew
    assert sums(lambda x: x - x.sum(1, keepdims=True), X) == (2 * N, N + N + 4, 4 + N)


def test_views_take_nothing_and_a_part_is_read_as_a_part() -> None:
    assert sums(lambda x: x.T.reshape(2, 16), X) == (0, 0, 0)
    assert sums(lambda x: -x[:2], X) == (16, 16, 16)
    assert sums(lambda x: x[:2] + x[2:], X) == (16, 32, 16)
    assert sums(lambda x: x + x[:1], X) == (N, N, N)  # never more than there is
    assert sums(lambda x, y: -jnp.concatenate([x, y]), X, X) == (2 * N, 2 * N, 2 * N)
    assert sums(lambda x: jnp.broadcast_to(x[:, :1], (4, 8)) + 1, X) == (N, 4, N)


def test_what_a_gemm_makes_or_takes_goes_through_memory() -> None:
    w = jnp.ones((8, 8))
    assert sums(lambda x: jnp.exp((2 * x) @ w) + 1, X) == (3 * N, 2 * N, 2 * N)


def test_another_kind_is_another_pass() -> None:
    def function(x: Array) -> Array:
        with scope("normalisation", "a"):
            y = 2 * x
        return y + 1

    assert work(function, X) == [
        VectorWork("normalisation", "forward", N, N, N, "a"),
        VectorWork("other", "forward", N, N, N),
    ]


def test_a_residual_of_a_layer_is_made_anew_in_its_gradient() -> None:
    """The gradient of a sine needs a cosine, which nothing else needs: it reads x, and dy."""

    def function(x: Array, dy: Array) -> tuple[Array, Array]:
        def layer(x: Array) -> Array:
            with scope("activation", "a"):
                return jnp.sin(x)

        y, pull = jax.vjp(layer, x)
        return y, pull(dy)[0]

    assert work(function, X, X) == [
        VectorWork("activation", "forward", 2 * N, N, N, "a"),
        VectorWork("activation", "backward", N, 2 * N, N, "a"),
    ]


def test_what_nothing_needs_is_not_counted() -> None:
    def function(x: Array) -> Array:
        jnp.exp(x)
        return x + 1

    assert sums(function, X) == (N, N, N)


def test_a_scan_counts_as_often_as_it_runs() -> None:
    def function(x: Array) -> Array:
        return lax.scan(lambda x, _: (jnp.sin(x), None), x, None, length=5)[0]

    assert sums(function, X) == (5 * N, 5 * N, 5 * N)


def test_every_branch_counts() -> None:
    def function(x: Array) -> Array:
        return lax.cond(x[0, 0] > 0, lambda x: jnp.sin(x), lambda x: jnp.sin(x) * 2, x)

    operations, _, _ = sums(function, X)
    assert operations == 3 * N + 1 + 0  # and the comparison


def test_phases() -> None:
    def step(w: Array, x: Array) -> Array:
        return w - 0.1 * jax.grad(lambda w: jnp.sin(w * x).sum())(w)

    phases = {own.phase: own for own in work(step, X, X)}
    assert set(phases) == {"forward", "backward", "update"}
    # w x and its cosine; times dy, times x; times the rate, and the subtraction
    assert {name: own.operations for name, own in phases.items()} == {
        "forward": 2 * N, "backward": 2 * N, "update": 2 * N,
    }  # fmt: skip


def test_what_the_update_alone_needs_is_the_update_s() -> None:
    def step(w: Array, m: Array, x: Array) -> tuple[Array, Array]:
        m = 0.9 * m + jax.grad(lambda w: jnp.sin(w * x).sum())(w)
        return w - 0.1 * m, m

    (update,) = [own for own in work(step, X, X, X) if own.phase == "update"]
    assert update.kind == "update"
    # it reads the weights, the momentum and what makes the gradient: the rest of the last pass of the gradient
    assert update.operations == 4 * N
    assert (update.reads_words, update.writes_words) == (3 * N, 2 * N)


def test_remat_counts_again_in_the_backward_pass() -> None:
    def gradient(function: Callable[[Array], Array]) -> dict[str, int]:
        records = work(jax.grad(lambda x: function(x).sum()), X)
        return {
            phase: sum(own.operations for own in records if own.phase == phase) for phase in ("forward", "backward")
        }

    def twice(x: Array) -> Array:
        return jnp.sin(jnp.sin(x))

    plain, again = gradient(twice), gradient(jax.checkpoint(twice))
    assert again["backward"] > plain["backward"]
    assert again["forward"] < plain["forward"]
