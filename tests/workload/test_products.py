"""Products of forward-mode derivatives, told apart as far as a trace allows."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest

from jaxgrad.profiling import profile

NET_ARGS = tuple(jax.ShapeDtypeStruct(sizes, jnp.float32) for sizes in ((8, 5), (5, 3), (4, 8)))


def net(w1: Any, w2: Any, x: Any) -> Any:
    return (jnp.tanh(x @ w1) @ w2).sum()


def forward_mode(w1: Any, w2: Any, x: Any) -> Any:
    return jax.jvp(lambda a, b: net(a, b, x), (w1, w2), (w1, w2))


def forward_mode_inside(w1: Any, w2: Any, x: Any) -> Any:
    return jax.jvp(lambda a: jax.jit(net)(a, w2, x), (w1,), (w1,))


def linearized(w1: Any, w2: Any, x: Any) -> Any:
    value, derivative = jax.linearize(lambda a: net(a, w2, x), w1)
    return value, derivative(w1)


@pytest.mark.parametrize(
    ("function", "tangents"),
    [(net, 0), (jax.grad(net), 0), (forward_mode, 3), (forward_mode_inside, 2), (linearized, 2)],
)
def test_derivatives_in_forward_mode_count_as_forward_gemms_and_are_told(function: Any, tangents: int) -> None:
    own = profile(function, *NET_ARGS)
    assert sum(gemm.times for gemm in own.gemms) == 2 + tangents
    told = [note for note in own.notes if note.startswith("jvp: ")]
    assert [note.partition(" products")[0] for note in told] == [f"jvp: {tangents}"] * (tangents > 0)
    assert all("counts as a forward GEMM" in note for note in told)
