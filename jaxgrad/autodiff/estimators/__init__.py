"""Estimators: how a layer's product and its gradients are computed, what is kept between them, and what that takes."""

from jaxgrad.autodiff.estimators.base import Codes as Codes
from jaxgrad.autodiff.estimators.base import Estimator as Estimator
from jaxgrad.autodiff.estimators.base import OfAnother as OfAnother
from jaxgrad.autodiff.estimators.base import Saved as Saved
from jaxgrad.autodiff.estimators.description import Description as Description
from jaxgrad.autodiff.estimators.description import describe as describe
from jaxgrad.autodiff.estimators.elementwise import sampled_product as sampled_product
from jaxgrad.autodiff.estimators.exact import EXACT as EXACT
from jaxgrad.autodiff.estimators.exact import Exact as Exact
from jaxgrad.autodiff.estimators.rad import Rad as Rad
from jaxgrad.autodiff.estimators.rad import rad as rad
from jaxgrad.autodiff.estimators.rounded import Rounded as Rounded
from jaxgrad.autodiff.estimators.rounded import rounded as rounded
from jaxgrad.autodiff.estimators.stored import StoredWords as StoredWords
from jaxgrad.autodiff.estimators.stored import stored_words as stored_words

__all__ = [
    "EXACT",
    "Codes",
    "Description",
    "Estimator",
    "Exact",
    "OfAnother",
    "Rad",
    "Rounded",
    "Saved",
    "StoredWords",
    "describe",
    "rad",
    "rounded",
    "sampled_product",
    "stored_words",
]
