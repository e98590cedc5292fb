"""What the derivative of a linear solve adds, counted by hand on systems of two unknowns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import jax
import jax.numpy as jnp
import pytest
from jax import Array

from jaxgrad.programs.numbering import walk
from jaxgrad.programs.products import products
from jaxgrad.programs.shapes import gemm_of

A, B = jnp.array([[4.0, 1.0], [1.0, 3.0]]), jnp.array([1.0, 2.0])


def solved(multiply: Callable[[Array], Array], y: Array) -> Array:
    return jax.scipy.sparse.linalg.cg(multiply, y, tol=0.0, maxiter=2)[0]


def matrix(a: Array, y: Array) -> Array:
    return jnp.sum(solved(lambda v: a @ v, y) ** 2)


def gram(a: Array, y: Array) -> Array:
    return jnp.sum(solved(lambda v: a.T @ (a @ v), y) ** 2)


def residual(a: Array, y: Array) -> Array:
    x = solved(lambda v: a @ v, y)
    return jnp.sum((a + 1) @ x)  # the program's own product, of which JAX needs the gradients alone


# MACs of the products of a trace, each once: a solve has two products with the matrix, before its loop and in it, of
# four MACs, and four of vectors, of two.
SOLVE = {4: 2, 2: 4}
COUNTS = [
    (matrix, Counter(SOLVE) + Counter(SOLVE) + Counter({4: 1})),  # dA
    (gram, Counter({4: 4, 2: 4}) + Counter({4: 4, 2: 4}) + Counter({4: 1 + 3})),  # a x; of two vectors, its two dA
    (residual, Counter(SOLVE) + Counter(SOLVE) + Counter({4: 1 + 3})),  # dA; the program's product and both gradients
]


@pytest.mark.parametrize(("function", "expected"), COUNTS, ids=[function.__name__ for function, _ in COUNTS])
def test_products_of_a_gradient_are_those_that_something_needs(
    function: Callable[[Array, Array], Array], expected: Counter[int]
) -> None:
    macs: Counter[int] = Counter()
    for product in products(walk(jax.make_jaxpr(jax.grad(function))(A, B))):
        macs[gemm_of(product.site.equation)[0].macs] += product.runs + product.again
    assert macs == expected
