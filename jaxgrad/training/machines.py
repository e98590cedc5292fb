"""The machine that a training run is costed on: its section of the configuration, and what its steps take there.

The run's record has the whole machine, with what the files that it names say in their place: a run that goes on needs
none of them, and is compared with what it began on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxgrad.array.emulation import Emulation
from jaxgrad.array.rounding import check_computes
from jaxgrad.autodiff.estimators.asked import Estimators
from jaxgrad.base.errors import InputError
from jaxgrad.costs import StepCost, step_cost, sums
from jaxgrad.hardware import files
from jaxgrad.hardware.files import MachineSection
from jaxgrad.programs import LayerGemm, ReluMask, VectorWork
from jaxgrad.training.sections import EmulationSection

PRECISION = "machine"
"""Of a run, where operands are rounded to the machine's formats; the default of one on a machine."""

_ARRAY = ("rows", "cols", "double_buffered")


def read(tree: Mapping[str, Any], file: Path) -> dict[str, Any]:
    """The table ``[machine]`` of a configuration's file, with what the files that it names say in their place.

    Raises:
        InputError: something in it will not do.
    """
    return files.table(files.inlined(files.read(tree, str(file)), file))


def written(tree: Mapping[str, Any], section: MachineSection) -> dict[str, Any]:
    """A configuration's tables with the machine's, which has the array too."""
    return {name: keys for name, keys in tree.items() if name != "array"} | {"machine": files.table(section)}


def flat(section: MachineSection) -> dict[str, Any]:
    """A machine's values by their keys, those of tables in it by ``memory.dram_gb_per_s`` and the like."""
    return _flat(files.table(section))


def _flat(tree: Mapping[str, Any]) -> dict[str, Any]:
    leaves: dict[str, Any] = {}
    for key, value in tree.items():
        inner = {f"{key}.{name}": leaf for name, leaf in _flat(value).items()} if isinstance(value, Mapping) else {}
        leaves |= inner or {key: value}
    return leaves


def filled_in(values: Any) -> Any:
    """A configuration with what its machine decides: the array, and the precision unless it is given."""
    if not isinstance(values, Mapping) or not isinstance(values.get("machine"), Mapping | MachineSection):
        return values
    section, array = values["machine"], values.get("array", {})
    if isinstance(section, Mapping):
        section = files.read(values)
    for key, value in array.items() if isinstance(array, Mapping) else ():
        problem = f"got {value!r} and a machine"
        raise InputError(f"array.{key}", value, "the machine has it: leave one of the two out", problem=problem)
    emulation = values.get("emulation", {})
    if isinstance(emulation, Mapping):
        emulation = {"precision": PRECISION, **emulation}
    array = {key: getattr(section, key) for key in _ARRAY}
    return {**values, "machine": section, "array": array, "emulation": emulation}


def check(section: MachineSection | None, emulation: EmulationSection) -> None:
    """Refuses a machine that can't be built or computed on.

    Raises:
        InputError: its parts do not go together, or the run computes in its formats, and can't.
    """
    if section is not None:
        files.build_inlined(section)
    if emulation.precision != PRECISION:
        return
    if section is None:
        remedy = "there is no machine: give one, or choose among own, fp32, bf16 and fp16"
        raise InputError("emulation.precision", PRECISION, remedy)
    try:
        check_computes(section.precision)
    except InputError as error:
        remedy = f"{error.remedy}: give emulation.precision = 'own' to take the machine's formats for costs alone"
        raise InputError(f"machine.{error.field}", error.value, remedy) from None


def one_step(
    section: MachineSection,
    layers: Sequence[LayerGemm],
    emulation: Emulation,
    schedules: Sequence[str],
    *,
    vector_work: Sequence[VectorWork],
    masks: Sequence[ReluMask],
    estimator: Estimators,
) -> StepCost:
    """What a step takes on the machine, from shapes alone; see ``costs.step_cost``.

    Raises:
        InputError: a layer does not fit into the machine's memory.
    """
    machine = files.build_inlined(section)
    work = {"vector_work": vector_work, "masks": masks, "estimator": estimator}
    return step_cost(layers, emulation, schedules, machine=machine, **work)


def told(section: MachineSection | None, cost: StepCost | None) -> dict[str, Any]:
    """What ``counters.json`` has of a machine: itself, all that the run's steps take on it, and sums by schedule."""
    if section is None or cost is None:
        return {}
    return {"machine": files.table(section), "on_machine": {**cost.as_dict(), "step": sums(cost, "step")}}
