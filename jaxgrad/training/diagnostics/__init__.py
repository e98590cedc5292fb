"""What training does, measured: gradients and their noise, curvature, balance of a step, observables of the weights.

The measuring functions are plain functions of ``loss(params, batch)``, of parameters (any pytree of floats) and of
``batches``, a pytree with the axis of the batches in front of each leaf. But for ``sharpness``, which is on the host,
they can be jitted, and ``vmap`` over the parameters of several seeds.
"""

from jaxgrad.training.diagnostics.afterwards import afterwards as afterwards
from jaxgrad.training.diagnostics.balance import Change as Change
from jaxgrad.training.diagnostics.balance import balance as balance
from jaxgrad.training.diagnostics.balance import expected_change as expected_change
from jaxgrad.training.diagnostics.balance import measured_change as measured_change
from jaxgrad.training.diagnostics.balance import sgd_balance as sgd_balance
from jaxgrad.training.diagnostics.curvature import hessian_product as hessian_product
from jaxgrad.training.diagnostics.curvature import rayleigh_quotient as rayleigh_quotient
from jaxgrad.training.diagnostics.curvature import sharpness as sharpness
from jaxgrad.training.diagnostics.descents import mean_descent as mean_descent
from jaxgrad.training.diagnostics.gradients import Loss as Loss
from jaxgrad.training.diagnostics.gradients import Moments as Moments
from jaxgrad.training.diagnostics.gradients import mean_loss as mean_loss
from jaxgrad.training.diagnostics.gradients import mean_square as mean_square
from jaxgrad.training.diagnostics.gradients import moments as moments
from jaxgrad.training.diagnostics.gradients import noise as noise
from jaxgrad.training.diagnostics.gradients import squared_norm as squared_norm
from jaxgrad.training.diagnostics.measuring import Meter as Meter
from jaxgrad.training.diagnostics.observables import Norms as Norms
from jaxgrad.training.diagnostics.observables import distance as distance
from jaxgrad.training.diagnostics.observables import norms as norms
from jaxgrad.training.diagnostics.observables import projections as projections
from jaxgrad.training.diagnostics.of_jobs import meter_of as meter_of
from jaxgrad.training.diagnostics.of_jobs import notes as notes
from jaxgrad.training.diagnostics.recording import Records as Records
from jaxgrad.training.diagnostics.recording import later_means as later_means
from jaxgrad.training.diagnostics.recording import recorded as recorded
from jaxgrad.training.diagnostics.verdict import Verdict as Verdict
from jaxgrad.training.diagnostics.verdict import judge as judge
from jaxgrad.training.diagnostics.words import words as words

__all__ = [
    "Change",
    "Loss",
    "Meter",
    "Moments",
    "Norms",
    "Records",
    "Verdict",
    "afterwards",
    "balance",
    "distance",
    "expected_change",
    "hessian_product",
    "judge",
    "later_means",
    "mean_descent",
    "mean_loss",
    "mean_square",
    "measured_change",
    "meter_of",
    "moments",
    "noise",
    "norms",
    "notes",
    "projections",
    "rayleigh_quotient",
    "recorded",
    "sgd_balance",
    "sharpness",
    "squared_norm",
    "words",
]
