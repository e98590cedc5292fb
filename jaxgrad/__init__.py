"""jaxgrad: systolic arrays for training, emulated in JAX.

The public names load on first use, so that ``jaxgrad --help`` need not import JAX.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxgrad.counters import Counters as Counters
    from jaxgrad.emulation import Emulation as Emulation
    from jaxgrad.emulation import backward as backward
    from jaxgrad.emulation import count as count
    from jaxgrad.emulation import count_forward as count_forward
    from jaxgrad.emulation import emulate as emulate
    from jaxgrad.emulation import forward as forward
    from jaxgrad.gemm import Gemm as Gemm
    from jaxgrad.hardware import Accelerator as Accelerator
    from jaxgrad.hardware import Machine as Machine
    from jaxgrad.hardware import Memory as Memory
    from jaxgrad.hardware import Precision as Precision
    from jaxgrad.hardware import VectorUnit as VectorUnit
    from jaxgrad.hardware import load_technology as load_technology
    from jaxgrad.profiling import Profile as Profile
    from jaxgrad.profiling import profile as profile
    from jaxgrad.transform import emulated as emulated

__version__ = "0.1.0"

__all__ = [
    "Accelerator",
    "Counters",
    "Emulation",
    "Gemm",
    "Machine",
    "Memory",
    "Precision",
    "Profile",
    "VectorUnit",
    "backward",
    "count",
    "count_forward",
    "emulate",
    "emulated",
    "forward",
    "load_technology",
    "profile",
]
_HOMES = {
    "Accelerator": "jaxgrad.hardware",
    "Counters": "jaxgrad.counters",
    "Emulation": "jaxgrad.emulation",
    "Gemm": "jaxgrad.gemm",
    "Machine": "jaxgrad.hardware",
    "Memory": "jaxgrad.hardware",
    "Precision": "jaxgrad.hardware",
    "Profile": "jaxgrad.profiling",
    "VectorUnit": "jaxgrad.hardware",
    "backward": "jaxgrad.emulation",
    "count": "jaxgrad.emulation",
    "count_forward": "jaxgrad.emulation",
    "emulate": "jaxgrad.emulation",
    "emulated": "jaxgrad.transform",
    "forward": "jaxgrad.emulation",
    "load_technology": "jaxgrad.hardware",
    "profile": "jaxgrad.profiling",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'jaxgrad' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
