"""Networks of a few bits: projections of weights, activations with learned resolutions, and how they are trained."""

from jaxgrad.quantization.activations import activation_codes as activation_codes
from jaxgrad.quantization.activations import initial_resolution as initial_resolution
from jaxgrad.quantization.blending import blended as blended
from jaxgrad.quantization.blending import blended_decay as blended_decay
from jaxgrad.quantization.blending import resolution_gradients as resolution_gradients
from jaxgrad.quantization.blending import resolutions_in_range as resolutions_in_range
from jaxgrad.quantization.estimator import Quantized as Quantized
from jaxgrad.quantization.estimator import quantized as quantized
from jaxgrad.quantization.weights import Projected as Projected
from jaxgrad.quantization.weights import project as project

__all__ = [
    "Projected",
    "Quantized",
    "activation_codes",
    "blended",
    "blended_decay",
    "initial_resolution",
    "project",
    "quantized",
    "resolution_gradients",
    "resolutions_in_range",
]
