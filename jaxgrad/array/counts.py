"""What is counted, as values: on which level, of which tensor, doing what.

A count's name is for output alone (``Key.name``): nothing builds one to look a count up, and nothing reads one back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from jaxgrad.base.arithmetic import Integer

ARRAY, PE, VECTOR, SRAM, DRAM = "array", "pe", "vector", "sram", "dram"
"""Levels: the array as a whole, its PEs, the vector unit, the scratchpad that feeds them, and what is behind it."""

READS, WRITES, HOPS, WORDS = "reads", "writes", "hops", "words"
"""What a tensor does on a level: words that are read and written, or either; and moves from PE to PE."""

FILLS, WRITE_BACKS = "fills", "write_backs"
"""On a level between scratchpad and DRAM: words that come from outside of it, and go there. Reads and writes are those
of the memories inside it."""

PORT_ACCESSES = "accesses"
"""On a level that has a width: how often it is read or written, each time as many bits as it is wide."""

_UNSAID = (ARRAY, PE, SRAM)


class Key(NamedTuple):
    """What one counter counts.

    Args:
        level: one of those above, or a memory between scratchpad and DRAM by its name.
        tensor: what is moved: one of ``TENSORS``, ``acc`` (a sum in its PE) or ``vector`` (whatever the vector unit
            works on); empty where nothing is. Of stalls the memory that is waited for, empty for all together.
        action: what is done.

    >>> Key(DRAM, "w", READS).name, Key(SRAM, "w", READS).name, CYCLES.name
    ('dram_w_reads', 'w_reads', 'cycles')
    """

    level: str
    tensor: str
    action: str

    @property
    def name(self) -> str:
        """As tables, JSON and CSV spell it; on the chip the level goes without saying."""
        level = "" if self.level in _UNSAID else self.level
        return "_".join(part for part in (level, self.tensor, self.action) if part)

    @property
    def column(self) -> str:
        """As a table of its own has it: with the unit of what is no number of events.

        >>> Key(DRAM, "w", READS).column, CYCLES.column
        ('dram_w_reads_words', 'cycles')
        """
        return f"{self.name}_words" if self.is_access and self.action != WORDS else self.name

    @property
    def is_access(self) -> bool:
        """Whether words pass a memory."""
        return self.action in (READS, WRITES, WORDS, FILLS, WRITE_BACKS)


Counts = Mapping[Key, Integer]
"""How often each thing happened; what is left out did not."""

CYCLES = Key(ARRAY, "", "cycles")
STALLS = Key(ARRAY, "", "stall_cycles")
MACS = Key(PE, "", "macs")
EFFECTUAL_MACS = Key(PE, "", "effectual_macs")
ACC_UPDATES = Key(PE, "acc", "updates")
VECTOR_OPERATIONS = Key(VECTOR, "", "operations")

KEYS: tuple[Key, ...] = (
    CYCLES,
    MACS,
    EFFECTUAL_MACS,
    Key(SRAM, "w", READS),
    Key(SRAM, "w", WRITES),
    Key(SRAM, "x", READS),
    Key(SRAM, "dy", READS),
    Key(SRAM, "psum", READS),
    Key(SRAM, "psum", WRITES),
    Key(SRAM, "dw", READS),
    Key(SRAM, "dw", WRITES),
    Key(PE, "dy", HOPS),
    Key(PE, "x", HOPS),
    Key(PE, "psum", HOPS),
    ACC_UPDATES,
)
"""What every array counts, in the order of ``Counters``."""

ACCESSES: tuple[Key, ...] = tuple(key for key in KEYS if key.is_access)
"""What passes between the array and the scratchpad."""


def stalls_of(memory: str) -> Key:
    """Cycles in which the array would wait for a memory if all others were instant.

    >>> stalls_of(DRAM).name
    'dram_stall_cycles'
    """
    return STALLS._replace(tensor=memory)


def by_column(counts: Mapping[Key, Integer]) -> dict[str, Integer]:
    """The counts as tables have them, with units in their names."""
    return {key.column: value for key, value in counts.items()}


def by_name(counts: Mapping[Key, Integer]) -> dict[str, Integer]:
    """The counts as output has them."""
    return {key.name: value for key, value in counts.items()}
