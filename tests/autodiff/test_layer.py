"""jaxgrad.autodiff.layer: what an estimator may ask of the array that ``exact`` does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from jaxgrad import Accelerator, Emulation, Gemm, count
from jaxgrad.array.emulation import FIDELITIES
from jaxgrad.autodiff import dot_general, new_tap, read_tap
from jaxgrad.autodiff.convolution import ConvGeneralDilated
from jaxgrad.autodiff.dot_general import DotGeneral, first_columns
from jaxgrad.autodiff.estimators import EXACT, Estimator, describe
from jaxgrad.autodiff.layer import GemmRun
from jaxgrad.base.errors import InputError
from tests.autodiff.estimators.own import First
from tests.layers import NHWC, integers, sparse_integers

GROUPS, ROWS, COLUMNS, OUT = 2, 4, 6, 5
NUMBERS = (((2,), (1,)), ((0,), (0,)))
X, W = (jnp.asarray(sparse_integers(0, GROUPS, ROWS, COLUMNS)), jnp.asarray(integers(1, GROUPS, COLUMNS, OUT)))
DY = jnp.asarray(sparse_integers(2, GROUPS, ROWS, OUT))
CONTRACTION = DotGeneral.of(X, W, NUMBERS)
EMULATION = Emulation(Accelerator(2, 3), "interleaved", weight_update="in_array")


def gradients(estimator: Estimator, emulation: Emulation, x: Array = X, w: Array = W, dy: Array = DY) -> Any:
    _, transpose = jax.vjp(
        lambda x, w, tap: dot_general(x, w, NUMBERS, tap, emulation=emulation, estimator=estimator), x, w, new_tap()
    )
    dx, dw, tap = transpose(dy)
    return dx, dw, read_tap(tap).backward.as_dict()


@pytest.mark.parametrize(("columns", "fidelities"), [(1, ("native",)), (4, FIDELITIES)])
def test_the_first_columns_of_each_group(columns: int, fidelities: tuple[str, ...]) -> None:
    """Every fidelity gives the same; and the counts are those of the description, but for zeros."""
    dx, dw = np.einsum("gbn,gkn->gbk", DY, W), np.einsum("gbk,gbn->gkn", X, DY)
    dw[:, columns:] = 0
    results = [gradients(First(columns), replace(EMULATION, fidelity=fidelity)) for fidelity in fidelities]
    for of_x, of_w, counts in results:
        np.testing.assert_array_equal(of_x, dx)
        np.testing.assert_array_equal(of_w, dw)
        assert counts == results[0][2]
    of_x, of_w, of_dy = (np.not_equal(tensor, 0).astype(int) for tensor in (X[..., :columns], W, DY))
    met = np.einsum("gbn,gkn->", of_dy, of_w) + np.einsum("gbk,gbn->", of_x, of_dy)
    told = describe(First(columns), CONTRACTION)
    assert told.backward == (GemmRun(Gemm(ROWS, COLUMNS, OUT), GROUPS, ("dx", "dw"), columns=columns),)
    assert results[0][2] == told.count(EMULATION).backward.as_dict() | {"effectual_macs": int(met)}
    assert told.stored_words == GROUPS * ROWS * columns


def test_the_update_of_a_dw_of_some_columns_is_counted_apart() -> None:
    (run,) = describe(First(4), CONTRACTION).backward
    alone = count(run.gemm, EMULATION.array, "interleaved", columns=4).as_dict()
    counts = gradients(First(4), EMULATION)[2]
    assert counts["w_writes"] == GROUPS * COLUMNS * OUT
    assert counts["dw_writes"] == GROUPS * alone["dw_writes"]


def test_all_columns_are_the_layer() -> None:
    assert describe(First(COLUMNS), CONTRACTION) == describe(EXACT, CONTRACTION)
    assert gradients(First(COLUMNS), EMULATION)[2] == gradients(EXACT, EMULATION)[2]


def test_one_gradient_of_the_first_columns() -> None:
    gemm = Gemm(ROWS, COLUMNS, OUT)
    assert describe(First(4), CONTRACTION, dw=False).backward == (GemmRun(gemm, GROUPS, ("dx",)),)
    assert describe(First(4), CONTRACTION, dx=False).backward == (GemmRun(gemm, GROUPS, ("dw",), columns=4),)


def test_what_has_no_such_columns_is_refused() -> None:
    image = ConvGeneralDilated.of(
        jnp.ones((1, 3, 3, 2)), jnp.ones((2, 2, 2, 2)), (1, 1), "VALID", dimension_numbers=NHWC
    )
    both_axes = DotGeneral.of(jnp.ones((2, 3, 4)), jnp.ones((3, 4, 5)), (((1, 2), (0, 1)), ((), ())))
    for contraction, columns, remedy in (
        (CONTRACTION, 0, "at least 1"),
        (CONTRACTION, COLUMNS + 1, f"at most {COLUMNS}"),
        (image, 1, "a DotGeneral along one axis"),
        (both_axes, 1, "a DotGeneral along one axis"),
    ):
        with pytest.raises(InputError, match=remedy) as raised:
            first_columns(contraction, columns)
        assert raised.value.field == "columns"
    assert first_columns(image, 8) is image
