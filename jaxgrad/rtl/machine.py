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
from jaxgrad.rtl.pe import Carried, Kind, carried


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

    @property
    def links(self) -> tuple[Carried, ...]:
        """For each slot, what its links and its chain carry: as wide as the widest operand of any program."""
        slots = range(len(self.dataflows))
        return tuple(carried(self.keeps[slot], *map(self.datapath.kind_of, self._operands(slot))) for slot in slots)

    @property
    def ports(self) -> dict[str, Kind]:
        """What the ports of operands carry: ``h`` from the left, ``v`` from the top, ``load`` what stays."""
        streams: set[str] = set()
        tops: dict[str, set[str]] = {}
        for slot, kept in enumerate(self.keeps):
            stream, own = self._operands(slot)
            streams |= stream
            tops["load" if kept == "operand" else "v"] = tops.get("load" if kept == "operand" else "v", set()) | own
        return {port: self.datapath.kind_of(tensors) for port, tensors in ({"h": streams} | tops).items()}

    def _operands(self, slot: int) -> tuple[set[str], set[str]]:
        """The tensors that stream from the left in a slot, and those that are its own operand, in all programs."""
        taken = [(each.mapping, each.slots.index(slot)) for each in self.programs if slot in each.slots]
        return {mapping.stream[0] for mapping, _ in taken}, {mapping.operand(index)[0] for mapping, index in taken}

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
