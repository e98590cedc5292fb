"""A whole accelerator: the array and everything around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated

from pydantic import model_validator

from jaxgrad.base.errors import InputError
from jaxgrad.base.schema import Size, Switch, among, described
from jaxgrad.hardware.accelerator import Accelerator
from jaxgrad.hardware.memory import Memory
from jaxgrad.hardware.precision import Precision
from jaxgrad.hardware.technology import Technology
from jaxgrad.hardware.vector import VectorUnit

PARTITIONS: tuple[str, ...] = ("batch", "in_features", "out_features", "best")


@described()
class Machine:
    """What a training step is costed on. What is None is left out of the cost.

    Args:
        array: the array of each core.
        memory: SRAM and DRAM of each core.
        precision: number formats.
        technology: energies and areas; energy needs ``memory`` too.
        vector_unit: for work that is no matrix product.
        zero_gating: whether a MAC with an operand of zero takes no energy.
        cores: cores that share each layer, each with its own array, scratchpad and DRAM channel.
        partition: the axis that cores cut a layer along, one of ``PARTITIONS``; ``best`` chooses for each layer.
        energies: pJ by component and action, in place of the technology's (``hardware.energy_table.load_ert``).

    Raises:
        InputError: they do not go together.

    >>> from jaxgrad import Accelerator, Machine, Memory, Precision, load_technology
    >>> memory, technology = Memory(4 << 20, dram_gb_per_s=100), load_technology("horowitz-45nm")
    >>> Machine(Accelerator(128, 128), memory, Precision.of("bf16"), technology).cores
    1
    """

    array: Accelerator
    memory: Memory | None = None
    precision: Precision = field(default_factory=Precision)
    technology: Technology | None = None
    vector_unit: VectorUnit | None = None
    zero_gating: Switch = False
    cores: Size = 1
    partition: Annotated[str, among(PARTITIONS)] = "batch"
    energies: Mapping[str, Mapping[str, float]] | None = None

    @model_validator(mode="after")
    def _go_together(self) -> Machine:
        if (self.technology or self.energies) and not self.memory:
            remedy = "an access costs by the size of the SRAM, so give both"
            raise InputError("technology", None, remedy, problem="got one without a memory")
        for level in self.memory.levels if self.memory else ():
            if self.cores % level.shared_by:
                remedy = f"give a number that divides machine.cores, {self.cores}"
                raise InputError(f"memory.levels.{level.name}.shared_by", level.shared_by, remedy)
            if self.energies is not None and level.name not in self.energies:
                remedy = f"the energy table has none of it: name one {level.name!r} there, or give a technology"
                raise InputError(f"memory.levels.{level.name}", None, remedy, problem="got no energy")
        if self.cores > 1 and not self.memory:
            remedy = "cores share a layer by its blocks, so give both"
            raise InputError("cores", self.cores, remedy, problem=f"got {self.cores} without a memory")
        return self

    @property
    def level_bytes(self) -> dict[str, int]:
        """Size of each level between scratchpad and DRAM, by name; of all those that the cores share among them."""
        levels = self.memory.levels if self.memory else ()
        return {level.name: level.size_bytes * (self.cores // level.shared_by) for level in levels}
