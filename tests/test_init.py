"""The package's face: its names load on first use, so that importing it costs no JAX."""

from __future__ import annotations

import subprocess
import sys

import pytest

import jaxgrad


@pytest.mark.parametrize(
    "statement",
    ["import jaxgrad", "from jaxgrad import Accelerator, Gemm; Accelerator(2, 3); Gemm(1, 2, 3)"],
)
def test_a_fresh_process_does_not_import_jax(statement: str) -> None:
    heavy = "('jax', 'jaxlib', 'flax', 'numpy', 'matplotlib')"
    program = f"{statement}; import sys; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_there() -> None:
    assert {name for name in jaxgrad.__all__ if getattr(jaxgrad, name, None) is None} == set()
    assert set(jaxgrad.__all__) <= set(dir(jaxgrad))


def test_an_unknown_name_is_an_attribute_error() -> None:
    name = "acelerator"
    with pytest.raises(AttributeError, match="no attribute 'acelerator'"):
        getattr(jaxgrad, name)


def test_an_old_name_still_works_and_says_the_new_one() -> None:
    with pytest.warns(DeprecationWarning, match=r"jaxgrad\.emulated is now jaxgrad\.emulate_function"):
        old = jaxgrad.emulated
    assert old is jaxgrad.emulate_function
    assert "emulated" not in jaxgrad.__all__
