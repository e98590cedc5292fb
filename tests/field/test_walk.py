from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax import Array, lax

from tests.field.walk import products

W, X = jnp.ones((3, 3)), jnp.ones((2, 3))  # X W takes 18 MACs


def total(w: Array, x: Array) -> Array:
    return (x @ w).sum()


PROGRAMS: dict[str, tuple[Callable[[Array, Array], Any], list[int]]] = {
    "a call": (lambda w, x: jax.jit(jnp.matmul)(x, w), [18]),
    "a scan": (lambda w, x: lax.scan(lambda x, _: (x @ w, None), x, length=4)[0], [18] * 4),
    "a while loop": (lambda w, x: lax.while_loop(lambda x: x.sum() < 100, lambda x: x @ w, x), [18] * 3),
    "the branch that is taken": (lambda w, x: lax.cond(x[0, 0] > 0, lambda: x @ w, lambda: x @ w @ w), [18]),
    "dead code": (lambda w, x: (x @ w, x @ w @ w)[0], [18]),
    "dead code in a call": (lambda w, x: jax.jit(lambda x: (x @ w, w @ w))(x)[0], [18]),
    "both gradients": (lambda w, x: x @ jax.grad(total)(w, x) + jax.grad(total, 1)(w, x), [18] * 3),
    "complex numbers": (lambda w, x: jnp.abs((x + 1j) @ w.astype(complex)), [72]),
    "a convolution": (lambda w, x: lax.conv(x[None], w[:, :2, None], (1,), "VALID"), [3 * 3 * 2]),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_ran(name: str) -> None:
    function, macs = PROGRAMS[name]
    out, met = products(function, W, X)
    assert [product.macs for product in met] == macs
    assert jnp.array_equal(out, function(W, X))
