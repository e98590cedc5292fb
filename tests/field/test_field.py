"""Programs in the style of other people's libraries: their values, their MACs, and what was not emulated."""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

from jaxgrad import Accelerator, Emulation, emulate_function
from tests.field import walk
from tests.field.program import Program

# The file of programs/, and the module that has to be there for it.
STYLES = {
    "plain_jax": "jax",
    "equinox_style": "equinox",
    "haiku_style": "haiku",
    "linen_style": "flax",
    "nnx_style": "flax",
    "keras_style": "keras",
    "diffrax_style": "diffrax",
    "optax_style": "optax",
    "tinygp_style": "tinygp",
    "penzai_style": "penzai",
}


def _programs() -> list[Any]:
    programs: list[Any] = []
    for style, needs in STYLES.items():
        if importlib.util.find_spec(needs) is None:
            reason = f"{needs} is not installed: pip install 'jaxgrad[field]'"
            programs.append(pytest.param(None, id=style, marks=pytest.mark.skip(reason=reason)))
            continue
        module = importlib.import_module(f"tests.field.programs.{style}")
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == module.__name__ and not name.startswith("_"):
                programs.append(pytest.param(function, id=f"{style}-{name}"))
    return programs


@pytest.mark.parametrize("make", _programs())
def test_values_macs_and_what_is_left(make: Callable[[], Program]) -> None:
    function, args, left, lapack = make()
    expected, met = walk.products(function, *args)
    out, tally = emulate_function(function, Emulation(Accelerator(4, 4)))(*args)
    _assert_close(out, expected)
    _assert_close(out, function(*args))
    outside = [product for product in met if product[:2] in left]
    assert {key: sum(product.macs for product in outside if product[:2] == key) for key in left} == left
    assert tally.total.as_dict()["macs"] == sum(product.macs for product in met) - sum(left.values())
    notes = [note for note in tally.notes if "left to XLA" in note]
    assert len(notes) >= len(left) + len(lapack)
    assert bool(notes) == bool(left or lapack)
    assert all(any(name in note for note in notes) for name in lapack)
    assert all(any(primitive in note and dtype in note for note in notes) for primitive, dtype in left)


def _assert_close(out: Any, expected: Any) -> None:
    assert jax.tree.structure(out) == jax.tree.structure(expected)
    for one, other in zip(jax.tree.leaves(out), jax.tree.leaves(expected), strict=True):
        assert isinstance(one, jax.Array) == isinstance(other, jax.Array)
        if isinstance(one, jax.Array):
            assert one.dtype == other.dtype
            np.testing.assert_allclose(one, other, rtol=2e-4, atol=1e-5)
