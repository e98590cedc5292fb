"""Every kind of product: the function's own values on the array, and the MACs of the definition, told alike by what
counts and by what runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array, lax

from jaxgrad import Accelerator, Emulation, Gemm, count, count_forward, emulate_function
from jaxgrad.autodiff import new_tap, read_tap
from jaxgrad.costs.profiling import profile
from jaxgrad.programs import jaxprs
from jaxgrad.programs.shapes import PRODUCTS, gemm_of
from jaxgrad.transform.posed import Posed
from tests.layers import integers
from tests.transform.truth import ARRAY, assert_equal, at_each_fidelity, closed_form, shape_counts

NHWC = ("NHWC", "HWIO", "NHWC")
MATRICES = (((1,), (0,)), ((), ()))
NATIVE, TILES = Emulation(ARRAY), Emulation(ARRAY, fidelity="tile")
WHOLE = Emulation(Accelerator(48, 48), fidelity="tile")  # one tile, which compiles fast
IN_TILES = ("complex", "ragged", "complex ragged", "batch groups", "image dilation, channel groups")


class Kind(NamedTuple):
    """A product of two operands.

    Args:
        function: of both.
        left, right: shapes and dtypes.
        macs: real multiplications, from the definition.
        gradients: whether it has some.
    """

    function: Callable[[Array, Array], Array]
    left: tuple[tuple[int, ...], str]
    right: tuple[tuple[int, ...], str]
    macs: int
    gradients: bool = True


def matrices(left: str, right: str, out: str | None = None, *, gemms: int = 1, gradients: bool = True) -> Kind:
    def function(x: Array, w: Array) -> Array:
        return lax.dot_general(x, w, MATRICES, preferred_element_type=out)

    return Kind(function, ((5, 6), left), ((6, 7), right), gemms * 5 * 6 * 7, gradients)


def convolution(
    left: tuple[int, ...], right: tuple[int, ...], macs: int, dtype: str = "float32", **options: Any
) -> Kind:
    options = {"window_strides": (1, 1), "padding": "SAME", "dimension_numbers": NHWC} | options

    def function(x: Array, w: Array) -> Array:
        return lax.conv_general_dilated(x, w, **options)

    return Kind(function, (left, dtype), (right, dtype), macs, gradients=dtype in ("float32", "complex64"))


def ragged(x: Array, w: Array) -> Array:
    return lax.ragged_dot(x, w, jnp.array([2, 0, 5]))


PIXELS, PADS = 2 * 3 * 4, ((1, 2), (2, 0))  # of an image 2 x 3 x 4, and around it once dilated
KINDS = {
    "real": matrices("float32", "float32"),
    "bf16": matrices("bfloat16", "bfloat16"),
    "bf16 summed in fp32": matrices("bfloat16", "bfloat16", "float32"),
    "fp8": matrices("float8_e4m3fn", "float8_e4m3fn", "float32"),
    "int8": matrices("int8", "int8", "int32", gradients=False),
    "int8, wrapping": matrices("int8", "int8", gradients=False),
    "uint8": matrices("uint8", "uint8", "uint32", gradients=False),
    "int32": matrices("int32", "int32", gradients=False),
    "truth values": matrices("bool", "bool", gradients=False),
    "bf16 by int8": matrices("bfloat16", "int8", "float32", gradients=False),
    "int8 by uint8": matrices("int8", "uint8", "int32", gradients=False),
    "complex": matrices("complex64", "complex64", gemms=4),
    "complex by real": matrices("complex64", "float32", gemms=2),
    "real by complex": matrices("float32", "complex64", gemms=2),
    "batched": Kind(
        lambda x, w: lax.dot_general(x, w, (((2,), (2,)), ((0,), (1,)))),
        ((3, 4, 5), "float32"), ((6, 3, 5), "float32"), 3 * 4 * 5 * 6,
    ),
    "batched complex": Kind(
        lambda x, w: jnp.einsum("bij,bjk->bik", x, w),
        ((2, 3, 4), "complex64"), ((2, 4, 3), "complex64"), 4 * 2 * 3 * 4 * 3,
    ),
    "ragged": Kind(ragged, ((7, 4), "float32"), ((3, 4, 6), "float32"), 7 * 4 * 6),
    "complex ragged": Kind(ragged, ((7, 4), "complex64"), ((3, 4, 6), "complex64"), 4 * 7 * 4 * 6),
    "ragged, complex by real": Kind(ragged, ((7, 4), "complex64"), ((3, 4, 6), "float32"), 2 * 7 * 4 * 6),
    "strides": convolution((2, 5, 6, 3), (3, 3, 3, 4), 2 * 3 * 3 * 27 * 4, window_strides=(2, 2)),
    "int8 image": convolution((2, 4, 4, 2), (2, 3, 2, 3), 2 * 16 * 12 * 3, "int8", preferred_element_type=jnp.int32),
    "complex image": convolution((1, 4, 4, 2), (2, 2, 2, 2), 4 * 16 * 8 * 2, "complex64"),
    "kernel dilation": convolution((2, 6, 5, 2), (2, 2, 2, 3), 2 * 30 * 8 * 3, rhs_dilation=(2, 1)),
    "channel groups": convolution((2, 4, 4, 4), (3, 3, 2, 6), 2 * 16 * 18 * 6, feature_group_count=2),
    "batch groups": convolution((4, 4, 4, 2), (3, 3, 2, 6), 2 * 16 * 18 * 6, batch_group_count=2),
    "batch groups, NCHW, strides": convolution(
        (2, 6, 5, 5), (4, 2, 3, 3), 3 * 9 * 18 * 4,
        batch_group_count=2, window_strides=(2, 2), dimension_numbers=("CNHW", "OIHW", "NCHW"),
    ),
    "image dilation": convolution(
        (2, 3, 4, 2), (2, 3, 2, 3), PIXELS * 2 * 6 * 3, lhs_dilation=(2, 3), padding=PADS
    ),
    "image dilation, channel groups": convolution(
        (2, 3, 4, 4), (2, 3, 2, 6), PIXELS * 4 * 6 * 3, lhs_dilation=(1, 2), padding=PADS, feature_group_count=2
    ),
    "image dilation, batch groups": convolution(
        (2, 3, 4, 2), (2, 3, 2, 6), PIXELS * 2 * 6 * 3, lhs_dilation=(1, 2), padding=PADS, batch_group_count=2
    ),
    "both dilations and strides": convolution(
        (2, 3, 4, 2), (2, 3, 2, 3), PIXELS * 2 * 6 * 3,
        lhs_dilation=(2, 3), rhs_dilation=(2, 1), window_strides=(2, 1), padding=PADS,
    ),
    "cropped": convolution(
        (2, 3, 4, 2), (2, 3, 2, 3), PIXELS * 2 * 6 * 3, lhs_dilation=(2, 2), padding=((-1, 0), (1, -2))
    ),
    "complex image dilation": convolution(
        (2, 3, 4, 2), (2, 3, 2, 3), 4 * PIXELS * 2 * 6 * 3, "complex64", lhs_dilation=(2, 3), padding=PADS
    ),
    "conv_transpose": Kind(
        lambda x, w: lax.conv_transpose(x, w, (2, 2), "SAME", dimension_numbers=NHWC),
        ((2, 3, 4, 2), "float32"), ((3, 3, 2, 3), "float32"), PIXELS * 2 * 9 * 3,
    ),
}  # fmt: skip


def data(kind: Kind) -> tuple[Array, Array]:
    """Small integers, which every format holds and adds up exactly."""

    def operand(seed: int, shape: tuple[int, ...], dtype: str) -> Array:
        values = integers(seed, *shape)
        if dtype == "complex64":
            return jnp.asarray(values + 1j * integers(seed + 2, *shape), dtype)
        return jnp.asarray(np.abs(values) if dtype.startswith("u") else values, "float32").astype(dtype)

    return operand(0, *kind.left), operand(1, *kind.right)


def loss(kind: Kind) -> Callable[[Array, Array], Array]:
    def total(x: Array, w: Array) -> Array:
        y = kind.function(x, w)
        return (y.real**2).sum() + (3 * y.imag).sum() if jnp.iscomplexobj(y) else (y.astype(jnp.float32) ** 2).sum()

    return total


def profiled(function: Callable[..., Any], *args: Array) -> tuple[int, int]:
    """MACs of the forward and of the backward pass."""
    gemms = profile(function, *args).gemms
    forward = sum(layer.gemm.macs * layer.times for layer in gemms)
    return forward, sum(layer.gemm.macs * layer.times * (layer.needs_dx + layer.needs_dw) for layer in gemms)


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if not kind.gradients])
def test_values_and_macs(name: str) -> None:
    kind = KINDS[name]
    args = data(kind)
    expected = kind.function(*args)
    assert profiled(kind.function, *args) == (kind.macs, 0)
    for emulation in (NATIVE, WHOLE):
        out, tally = jax.jit(emulate_function(kind.function, emulation))(*args)
        assert out.dtype == expected.dtype
        assert_equal(out, expected)
        assert tally.notes == ()
        assert (tally.forward.as_dict()["macs"], tally.backward.as_dict()["macs"]) == (kind.macs, 0)
        assert 0 < tally.total.as_dict()["effectual_macs"] < kind.macs


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.gradients])
def test_values_gradients_and_their_macs(name: str) -> None:
    kind = KINDS[name]
    args, step = data(kind), jax.value_and_grad(loss(kind), (0, 1))
    expected = step(*args)
    assert profiled(step, *args) == (kind.macs, 2 * kind.macs)
    for emulation in (NATIVE, TILES if name in IN_TILES else WHOLE):
        out, tally = jax.jit(emulate_function(step, emulation))(*args)
        assert [leaf.dtype for leaf in jax.tree.leaves(out)] == [leaf.dtype for leaf in jax.tree.leaves(expected)]
        assert_equal(out, expected)
        assert tally.notes == ()
        assert (tally.forward.as_dict()["macs"], tally.backward.as_dict()["macs"]) == (kind.macs, 2 * kind.macs)
        assert 0 < tally.total.as_dict()["effectual_macs"] < 3 * kind.macs


@pytest.mark.parametrize("name", ["complex", "ragged", "image dilation, batch groups"])
def test_gradients_from_outside(name: str) -> None:
    kind = KINDS[name]
    args = data(kind)
    run = emulate_function(loss(kind), NATIVE)
    *out, spent = jax.jit(jax.grad(lambda x, w, tap: run.tapped(tap, x, w)[0], (0, 1, 2)))(*args, new_tap())
    assert_equal(tuple(out), jax.grad(loss(kind), (0, 1))(*args))
    assert read_tap(spent).total.as_dict()["macs"] == 3 * kind.macs


@pytest.mark.parametrize("name", [name for name in KINDS if "ragged" not in name])
def test_the_list_and_the_array_have_the_same_gemms(name: str) -> None:
    kind = KINDS[name]
    (equation,) = (
        equation
        for equation in jaxprs.equations(jax.make_jaxpr(kind.function)(*data(kind)).jaxpr)
        if equation.primitive.name in PRODUCTS
    )
    gemm, groups, _ = gemm_of(equation)
    contraction = Posed.of(equation).contraction
    assert (gemm, groups) == (contraction.gemm, contraction.groups)


def test_every_kind_in_the_list_is_here() -> None:
    traced = [jax.make_jaxpr(kind.function)(*data(kind)) for kind in KINDS.values()]
    assert {equation.primitive.name for jaxpr in traced for equation in jaxpr.eqns} >= PRODUCTS


@at_each_fidelity
def test_integers_wrap_as_xla_s_do(fidelity: str) -> None:
    x, w = jnp.full((2, 5), 2**30, jnp.int32), jnp.full((5, 3), 7, jnp.int32)
    out, _ = jax.jit(emulate_function(jnp.matmul, Emulation(ARRAY, fidelity=fidelity)))(x, w)
    assert_equal(out, x @ w)
    assert int(out[0, 0]) == (5 * 7 * 2**30 + 2**31) % 2**32 - 2**31
    # What float32 does not hold: 2**24 + 1.
    x, w = jnp.array([[2**24, 1]], jnp.int32), jnp.ones((2, 1), jnp.int32)
    assert int(emulate_function(jnp.matmul, Emulation(ARRAY, fidelity=fidelity))(x, w)[0][0, 0]) == 2**24 + 1


@pytest.mark.parametrize("fidelity", ["native", "tile"])
def test_a_complex_product_is_four_real_ones(fidelity: str) -> None:
    kind, gemm = KINDS["complex"], Gemm(5, 6, 7)
    args, step = data(kind), jax.value_and_grad(loss(kind), (0, 1))
    _, tally = jax.jit(emulate_function(step, Emulation(ARRAY, fidelity=fidelity)))(*args)
    assert shape_counts(tally.forward) == closed_form(*[count_forward(gemm, ARRAY)] * 4)
    assert shape_counts(tally.backward) == closed_form(*[count(gemm, ARRAY)] * 4)
    # What is not zero, from the parts.
    parts = [[np.asarray(part) != 0 for part in (operand.real, operand.imag)] for operand in args]
    met = sum(int((x.sum(0) * w.sum(1)).sum()) for x in parts[0] for w in parts[1])
    assert tally.forward.as_dict()["effectual_macs"] == met


def test_complex_registers_count_as_the_closed_form() -> None:
    args = jnp.array([[1 + 2j, 3j]]), jnp.array([[2 - 1j], [1 + 1j]])
    out, tally = jax.jit(emulate_function(jnp.matmul, Emulation(ARRAY, fidelity="register")))(*args)
    assert_equal(out, jnp.matmul(*args))
    assert shape_counts(tally.forward) == closed_form(*[count_forward(Gemm(1, 2, 1), ARRAY)] * 4)


@pytest.mark.parametrize("fidelity", ["native", "tile"])
def test_ragged_products_count_group_by_group(fidelity: str) -> None:
    def function(x: Array, w: Array, sizes: Array) -> Array:
        return (lax.ragged_dot(x, w, sizes) ** 2).sum()

    x, w = data(KINDS["ragged"])
    gradient = jax.grad(function, (0, 1))
    run = jax.jit(emulate_function(gradient, Emulation(ARRAY, fidelity=fidelity, weight_update="separate")))
    for sizes in ((2, 0, 5), (7, 0, 0), (1, 1, 2), (0, 0, 0)):
        args = x, w, jnp.array(sizes)
        out, tally = run(*args)
        assert_equal(out, gradient(*args))
        gemms = [Gemm(size, 4, 6) for size in sizes if size]
        assert shape_counts(tally.forward) == closed_form(*(count_forward(gemm, ARRAY) for gemm in gemms))
        updated = (count(gemm, ARRAY, weight_update="separate") for gemm in gemms)
        assert shape_counts(tally.backward) == closed_form(*updated)
        first, met = 0, 0
        for matrix, size in zip(np.asarray(w) != 0, sizes, strict=True):
            met += int(((np.asarray(x[first : first + size]) != 0).sum(0) * matrix.sum(1)).sum())
            first += size
        assert tally.forward.as_dict()["effectual_macs"] == met


def test_rows_of_a_ragged_product_are_split_evenly_where_they_are_not_known() -> None:
    def record(rows: int, groups: int) -> tuple[Gemm, int]:
        (layer,) = profile(lax.ragged_dot, jnp.ones((rows, 4)), jnp.ones((groups, 4, 6)), jnp.zeros(groups, int)).gemms
        return layer.gemm, layer.times

    assert record(12, 4) == (Gemm(3, 4, 6), 4)
    assert record(10, 4) == (Gemm(5, 4, 6), 2)  # 4 does not divide 10
    assert record(7, 3) == (Gemm(7, 4, 6), 1)
    assert record(2, 8) == (Gemm(1, 4, 6), 2)
