"""Flax models on the array. NNX is here; the adapter for Linen is ``jaxgrad.flax.linen``."""

from jaxgrad.flax.gradients import layer_gemms as layer_gemms
from jaxgrad.flax.gradients import read_counters as read_counters
from jaxgrad.flax.gradients import step_gemms as step_gemms
from jaxgrad.flax.gradients import step_gemms_and_masks as step_gemms_and_masks
from jaxgrad.flax.gradients import value_and_grad as value_and_grad
from jaxgrad.flax.interception import Learned as Learned
from jaxgrad.flax.interception import Tap as Tap
from jaxgrad.flax.interception import put_on_array as put_on_array
from jaxgrad.flax.layers import parameter_words as parameter_words
from jaxgrad.flax.step_work import StepWork as StepWork
from jaxgrad.flax.step_work import step_work as step_work
from jaxgrad.transform.rules import Rule as Rule

__all__ = [
    "Learned",
    "Rule",
    "StepWork",
    "Tap",
    "layer_gemms",
    "parameter_words",
    "put_on_array",
    "read_counters",
    "step_gemms",
    "step_gemms_and_masks",
    "step_work",
    "value_and_grad",
]
