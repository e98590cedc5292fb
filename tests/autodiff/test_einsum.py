from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxgrad.autodiff.einsum import as_dot_general
from tests.layers import integers

FORMULAS = {
    "ab,bc->ac": ((2, 3), (3, 4)),
    "ab, bc -> ca": ((2, 3), (3, 4)),
    "abc,cd->abd": ((2, 3, 4), (4, 5)),
    "...a,abc->...bc": ((2, 3, 4), (4, 5, 6)),
    "...a,ab->b...": ((2, 3, 4), (4, 5)),
    "bij,bjk->bik": ((2, 3, 4), (2, 4, 5)),
    "bij,jkb->ikb": ((2, 3, 4), (4, 5, 2)),
    "...ij,...jk->...ik": ((2, 6, 3, 4), (2, 6, 4, 5)),
    "abc,cab->": ((2, 3, 4), (4, 2, 3)),
    "a,b->ab": ((2,), (3,)),
    "qhd,khd->hqk": ((2, 3, 4), (5, 3, 4)),
}


@pytest.mark.parametrize(("formula", "shapes"), FORMULAS.items(), ids=FORMULAS.keys())
def test_a_contraction(formula: str, shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    lhs, rhs = (integers(seed, *shape) for seed, shape in enumerate(shapes))
    lowered = as_dot_general(formula, lhs.ndim, rhs.ndim)
    assert lowered is not None
    dimension_numbers, order = lowered
    got = lax.dot_general(jnp.asarray(lhs), jnp.asarray(rhs), dimension_numbers).transpose(order)
    np.testing.assert_array_equal(got, np.einsum(formula, lhs, rhs))


@pytest.mark.parametrize("formula", ["aab,bc->ac", "ab,bc->c", "ab,bcd->ac", "ab,bcc->ac", "ab,bc->aac"])
def test_more_than_a_contraction(formula: str) -> None:
    lhs, rhs = formula.split("->")[0].split(",")
    assert as_dot_general(formula, len(lhs), len(rhs)) is None
