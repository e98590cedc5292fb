"""Estimators of a layer's gradients, by the names that users know: what ``Rule`` and ``jaxgrad train`` take.

>>> from jaxgrad import Accelerator, Emulation, Rule
>>> from jaxgrad.estimators import EXACT, rad
>>> array = Emulation(Accelerator(8, 8))
>>> rules = [Rule("head", array, EXACT), Rule("*", array, rad(0.1, "same"))]
"""

from jaxgrad.autodiff.estimators import (
    EXACT,
    Description,
    Estimator,
    Saved,
    StoredWords,
    describe,
    rad,
    rounded,
    stored_words,
)

__all__ = [
    "EXACT",
    "Description",
    "Estimator",
    "Saved",
    "StoredWords",
    "describe",
    "exact",
    "rad",
    "rounded",
    "stored_words",
]

exact = EXACT
