"""What a training step costs under each schedule: the one door to the costs, for the CLI, experiments and reports."""

from jaxgrad.array.counts import CYCLES as CYCLES
from jaxgrad.array.counts import STALLS as STALLS
from jaxgrad.array.counts import Key as Key
from jaxgrad.array.counts import by_name as by_name
from jaxgrad.array.schedules import BASELINES as BASELINES
from jaxgrad.array.schedules import TRAINING_SCHEDULES as TRAINING_SCHEDULES
from jaxgrad.costs.measurements import measured as measured
from jaxgrad.costs.measurements import repeated as repeated
from jaxgrad.costs.measurements import sparse as sparse
from jaxgrad.costs.memories import Activity as Activity
from jaxgrad.costs.memories import MemoryLevel as MemoryLevel
from jaxgrad.costs.memories import activities as activities
from jaxgrad.costs.memories import energies_pj as energies_pj
from jaxgrad.costs.memories import memory_levels as memory_levels
from jaxgrad.costs.records import Counts as Counts
from jaxgrad.costs.records import LayerCost as LayerCost
from jaxgrad.costs.records import Phase as Phase
from jaxgrad.costs.records import StepCost as StepCost
from jaxgrad.costs.records import VectorCost as VectorCost
from jaxgrad.costs.records import accesses as accesses
from jaxgrad.costs.records import dram_accesses as dram_accesses
from jaxgrad.costs.records import time_cycles as time_cycles
from jaxgrad.costs.steps import step_cost as step_cost
from jaxgrad.costs.summary import LayerSummary as LayerSummary
from jaxgrad.costs.summary import PhaseSummary as PhaseSummary
from jaxgrad.costs.summary import Summary as Summary
from jaxgrad.costs.summary import summary as summary
from jaxgrad.costs.summary import sums as sums

__all__ = [
    "BASELINES",
    "CYCLES",
    "STALLS",
    "TRAINING_SCHEDULES",
    "Activity",
    "Counts",
    "Key",
    "LayerCost",
    "LayerSummary",
    "MemoryLevel",
    "Phase",
    "PhaseSummary",
    "StepCost",
    "Summary",
    "VectorCost",
    "accesses",
    "activities",
    "by_name",
    "dram_accesses",
    "energies_pj",
    "measured",
    "memory_levels",
    "repeated",
    "sparse",
    "step_cost",
    "summary",
    "sums",
    "time_cycles",
]
