from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array
from jax.sharding import NamedSharding, PartitionSpec
from numpy.typing import NDArray

from jaxgrad import Gemm
from jaxgrad.array import convolution as lowering
from jaxgrad.array.convolution import geometry
from jaxgrad.array.wide import Wide
from jaxgrad.autodiff import effectual
from tests.devices import mesh
from tests.layers import CONVOLUTIONS, Conv
from tests.refusals import Refusal, assert_refused
from tests.strategies import EXACT, ROUNDED

DATA = {**EXACT, **ROUNDED}  # zeros of both signs, subnormals, NaN and infinities among them
Bits = NDArray[np.int64]


def live(values: Array | NDArray[np.float32]) -> Bits:
    return (np.asarray(values) != 0).astype(np.int64)


def by_hand(x: Bits, w: Bits, dy: Bits) -> tuple[int, int, int]:
    """Effectual MACs of y, dX and dW, MAC by MAC: the products of the operands' bits."""
    return int((x @ w).sum()), int((dy @ w.swapaxes(-1, -2)).sum()), int((x.swapaxes(-1, -2) @ dy).sum())


def as_int(count: Wide) -> int:
    return (int(count.high) << 32) | int(count.low)


def of_matrices(x: NDArray, w: NDArray, dy: NDArray) -> tuple[int, int, int]:
    gemm = Gemm(x.shape[1], x.shape[2], w.shape[2])

    @jax.jit
    def run(x: Array, w: Array, dy: Array) -> tuple[Wide, Wide, Wide]:
        forward, live = effectual.forward(x, w, gemm)
        return forward, *effectual.backward(live, w, dy, gemm)

    y_count, dx_count, dw_count = run(x, w, dy)
    return as_int(y_count), as_int(dx_count), as_int(dw_count)


@pytest.mark.parametrize(("groups", "b", "k", "n"), [(1, 1, 1, 1), (2, 5, 7, 3), (1, 40, 64, 96), (1, 3, 33, 70)])
def test_matrices(groups: int, b: int, k: int, n: int) -> None:
    rng = np.random.default_rng(b)
    for make in DATA.values():
        x, w, dy = make(rng, (groups, b, k)), make(rng, (groups, k, n)), make(rng, (groups, b, n))
        assert of_matrices(x, w, dy) == by_hand(live(x), live(w), live(dy))


@pytest.mark.parametrize("conv", CONVOLUTIONS.values(), ids=CONVOLUTIONS.keys())
def test_convolutions_without_patches(conv: Conv) -> None:
    options = {
        "rhs_dilation": conv.dilation,
        "dimension_numbers": conv.layout,
        "feature_group_count": conv.groups,
    }
    convolution, layout = geometry(conv.lhs, conv.rhs, *conv.arguments, **options)

    @jax.jit
    def run(x: Array, w: Array, dy: Array) -> tuple[tuple[Wide, Wide, Wide], tuple[Array, Array, Array]]:
        forward, live = effectual.convolution_forward(x, w, convolution)
        counts = forward, *effectual.convolution_backward(live, w, dy, convolution)
        bits = [(jax.lax.bitcast_convert_type(values, np.uint32) << 1 != 0) * np.float32(1) for values in (x, w, dy)]
        return counts, (
            lowering.patches(bits[0], convolution),
            lowering.kernel_matrix(bits[1], convolution),
            lowering.output_rows(bits[2], convolution),
        )

    rng = np.random.default_rng(len(conv.lhs))
    for make in DATA.values():
        x = make(rng, tuple(conv.lhs[axis] for axis in layout.lhs))
        w = make(rng, tuple(conv.rhs[axis] for axis in layout.rhs))
        dy = make(rng, (convolution.batch, *convolution.output, convolution.out_channels))
        counts, matrices = run(x, w, dy)
        assert tuple(map(as_int, counts)) == by_hand(*map(live, matrices))


def test_weighted_and_plain_counts_share_a_word_only_where_they_fit() -> None:
    """Features and bounds on either side of the limit, and data that fills both parts of the word."""
    features = 8
    limit = (1 << 32) // (features << features.bit_length())
    for bound in (limit - 1, limit, (1 << 32) // features - 1):
        ones, weights = jnp.ones((2, features)), jnp.full((1, features), bound, jnp.uint32)
        count, weighted = effectual._live_and_weighted(ones, weights, bound)
        np.testing.assert_array_equal(count, [features] * 2)
        np.testing.assert_array_equal(weighted, np.array([features * bound] * 2, np.uint32))


@pytest.mark.parametrize("shape", [(), (5,), (3, 4), (2, 6, 64), (70, 33)])
def test_totals_past_32_bits(shape: tuple[int, ...]) -> None:
    for largest in (1, 1 << 16, (1 << 32) - 1):
        counts = jnp.full(shape, largest, jnp.uint32)
        assert as_int(effectual._total(counts, largest)) == largest * counts.size


def test_refuses_what_a_word_cannot_count() -> None:
    ones = jnp.ones((1, 1, 1 << 16))
    refusal = Refusal(
        lambda: effectual.forward(ones, jnp.ones((1, 1 << 16, 1)), Gemm(1, 1 << 16, 1 << 16)),
        "weights", "65536 x 65536", "below 2**32",
    )  # fmt: skip
    assert_refused(refusal)


def test_counts_of_a_batch_that_is_split_are_summed_over_devices_once() -> None:
    """Rows whose numbers are added lie on one device; by halves they were exchanged, level by level."""
    gemm = Gemm(512, 3, 2)
    rows = NamedSharding(mesh(4, "batch"), PartitionSpec(None, "batch"))
    x = jax.ShapeDtypeStruct((1, gemm.batch, gemm.in_features), jnp.float32, sharding=rows)
    run = jax.jit(lambda x: effectual.forward(x, jnp.ones((1, 3, 2)), gemm)[0])
    program = run.lower(x).compile().as_text()
    assert program is not None
    assert program.count(" all-reduce(") == 1
    assert "collective-permute" not in program
    assert "all-gather" not in program
