"""The line of an equation: the innermost one of the user's program."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax.extend.core import JaxprEqn

from jaxgrad.programs.lines import installed, of_library, where


def equation(function: Any) -> JaxprEqn:
    return jax.make_jaxpr(function)(jnp.ones((2, 2))).eqns[0]


def from_file(file: str) -> Any:
    """A function of a file, at its second line, that calls what it is given."""
    scope: dict[str, Any] = {}
    exec(compile("def call(function, x):\n    return function(x)\n", file, "exec"), scope)
    return scope["call"]


def test_a_line_of_the_program() -> None:
    def product(x: Any) -> Any:
        return x @ x

    _, first = inspect.getsourcelines(product)
    assert where(equation(product)) == f"test_lines.py:{first + 1}"
    assert not of_library(equation(product))


@pytest.mark.parametrize("folder", ["/a b/site-packages/library", "/usr/lib/python3/dist-packages"])
def test_a_line_that_calls_a_library(folder: str) -> None:
    library, program = from_file(f"{folder}/layers.py"), from_file("/home/me (1)/my: train.py")
    found = equation(lambda x: program(lambda x: library(jnp.sin, x), x))
    assert (where(found), of_library(found)) == (f"test_lines.py:{_line(found)}", True)
    found = equation(lambda x: program(jnp.sin, x))
    assert (where(found), of_library(found)) == ("my: train.py:2", False)


def test_what_a_library_jits_has_the_line_of_its_call() -> None:
    library, program = from_file("/usr/site-packages/library/layers.py"), from_file("/home/me/train.py")
    jitted = jax.jit(functools.partial(library, jnp.sin))
    call = equation(lambda x: program(jitted, x))
    (inner,) = call.params["jaxpr"].eqns
    assert where(inner) == "layers.py:2"  # JAX knows no more
    assert where(inner, [call]) == "train.py:2"


def _line(found: JaxprEqn) -> int:
    """The line of this file that leads to an equation."""
    assert found.source_info.traceback is not None
    frames = found.source_info.traceback.frames
    return next(frame.line_num for frame in frames if frame.file_name == __file__)


def test_what_is_installed() -> None:
    assert installed(jax.__file__)
    assert installed(inspect.__file__)
    assert installed(inspect.getfile(where))
    assert not installed(__file__)


def test_an_equation_without_a_source_is_called_what_it_is() -> None:
    source = equation(jnp.sin).source_info
    assert where(equation(jnp.sin).replace(source_info=type(source)(None, source.name_stack))) == "sin"
