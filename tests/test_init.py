"""The package's face: its names load on first use, so that importing it costs no JAX."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata

import pytest

import jaxgrad
from tests.command import ENVIRONMENT


def imported(statement: str) -> set[str]:
    """The modules that a statement brings to a fresh process."""
    program = f"import sys; before = set(sys.modules); {statement}; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=ENVIRONMENT)
    return set(done.stdout.split())


def test_the_package_alone_takes_nothing_but_python_s_own_library() -> None:
    """What an import takes is others' modules: with none of them it is some hundredths of a second."""
    loaded = imported("import jaxgrad")
    assert "jaxgrad" in loaded
    assert {name for name in loaded if name.partition(".")[0] not in sys.stdlib_module_names} == {"jaxgrad"}
    assert not loaded & {
        "asyncio",
        "email",
        "importlib.metadata",
        "inspect",
        "json",
        "logging",
        "pathlib",
        "subprocess",
    }


def test_a_description_does_not_import_jax() -> None:
    loaded = imported("from jaxgrad import Accelerator, Gemm; Accelerator(2, 3); Gemm(1, 2, 3)")
    assert "jaxgrad.hardware" in loaded
    assert not loaded & {"jax", "jaxlib", "flax", "numpy", "matplotlib"}


def test_the_version_is_that_of_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert jaxgrad.__version__ == metadata.version("jaxgrad")
    assert "__version__" in dir(jaxgrad)

    def lacking(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", lacking)
    assert jaxgrad.__version__ == "0.0"


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
