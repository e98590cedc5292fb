"""What the user describes: the array, its memories, its number formats and its technology. Free of JAX."""

from jaxgrad.hardware.accelerator import Accelerator as Accelerator
from jaxgrad.hardware.level import Level as Level
from jaxgrad.hardware.machine import Machine as Machine
from jaxgrad.hardware.memory import Memory as Memory
from jaxgrad.hardware.memory import PerOperand as PerOperand
from jaxgrad.hardware.precision import FORMATS as FORMATS
from jaxgrad.hardware.precision import Format as Format
from jaxgrad.hardware.precision import Precision as Precision
from jaxgrad.hardware.technology import Technology as Technology
from jaxgrad.hardware.technology_files import PRESETS as PRESETS
from jaxgrad.hardware.technology_files import load_technology as load_technology
from jaxgrad.hardware.vector import VectorUnit as VectorUnit

__all__ = [
    "FORMATS",
    "PRESETS",
    "Accelerator",
    "Format",
    "Level",
    "Machine",
    "Memory",
    "PerOperand",
    "Precision",
    "Technology",
    "VectorUnit",
    "load_technology",
]
