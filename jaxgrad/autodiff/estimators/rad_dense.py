"""RAD of a product of matrices: it samples the columns of x.

``same`` and ``project`` contract a dW of k rows. Where dX is wanted as well, its first k columns share dY with that
dW, and the others run alone.
"""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Num

from jaxgrad.autodiff.dot_general import DotGeneral
from jaxgrad.autodiff.estimators import draws
from jaxgrad.autodiff.layer import Layer

Gradients = tuple[Array | None, Array | None]


def keep(contraction: DotGeneral, layer: Layer, lhs: Array, key: Array, columns: int, mode: str) -> Array:
    """What is kept of x: so many values a row."""
    x, size = contraction.x(lhs), contraction.gemm.in_features
    if mode == "same":
        drawn = draws.shared(key, size, columns)
        return jnp.where(drawn.counts > 0, x[..., drawn.indices], 0)
    if mode == "different":
        indices = draws.separate(key, *_rows(contraction), size, columns, 1)
        return jnp.take_along_axis(x, indices.reshape(*x.shape[:-1], columns), -1)
    signs = draws.signs(key, size, columns, layer.lhs.dtype)  # lhs may be codes
    rows = x.reshape(1, -1, size)
    kept, _ = layer.product(matrices(contraction, rows.shape, columns), rows, signs[None])
    return kept.astype(layer.lhs.dtype).reshape(*x.shape[:-1], columns)


def gradients(
    contraction: DotGeneral, layer: Layer, kept: Array, rhs: Array | None, key: Array, cotangent: Array, mode: str
) -> Gradients:
    """dX, where it is wanted, exactly, and the estimate of dW."""
    size, columns = contraction.gemm.in_features, kept.shape[-1]
    if mode == "different":
        indices = draws.separate(key, *_rows(contraction), size, columns, 1)
        x = draws.spread(kept.reshape(-1, columns, 1), indices, size)
        lhs = contraction.lhs_cotangent(x.reshape(*kept.shape[:-1], size))
        weights = layer.rhs if rhs is None else rhs
        dlhs, drhs = layer.gradients(contraction, lhs, weights, cotangent, dx=layer.dx, dw=True)
        assert drhs is not None
        return dlhs, draws.scaled(drhs, size / columns)
    dy, w = contraction.rows(cotangent), None if rhs is None else contraction.w(rhs)
    if mode == "same":
        drawn = draws.shared(key, size, columns)
        dx, dw = _of_columns(contraction, layer, kept, None if w is None else w[:, drawn.order], dy)
        rows = draws.scaled(dw, drawn.counts[:, None] * (size / columns))
        whole = jnp.zeros((dw.shape[0], size, dw.shape[2]), rows.dtype)
        dw = whole.at[:, drawn.indices].set(rows, unique_indices=True)
        dx = None if dx is None else dx[..., jnp.argsort(drawn.order)]
    else:
        dx, dw = _of_columns(contraction, layer, kept, w, dy)
        signs = draws.signs(key, size, columns, dw.dtype)
        groups, _, out_features = dw.shape
        beside = dw.swapaxes(0, 1).reshape(1, columns, -1)
        expanded, _ = layer.product(matrices(contraction, (1, size, columns), beside.shape[-1]), signs[None], beside)
        dw = expanded.reshape(size, groups, out_features).swapaxes(0, 1)
        dw = draws.scaled(dw, 1 / columns)
    return None if dx is None else contraction.lhs_cotangent(dx), contraction.rhs_cotangent(dw)


def matrices(contraction: DotGeneral, lhs: tuple[int, ...], out_features: int) -> DotGeneral:
    """The product of matrices ``(groups, b, k)`` and ``(groups, k, n)``, as precise as a contraction."""
    groups, _, in_features = lhs
    axes = (0,), (1,), (2,)
    return replace(
        contraction,
        lhs_axes=axes,
        rhs_axes=((0,), (2,), (1,)),
        lhs_shape=lhs,
        rhs_shape=(groups, in_features, out_features),
    )


def _of_columns(
    contraction: DotGeneral,
    layer: Layer,
    kept: Float[Array, "groups b k"],
    w: Num[Array, "groups d n"] | None,
    dy: Float[Array, "groups b n"],
) -> tuple[Array | None, Array]:
    """dX of all of w's rows, where there is a w, and the dW of what stands for x, of k rows."""
    columns, out_features = kept.shape[-1], contraction.gemm.out_features
    shape = kept.shape if w is None else (*kept.shape[:-1], w.shape[1])
    product = matrices(contraction, shape, out_features)
    weights = jax.ShapeDtypeStruct(product.rhs_shape, layer.rhs.dtype) if w is None else w
    dx, dw = layer.gradients(
        product, kept, weights, dy, dx=w is not None, dw=True, columns=None if w is None else columns
    )
    assert dw is not None
    return dx, dw


def _rows(contraction: DotGeneral) -> tuple[int]:
    return (contraction.groups * contraction.gemm.batch,)
