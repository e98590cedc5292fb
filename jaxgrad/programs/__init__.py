"""What a training step asks of the hardware, read off a trace of it: no data, no arithmetic.

``gemms`` reads what the array multiplies, ``vector`` all else.
"""

from jaxgrad.programs.gemms import LayerGemm as LayerGemm
from jaxgrad.programs.gemms import Mark as Mark
from jaxgrad.programs.gemms import Phase as Phase
from jaxgrad.programs.gemms import layer_gemms as layer_gemms
from jaxgrad.programs.vector import VectorWork as VectorWork
from jaxgrad.programs.vector import vector_work as vector_work
from jaxgrad.programs.whole import step_gemms as step_gemms

__all__ = ["LayerGemm", "Mark", "Phase", "VectorWork", "layer_gemms", "step_gemms", "vector_work"]
