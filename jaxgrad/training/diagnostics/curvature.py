"""Curvature of the loss: products with its Hessian, along a direction, and its top eigenvalue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax
from jaxtyping import ArrayLike, Float
from scipy.sparse.linalg import LinearOperator, eigsh

from jaxgrad.training.diagnostics.gradients import Loss, batch_weights


def hessian_product(
    loss: Loss, params: Any, batches: Any, direction: Any, weights: Float[ArrayLike, " n"] | None = None
) -> tuple[Any, Any]:
    """``grad f`` and ``H u``, f the mean loss over the examples of some batches; one batch in memory at a time.

    >>> loss = lambda x, scale: scale * x @ jnp.array([[3.0, 1.0], [1.0, 2.0]]) @ x / 2
    >>> gradient, product = hessian_product(loss, jnp.array([1.0, 0.0]), jnp.ones(1), jnp.array([0.0, 1.0]))
    >>> gradient.tolist(), product.tolist()
    ([3.0, 1.0], [1.0, 2.0])

    Args:
        loss, params, batches, weights: as for ``moments``.
        direction: u, like the parameters.
    """
    weights = batch_weights(batches, weights)
    shares = weights / jnp.sum(weights)

    def of_batch(data: Any) -> tuple[Any, Any]:
        return jax.jvp(lambda params: jax.grad(loss)(params, data), (params,), (direction,))

    if len(shares) == 1:  # a loop and its sums take half as long again
        return of_batch(jax.tree.map(lambda leaf: leaf[0], batches))

    def add(so_far: Any, batch: tuple[Any, Array]) -> tuple[Any, None]:
        data, share = batch
        return optax.tree.add_scale(so_far, share, of_batch(data)), None

    zero = optax.tree.zeros_like(params)
    return lax.scan(add, (zero, zero), (batches, shares))[0]


def rayleigh_quotient(direction: Any, product: Any) -> Float[Array, ""]:
    """``u^T H u / |u|^2``, the curvature along a direction; NaN for one of length 0.

    Args:
        direction: u.
        product: ``H u``.
    """
    return jnp.asarray(optax.tree.vdot(direction, product)) / optax.tree.norm(direction, squared=True)


def sharpness(
    product: Callable[[Any], Any], like: Any, *, seed: int = 0, tolerance: float = 1e-2, vectors: int | None = None
) -> float:
    """The top eigenvalue of the Hessian, the largest one with its sign, by SciPy's Lanczos method (ARPACK).

    It is on the host, not to be jitted itself; the product is.

    >>> product = jax.jit(lambda u: jnp.arange(10.0) * u)
    >>> round(sharpness(product, jnp.zeros(10)), 3)
    9.0

    Args:
        product: u to ``H u``, such as of ``hessian_product``, jitted.
        like: what u is like: the parameters.
        seed: of the vector that it begins with.
        tolerance: the relative accuracy that ends it.
        vectors: kept at a time, SciPy's ``ncv``: the least number of products; None for SciPy's own choice.

    Raises:
        scipy.sparse.linalg.ArpackNoConvergence: the tolerance is not reached within ten products a parameter.
    """
    leaves, tree = jax.tree.flatten(like)
    ends = np.cumsum([leaf.size for leaf in leaves])
    size = int(ends[-1])

    def times(vector: np.ndarray) -> np.ndarray:
        parts = np.split(np.ravel(vector), ends[:-1])
        shaped = [part.reshape(leaf.shape).astype(leaf.dtype) for part, leaf in zip(parts, leaves, strict=True)]
        result = product(jax.tree.unflatten(tree, shaped))
        return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(result)]).astype(float)

    operator = LinearOperator((size, size), matvec=times, dtype=np.float64)  # pyright: ignore[reportCallIssue]
    start = np.random.default_rng(seed).standard_normal(size)
    settings: dict[str, Any] = {"tol": tolerance, "ncv": vectors, "return_eigenvectors": False}
    values = eigsh(operator, 1, which="LA", v0=start, **settings)
    return float(values[0])
