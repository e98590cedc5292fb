"""jaxgrad: systolic arrays for training, emulated in JAX.

The public names load on first use, so that ``jaxgrad --help`` need not import JAX; so does ``__version__``, which the
installed package has from its build.
"""

from __future__ import annotations

import importlib
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxgrad.array.counters import Counters as Counters
    from jaxgrad.array.counting import count as count
    from jaxgrad.array.counting import count_forward as count_forward
    from jaxgrad.array.emulation import Emulation as Emulation
    from jaxgrad.array.emulation import backward as backward
    from jaxgrad.array.emulation import emulate as emulate
    from jaxgrad.array.emulation import forward as forward
    from jaxgrad.array.gemm import Gemm as Gemm
    from jaxgrad.autodiff import LayerCounters as LayerCounters
    from jaxgrad.costs import StepCost as StepCost
    from jaxgrad.costs.profiling import Profile as Profile
    from jaxgrad.costs.profiling import profile as profile
    from jaxgrad.hardware import Accelerator as Accelerator
    from jaxgrad.hardware import Machine as Machine
    from jaxgrad.hardware import Memory as Memory
    from jaxgrad.hardware import Precision as Precision
    from jaxgrad.hardware import VectorUnit as VectorUnit
    from jaxgrad.hardware import load_technology as load_technology
    from jaxgrad.programs import LayerGemm as LayerGemm
    from jaxgrad.transform import Rule as Rule
    from jaxgrad.transform import Rules as Rules
    from jaxgrad.transform import Tally as Tally
    from jaxgrad.transform import emulate_function as emulate_function

    __version__: str

__all__ = [
    "Accelerator",
    "Counters",
    "Emulation",
    "Gemm",
    "LayerCounters",
    "LayerGemm",
    "Machine",
    "Memory",
    "Precision",
    "Profile",
    "Rule",
    "Rules",
    "StepCost",
    "Tally",
    "VectorUnit",
    "backward",
    "count",
    "count_forward",
    "emulate",
    "emulate_function",
    "forward",
    "load_technology",
    "profile",
]
_HOMES = {
    "Accelerator": "jaxgrad.hardware",
    "Counters": "jaxgrad.array.counters",
    "Emulation": "jaxgrad.array.emulation",
    "Gemm": "jaxgrad.array.gemm",
    "LayerCounters": "jaxgrad.autodiff",
    "LayerGemm": "jaxgrad.programs",
    "Machine": "jaxgrad.hardware",
    "Memory": "jaxgrad.hardware",
    "Precision": "jaxgrad.hardware",
    "Profile": "jaxgrad.costs.profiling",
    "Rule": "jaxgrad.transform",
    "Rules": "jaxgrad.transform",
    "StepCost": "jaxgrad.costs",
    "Tally": "jaxgrad.transform",
    "VectorUnit": "jaxgrad.hardware",
    "backward": "jaxgrad.array.emulation",
    "count": "jaxgrad.array.counting",
    "count_forward": "jaxgrad.array.counting",
    "emulate": "jaxgrad.array.emulation",
    "emulate_function": "jaxgrad.transform",
    "forward": "jaxgrad.array.emulation",
    "load_technology": "jaxgrad.hardware",
    "profile": "jaxgrad.costs.profiling",
}
_RENAMED = {"emulated": "emulate_function"}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name in _RENAMED:
        warnings.warn(f"jaxgrad.{name} is now jaxgrad.{_RENAMED[name]}", DeprecationWarning, stacklevel=2)
        name = _RENAMED[name]
    if name not in _HOMES:
        raise AttributeError(f"module 'jaxgrad' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*globals(), "__version__", *__all__]


def _version() -> str:
    from importlib import metadata

    try:
        return metadata.version("jaxgrad")
    except metadata.PackageNotFoundError:  # run from a checkout that is not installed
        return "0.0"
