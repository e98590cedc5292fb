"""Examples in docstrings run as printed, and every public name has one."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import jaxgrad

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(jaxgrad.__path__, "jaxgrad.")
    if not module.name.endswith("__main__")
)


def examples(module: str) -> list[doctest.DocTest]:
    found = doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(module))
    return [test for test in found if test.examples]


def test_examples_run_as_printed() -> None:
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    said: list[str] = []
    for module in MODULES:
        for test in examples(module):
            runner.run(test, out=said.append)
    assert runner.tries > 0
    assert not runner.failures, "".join(said)


@pytest.mark.parametrize("name", jaxgrad.__all__)
def test_a_public_name_has_an_example(name: str) -> None:
    assert ">>>" in (getattr(jaxgrad, name).__doc__ or "")
