"""``emulated(fn)``: a transformation of any JAX function that runs its GEMMs on the array, and counts."""

from jaxgrad.transform.api import Emulated as Emulated
from jaxgrad.transform.api import emulated as emulated
from jaxgrad.transform.rules import Rule as Rule
from jaxgrad.transform.tally import Tally as Tally

__all__ = ["Emulated", "Rule", "Tally", "emulated"]
