"""The hardware that a schedule needs: the slots of its PEs, and the programs that its controller can walk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from jaxgrad.array.dataflows import Dataflow
from jaxgrad.array.mapping import Mapping
from jaxgrad.array.passes.base import Keeps, Pass
from jaxgrad.array.passes.combinators import together
from jaxgrad.array.passes.timeline import Timeline, timeline
from jaxgrad.array.schedules import Schedule
from jaxgrad.base.arithmetic import Integer
from jaxgrad.hardware import Accelerator
from jaxgrad.rtl.datapath import Datapath


class Program(NamedTuple):
    """A mapping as the machine runs it.

    Args:
        mapping: what lies where.
        slots: which of the machine's slots each of its products takes.
    """

    mapping: Mapping
    slots: tuple[int, ...]

    def __str__(self) -> str:
        mapping = self.mapping
        products = ", ".join(f"{product.result} by {product.dataflow.name}" for product in mapping.products)
        return (
            f"{products}; streams {mapping.axes[0]}, rows {mapping.axes[1]}, columns {mapping.axes[2]}; {mapping.order}"
        )


class Machine(NamedTuple):
    """A systolic array in hardware.

    Args:
        array: its size, and whether PEs have shadows.
        datapath: its number format.
        dataflows: of its slots.
        programs: what it can run.
    """

    array: Accelerator
    datapath: Datapath
    dataflows: tuple[Dataflow, ...]
    programs: tuple[Program, ...]

    @property
    def keeps(self) -> tuple[Keeps, ...]:
        return tuple(dataflow.keeps for dataflow in self.dataflows)

    def pass_(self) -> Pass:
        """What its PEs do."""
        return together([dataflow.new_pass() for dataflow in self.dataflows], shadows=self.array.double_buffered)

    def timeline(self, program: Program, streamed: Integer, tiles: tuple[Integer, Integer]) -> Timeline:
        """When the waves of a program start."""
        mapping, shadows = program.mapping, self.array.double_buffered
        return timeline(
            mapping.keeps, mapping.order, streamed, tiles, self.array.rows, self.array.cols, shadows=shadows
        )


def machine_of(schedule: Schedule, array: Accelerator, datapath: Datapath) -> Machine:
    """The machine that runs a schedule, and all that it chooses among.

    >>> from jaxgrad.array import schedules
    >>> from jaxgrad.rtl.datapath import datapath
    >>> machine = machine_of(schedules.find("free"), Accelerator(4, 4), datapath("int8"))
    >>> machine.keeps, len(machine.programs)
    (('operand', 'result'), 8)
    """
    whole = (mapping for member in schedule.members for choice in member.runs for mapping in choice)
    mappings = list(dict.fromkeys(each for one in whole for each in one.alone(shadows=array.double_buffered)))
    dataflows: list[Dataflow] = []
    for mapping in mappings:
        wanted = Counter(product.dataflow for product in mapping.products)
        for dataflow, count in wanted.items():
            dataflows += [dataflow] * (count - dataflows.count(dataflow))
    for mapping in mappings:
        for before, product in zip(mapping.products, mapping.products[1:], strict=False):
            if product.keeps == "nothing":  # last, and after the one whose operand it uses
                dataflows.remove(before.dataflow)
                dataflows.remove(product.dataflow)
                dataflows += [before.dataflow, product.dataflow]
    programs = tuple(Program(mapping, _slots(mapping, dataflows)) for mapping in mappings)
    return Machine(array, datapath, tuple(dataflows), programs)


def _slots(mapping: Mapping, dataflows: Sequence[Dataflow]) -> tuple[int, ...]:
    taken: list[int] = []
    lends = mapping.keeps[-1] == "nothing"
    for product in mapping.products:
        free = [slot for slot, dataflow in enumerate(dataflows) if dataflow == product.dataflow and slot not in taken]
        taken.append(free[-1] if lends else free[0])
    return tuple(taken)
