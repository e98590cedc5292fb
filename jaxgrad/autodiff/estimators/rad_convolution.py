"""RAD of a convolution: it samples the spatial sites of the layer's input.

``same`` contracts dW as the GEMM of the sampled sites: each site's channels by what of dY reads it, tap by tap. Where
strides leave fewer outputs than there are samples, and for the other modes, x is put together again from what was kept
and its dW taken.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Int

from jaxgrad.array.convolution import Convolution
from jaxgrad.autodiff.convolution import ConvGeneralDilated
from jaxgrad.autodiff.dot_general import DotGeneral
from jaxgrad.autodiff.estimators import draws
from jaxgrad.autodiff.layer import Layer
from jaxgrad.autodiff.transposed import ConvTransposed

AnyConvolution: TypeAlias = ConvGeneralDilated | ConvTransposed
Gradients = tuple[Array | None, Array | None]


def sites(contraction: AnyConvolution) -> int:
    """Pixels of an image."""
    return math.prod(contraction.lhs_shape[axis] for axis in contraction.layout.lhs[1:-1])


def keep(contraction: AnyConvolution, layer: Layer, lhs: Array, key: Array, count: int, mode: str) -> Array:
    """What is kept of x: so many values of each channel of an image."""
    size = sites(contraction)
    image = contraction.layout.image(lhs)
    x = image.reshape(image.shape[0], size, image.shape[-1])
    if mode == "same":
        drawn = draws.shared(key, size, count)
        return jnp.where(drawn.counts[:, None] > 0, x[:, drawn.indices], 0)
    if mode == "different":
        return jnp.take_along_axis(x, draws.separate(key, x.shape[0], size, count, x.shape[-1]), 1)
    signs = draws.signs(key, size, count, layer.lhs.dtype)  # lhs may be codes
    kept, _ = layer.product(_by_sites(contraction, x.shape, signs.shape), x, signs)
    return kept.astype(layer.lhs.dtype).swapaxes(1, 2)


def gradients(
    contraction: AnyConvolution, layer: Layer, kept: Array, rhs: Array | None, key: Array, cotangent: Array, mode: str
) -> Gradients:
    """dX, where it is wanted, exactly, and the estimate of dW."""
    weights = layer.rhs if rhs is None else rhs
    size, count = sites(contraction), kept.shape[1]
    if mode == "same" and isinstance(contraction, ConvGeneralDilated) and count < _outputs(contraction):
        dlhs, _ = layer.gradients(contraction, layer.lhs, weights, cotangent, dx=layer.dx, dw=False)
        return dlhs, _of_sites(contraction, layer, kept, draws.shared(key, size, count), cotangent)
    x, scale = _put_together(contraction, layer, kept, key, mode)
    image = x.reshape(kept.shape[0], *(contraction.lhs_shape[axis] for axis in contraction.layout.lhs[1:-1]), -1)
    lhs = contraction.layout.as_lhs(image)
    dlhs, drhs = layer.gradients(contraction, lhs, weights, cotangent, dx=layer.dx, dw=True)
    assert drhs is not None
    return dlhs, draws.scaled(drhs, scale)


def _outputs(contraction: ConvGeneralDilated) -> int:
    return math.prod(contraction.convolution.output)


def _put_together(
    contraction: AnyConvolution, layer: Layer, kept: Float[Array, "batch k channels"], key: Array, mode: str
) -> tuple[Float[Array, "batch sites channels"], float]:
    """The estimate of x but for a factor, and the factor."""
    size, (batch, count, channels) = sites(contraction), kept.shape
    if mode == "same":
        drawn = draws.shared(key, size, count)
        values = kept * drawn.counts[:, None].astype(kept.dtype)
        x = jnp.zeros((batch, size, channels), kept.dtype).at[:, drawn.indices].set(values, unique_indices=True)
        return x, size / count
    if mode == "different":
        return draws.spread(kept, draws.separate(key, batch, size, count, channels), size), size / count
    signs = draws.signs(key, size, count, kept.dtype)
    x, _ = layer.product(_by_sites(contraction, kept.shape, (count, size)), kept, signs.T)
    return x.astype(kept.dtype).swapaxes(1, 2), 1 / count


def _of_sites(
    contraction: ConvGeneralDilated,
    layer: Layer,
    kept: Float[Array, "batch k channels"],
    drawn: draws.Shared,
    cotangent: Array,
) -> Array:
    """The estimate of dW, contracted over the sampled sites alone."""
    geometry, (batch, count, _) = contraction.convolution, kept.shape
    groups, channels = geometry.groups, geometry.in_channels // geometry.groups
    taps, out_channels = math.prod(geometry.kernel), geometry.out_channels // geometry.groups
    out = contraction.layout.output(cotangent).reshape(batch, -1, geometry.out_channels)
    read = jnp.take(out, _readers(drawn.indices, geometry), axis=1, mode="fill", fill_value=0)
    dy = read.reshape(batch * count, taps, groups, out_channels).transpose(2, 0, 1, 3)
    values = kept * drawn.counts[:, None].astype(kept.dtype)
    x = values.reshape(batch * count, groups, channels).swapaxes(0, 1)
    product = DotGeneral(
        ((0,), (1,), (2,)),
        ((0,), (2,), (1,)),
        x.shape,
        (groups, channels, taps * out_channels),
        contraction.precision,
        contraction.preferred_element_type,
    )
    weights = jax.ShapeDtypeStruct(product.rhs_shape, layer.rhs.dtype)
    _, dw = layer.gradients(product, x, weights, dy.reshape(*x.shape[:2], -1), dx=False, dw=True)
    assert dw is not None
    by_tap = dw.reshape(groups, channels, taps, out_channels).transpose(2, 1, 0, 3)
    kernel = by_tap.reshape(*geometry.kernel, channels, geometry.out_channels)
    return draws.scaled(contraction.layout.as_rhs(kernel), sites(contraction) / count)


def _readers(indices: Int[Array, " k"], geometry: Convolution) -> Int[Array, "k taps"]:
    """The output pixel that reads a site through a tap, or one past the last where none does."""
    places = jnp.unravel_index(indices, geometry.image)
    pixel, reads = jnp.zeros((indices.size, 1), jnp.int32), jnp.ones((indices.size, 1), bool)
    for axis, place in enumerate(places):
        taps = jnp.arange(geometry.kernel[axis], dtype=jnp.int32) * geometry.dilation[axis]
        from_start = place.astype(jnp.int32)[:, None] + geometry.padding[axis][0] - taps
        output, left = from_start // geometry.strides[axis], from_start % geometry.strides[axis]
        inside = (left == 0) & (output >= 0) & (output < geometry.output[axis])
        pixel = (pixel[:, :, None] * geometry.output[axis] + output[:, None]).reshape(indices.size, -1)
        reads = (reads[:, :, None] & inside[:, None]).reshape(indices.size, -1)
    return jnp.where(reads, pixel, math.prod(geometry.output))


def _by_sites(contraction: AnyConvolution, x: tuple[int, ...], signs: tuple[int, ...]) -> DotGeneral:
    """Images ``(batch, d, channels)`` by a matrix of d rows: ``(batch, channels, columns)``."""
    axes = ((), (0, 2), (1,)), ((), (1,), (0,))
    return DotGeneral(*axes, x, signs, contraction.precision, contraction.preferred_element_type)
