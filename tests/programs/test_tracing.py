"""A trace of a call: arrays are its operands and results, all else stays what it is."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array
from jax.extend.core import jaxpr_as_fun

from jaxgrad.base.errors import InputError
from jaxgrad.programs.tracing import trace, trace_or_refuse

X = jnp.arange(6.0).reshape(2, 3)


def settings(x: Array, options: dict[str, Any]) -> dict[str, Any]:
    assert options["on"] is True
    assert type(options["rate"]) is float
    return {
        "y": options["act"](x[: options["rows"]]) * options["scale"],
        "rate": options["rate"],
        "act": options["act"],
    }


def test_what_is_no_array_goes_through_as_it_is() -> None:
    options = {"on": True, "rate": 0.5, "rows": np.int64(1), "act": jnp.tanh, "scale": np.array([2, 3, 4], np.float32)}
    traced = trace(settings, (X,), {"options": options})
    assert [operand.shape for operand in traced.operands] == [(2, 3), (3,)]
    returned = traced.returned(jaxpr_as_fun(traced.jaxpr)(*traced.operands))
    expected = settings(X, options)
    np.testing.assert_allclose(returned.pop("y"), expected.pop("y"))
    assert returned == expected


def test_shapes_will_do_for_arrays() -> None:
    traced = trace(lambda x: x.sum(), (jax.ShapeDtypeStruct((2, 3), jnp.float32),), {})
    assert [aval.shape for aval in traced.jaxpr.out_avals] == [()]


def test_what_can_not_be_traced() -> None:
    def branching(x: Array) -> Array:
        return x if x.sum() > 0 else -x

    with pytest.raises(InputError, match="got branching, which can't be traced with these arguments"):
        trace_or_refuse(branching, (X,), {})
    with pytest.raises(jax.errors.TracerBoolConversionError):
        trace(branching, (X,), {})
