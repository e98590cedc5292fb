"""``emulate_function(fn)``: a transformation of any JAX function that runs its GEMMs on the array, and counts."""

from jaxgrad.transform.api import Emulated as Emulated
from jaxgrad.transform.api import emulate_function as emulate_function
from jaxgrad.transform.rules import Rule as Rule
from jaxgrad.transform.rules import Rules as Rules
from jaxgrad.transform.tally import Tally as Tally

__all__ = ["Emulated", "Rule", "Rules", "Tally", "emulate_function"]
