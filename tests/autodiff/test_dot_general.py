from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array, lax

from jaxgrad import Accelerator, Emulation, Gemm
from jaxgrad.autodiff import dot_general, new_tap
from jaxgrad.autodiff.dot_general import DimensionNumbers, DotGeneral
from tests.autodiff.truth import as_dicts, counted, gemm_by_gemm, gradients
from tests.layers import integers, sparse_integers
from tests.refusals import Refusal, assert_refused

ARRAY = Accelerator(3, 4)
NATIVE = Emulation(ARRAY)
MATRICES: DimensionNumbers = (((1,), (0,)), ((), ()))


class Dot(NamedTuple):
    lhs: tuple[int, ...]
    rhs: tuple[int, ...]
    dimension_numbers: DimensionNumbers
    gemm: Gemm
    groups: int = 1


DOTS = {
    "matrices": Dot((5, 6), (6, 7), MATRICES, Gemm(5, 6, 7)),
    "ones": Dot((1, 1), (1, 1), MATRICES, Gemm(1, 1, 1)),
    "vectors": Dot((6,), (6,), (((0,), (0,)), ((), ())), Gemm(1, 6, 1)),
    "outer product": Dot((3,), (4,), (((), ()), ((), ())), Gemm(3, 1, 4)),
    "weights transposed": Dot((5, 6), (7, 6), (((1,), (1,)), ((), ())), Gemm(5, 6, 7)),
    "rows in front": Dot((2, 3, 4), (4, 5), (((2,), (0,)), ((), ())), Gemm(6, 4, 5)),
    "contraction in front": Dot((4, 2, 3), (5, 4), (((0,), (1,)), ((), ())), Gemm(6, 4, 5)),
    "two contracted, crossed": Dot((3, 2, 4), (4, 5, 3), (((0, 2), (2, 0)), ((), ())), Gemm(2, 12, 5)),
    "a batch": Dot((3, 4, 5), (3, 5, 2), (((2,), (1,)), ((0,), (0,))), Gemm(4, 5, 2), 3),
    "two batches, shuffled": Dot((2, 5, 4, 3), (3, 2, 5, 6), (((1,), (2,)), ((0, 3), (1, 0))), Gemm(4, 5, 6), 6),
}


def assert_same(dot: Dot, *fidelities: str) -> None:
    lhs, rhs = jnp.asarray(sparse_integers(0, *dot.lhs)), jnp.asarray(integers(1, *dot.rhs))
    shape = jax.eval_shape(lambda lhs, rhs: lax.dot_general(lhs, rhs, dot.dimension_numbers), lhs, rhs).shape
    cotangent = integers(2, *shape)
    contraction = DotGeneral.of(lhs, rhs, dot.dimension_numbers)
    plain = gradients(lambda lhs, rhs: lax.dot_general(lhs, rhs, dot.dimension_numbers), lhs, rhs, cotangent)
    for fidelity in fidelities:
        emulation = Emulation(ARRAY, fidelity=fidelity)

        def on_array(lhs: Array, rhs: Array, tap: Array, emulation: Emulation = emulation) -> Array:
            return dot_general(lhs, rhs, dot.dimension_numbers, tap, emulation=emulation)

        results, counters = counted(on_array, lhs, rhs, cotangent)
        for got, wanted in zip(results, plain, strict=True):
            np.testing.assert_array_equal(got, wanted)
        assert as_dicts(counters) == gemm_by_gemm(contraction, lhs, rhs, cotangent, emulation)


@pytest.mark.parametrize("dot", DOTS.values(), ids=DOTS.keys())
def test_gradients_are_the_plain_ones_and_counts_those_of_the_gemms(dot: Dot) -> None:
    assert_same(dot, "native", "tile")


def test_register_fidelity() -> None:
    assert_same(DOTS["two batches, shuffled"], "register")


@pytest.mark.parametrize("dot", DOTS.values(), ids=DOTS.keys())
def test_a_batch_element_is_a_gemm(dot: Dot) -> None:
    contraction = DotGeneral.of(jnp.ones(dot.lhs), jnp.ones(dot.rhs), dot.dimension_numbers)
    assert (contraction.gemm, contraction.groups) == (dot.gemm, dot.groups)


HALF, FULL = jnp.bfloat16, jnp.float32


@pytest.mark.parametrize(
    ("types", "preferred", "fidelity"),
    [
        ((HALF, HALF), None, "native"),
        ((HALF, HALF), FULL, "native"),
        ((HALF, HALF), FULL, "tile"),
        ((HALF, FULL), FULL, "native"),
        ((HALF, FULL), FULL, "tile"),
        ((HALF, FULL), FULL, "register"),
        ((jnp.float16, jnp.float16), jnp.float16, "tile"),
    ],
)
def test_types_are_those_of_lax(types: tuple[Any, Any], preferred: Any, fidelity: str) -> None:
    lhs, rhs = jnp.asarray(sparse_integers(0, 3, 4), types[0]), jnp.asarray(integers(1, 4, 5), types[1])

    def plain(lhs: Array, rhs: Array) -> Array:
        return lax.dot_general(lhs, rhs, MATRICES, preferred_element_type=preferred)

    def emulated(lhs: Array, rhs: Array, tap: Array) -> Array:
        emulation = Emulation(ARRAY, fidelity=fidelity)
        return dot_general(lhs, rhs, MATRICES, tap, emulation=emulation, preferred_element_type=preferred)

    cotangent = jnp.asarray(integers(2, 3, 5), jax.eval_shape(plain, lhs, rhs).dtype)
    results, _ = counted(emulated, lhs, rhs, cotangent)
    for got, wanted in zip(results, gradients(plain, lhs, rhs, cotangent), strict=True):
        assert got.dtype == wanted.dtype
        np.testing.assert_array_equal(got, wanted)


def test_precision_reaches_xla() -> None:
    def run(lhs: Array, rhs: Array) -> Array:
        return dot_general(lhs, rhs, MATRICES, new_tap(), emulation=Emulation(ARRAY), precision="highest").sum()

    text = str(jax.make_jaxpr(jax.grad(run, (0, 1)))(jnp.ones((2, 3)), jnp.ones((3, 4))))
    products = text.count("dot_general[")
    assert products == 3
    assert text.count("precision=(Precision.HIGHEST, Precision.HIGHEST)") == products


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(
            lambda: dot_general(jnp.ones((2, 3), int), jnp.ones((3, 4)), MATRICES, new_tap(), emulation=NATIVE),
            "lhs", "int32", "floats",
        ),
        Refusal(
            lambda: dot_general(jnp.ones((2, 3)), jnp.ones((3, 0)), MATRICES, new_tap(), emulation=NATIVE),
            "rhs", "(3, 0)", "at least one element",
        ),
    ],
    ids=lambda refusal: refusal.field,
)  # fmt: skip
def test_refuses(refusal: Refusal) -> None:
    assert_refused(refusal)
