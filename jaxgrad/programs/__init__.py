"""What a training step asks of the hardware, read off a trace of it: no data, no arithmetic.

``gemms`` reads what the array multiplies, ``vector`` all else, ``graph`` what goes from one product to the next,
``masks`` what is kept of ReLUs.
"""

from jaxgrad.programs.gemms import LayerGemm as LayerGemm
from jaxgrad.programs.graph import INPUT as INPUT
from jaxgrad.programs.graph import OUTPUT as OUTPUT
from jaxgrad.programs.graph import Edge as Edge
from jaxgrad.programs.graph import Graph as Graph
from jaxgrad.programs.graph import Node as Node
from jaxgrad.programs.masks import ReluMask as ReluMask
from jaxgrad.programs.vector import VectorWork as VectorWork
from jaxgrad.programs.vector import vector_work as vector_work
from jaxgrad.programs.whole import step_gemms as step_gemms
from jaxgrad.programs.whole import step_gemms_and_masks as step_gemms_and_masks
from jaxgrad.programs.whole import step_graph as step_graph
from jaxgrad.programs.whole import step_masks as step_masks

__all__ = [
    "INPUT",
    "OUTPUT",
    "Edge",
    "Graph",
    "LayerGemm",
    "Node",
    "ReluMask",
    "VectorWork",
    "step_gemms",
    "step_gemms_and_masks",
    "step_graph",
    "step_masks",
    "vector_work",
]
