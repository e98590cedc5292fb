"""Estimators by their public names."""

from __future__ import annotations

import doctest
import subprocess
import sys

from jaxgrad import estimators


def test_names() -> None:
    assert all(hasattr(estimators, name) for name in estimators.__all__)
    assert estimators.rad(0.1, "same").keep == 0.1
    assert estimators.exact is estimators.EXACT


def test_the_documented_example() -> None:
    assert doctest.testmod(estimators).failed == 0


def test_the_package_alone_does_not_load_them() -> None:
    subprocess.run([sys.executable, "-c", "import sys, jaxgrad; assert 'jax' not in sys.modules"], check=True)
