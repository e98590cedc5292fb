"""Estimators of a layer's gradients, by the names that users know: what ``Rule`` and ``jaxgrad train`` take.

``sampled_product`` is no layer's: a product element by element, with RAD's gradient.

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
    sampled_product,
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
    "sampled_product",
    "stored_words",
]

exact = EXACT
