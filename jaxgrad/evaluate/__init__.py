"""What a training step costs under each schedule: the one door to the costs, for the CLI, experiments and reports."""

from jaxgrad.evaluate.measurements import measured as measured
from jaxgrad.evaluate.measurements import sparse as sparse
from jaxgrad.evaluate.records import Counts as Counts
from jaxgrad.evaluate.records import LayerCost as LayerCost
from jaxgrad.evaluate.records import StepCost as StepCost
from jaxgrad.evaluate.records import VectorCost as VectorCost
from jaxgrad.evaluate.records import accesses as accesses
from jaxgrad.evaluate.records import dram_accesses as dram_accesses
from jaxgrad.evaluate.records import time_cycles as time_cycles
from jaxgrad.evaluate.steps import BASELINES as BASELINES
from jaxgrad.evaluate.steps import TRAINING_SCHEDULES as TRAINING_SCHEDULES
from jaxgrad.evaluate.steps import step_cost as step_cost
from jaxgrad.evaluate.summary import LayerSummary as LayerSummary
from jaxgrad.evaluate.summary import PhaseSummary as PhaseSummary
from jaxgrad.evaluate.summary import Summary as Summary
from jaxgrad.evaluate.summary import summary as summary

__all__ = [
    "BASELINES",
    "TRAINING_SCHEDULES",
    "Counts",
    "LayerCost",
    "LayerSummary",
    "PhaseSummary",
    "StepCost",
    "Summary",
    "VectorCost",
    "accesses",
    "dram_accesses",
    "measured",
    "sparse",
    "step_cost",
    "summary",
    "time_cycles",
]
