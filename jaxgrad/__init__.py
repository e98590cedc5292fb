"""jaxgrad: systolic arrays for training, emulated in JAX.

The public names load on first use, so that ``jaxgrad --help`` need not import JAX.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxgrad.array.counters import Counters as Counters
    from jaxgrad.array.emulation import Emulation as Emulation
    from jaxgrad.array.emulation import backward as backward
    from jaxgrad.array.emulation import count as count
    from jaxgrad.array.emulation import count_forward as count_forward
    from jaxgrad.array.emulation import emulate as emulate
    from jaxgrad.array.emulation import forward as forward
    from jaxgrad.array.gemm import Gemm as Gemm
    from jaxgrad.costs.profiling import Profile as Profile
    from jaxgrad.costs.profiling import profile as profile
    from jaxgrad.hardware import Accelerator as Accelerator
    from jaxgrad.hardware import Machine as Machine
    from jaxgrad.hardware import Memory as Memory
    from jaxgrad.hardware import Precision as Precision
    from jaxgrad.hardware import VectorUnit as VectorUnit
    from jaxgrad.hardware import load_technology as load_technology
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
    "Counters": "jaxgrad.array.counters",
    "Emulation": "jaxgrad.array.emulation",
    "Gemm": "jaxgrad.array.gemm",
    "Machine": "jaxgrad.hardware",
    "Memory": "jaxgrad.hardware",
    "Precision": "jaxgrad.hardware",
    "Profile": "jaxgrad.costs.profiling",
    "VectorUnit": "jaxgrad.hardware",
    "backward": "jaxgrad.array.emulation",
    "count": "jaxgrad.array.emulation",
    "count_forward": "jaxgrad.array.emulation",
    "emulate": "jaxgrad.array.emulation",
    "emulated": "jaxgrad.transform",
    "forward": "jaxgrad.array.emulation",
    "load_technology": "jaxgrad.hardware",
    "profile": "jaxgrad.costs.profiling",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'jaxgrad' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
