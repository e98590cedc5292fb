"""A whole accelerator: the array and everything around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jaxgrad.base.errors import InputError, boolean, one_of, positive_integer
from jaxgrad.hardware.accelerator import Accelerator
from jaxgrad.hardware.memory import Memory
from jaxgrad.hardware.precision import Precision
from jaxgrad.hardware.technology import Technology
from jaxgrad.hardware.vector import VectorUnit

PARTITIONS: tuple[str, ...] = ("batch", "in_features", "out_features", "best")


@dataclass(frozen=True)
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
        ValueError: they do not go together.
    """

    array: Accelerator
    memory: Memory | None = None
    precision: Precision = field(default_factory=Precision)
    technology: Technology | None = None
    vector_unit: VectorUnit | None = None
    zero_gating: bool = False
    cores: int = 1
    partition: str = "batch"
    energies: Mapping[str, Mapping[str, float]] | None = None

    def __post_init__(self) -> None:
        boolean("zero_gating", self.zero_gating)
        one_of("partition", self.partition, PARTITIONS)
        object.__setattr__(self, "cores", positive_integer("cores", self.cores))
        if (self.technology or self.energies) and not self.memory:
            raise InputError(
                "technology",
                None,
                "an access costs by the size of the SRAM, so give both",
                problem="got one without a memory",
            )
        if self.cores > 1 and not self.memory:
            raise InputError(
                "cores",
                self.cores,
                "cores share a layer by its blocks, so give both",
                problem=f"got {self.cores} without a memory",
            )
