"""Plots of training steps and design spaces, each written as PNG and SVG; nothing is computed here."""

from jaxgrad.reports.plots.accesses import accesses_by_operand as accesses_by_operand
from jaxgrad.reports.plots.changes import changes as changes
from jaxgrad.reports.plots.choices import choices as choices
from jaxgrad.reports.plots.curves import curves as curves
from jaxgrad.reports.plots.cycles import normalised_cycles as normalised_cycles
from jaxgrad.reports.plots.descents import descents as descents
from jaxgrad.reports.plots.diagonal import Pair as Pair
from jaxgrad.reports.plots.diagonal import diagonal as diagonal
from jaxgrad.reports.plots.energy import energy_by_component as energy_by_component
from jaxgrad.reports.plots.energy import energy_by_phase as energy_by_phase
from jaxgrad.reports.plots.panels import panels as panels
from jaxgrad.reports.plots.pareto import Point as Point
from jaxgrad.reports.plots.pareto import pareto as pareto
from jaxgrad.reports.plots.roofline import Position as Position
from jaxgrad.reports.plots.roofline import positions as positions
from jaxgrad.reports.plots.roofline import roofline as roofline
from jaxgrad.reports.plots.spreads import spreads as spreads
from jaxgrad.reports.plots.sweep import Samples as Samples
from jaxgrad.reports.plots.sweep import sweep as sweep
from jaxgrad.reports.plots.utilisation import utilisation_by_layer as utilisation_by_layer

__all__ = [
    "Pair",
    "Point",
    "Position",
    "Samples",
    "accesses_by_operand",
    "changes",
    "choices",
    "curves",
    "descents",
    "diagonal",
    "energy_by_component",
    "energy_by_phase",
    "normalised_cycles",
    "panels",
    "pareto",
    "positions",
    "roofline",
    "spreads",
    "sweep",
    "utilisation_by_layer",
]
