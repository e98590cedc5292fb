"""Which products run on which array: rules by path, of which the first that matches wins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import NamedTuple

from jaxgrad.array.emulation import Emulation
from jaxgrad.base.errors import InputError


class Rule(NamedTuple):
    """Where the products at some places run.

    >>> from jaxgrad import Accelerator
    >>> wide = Emulation(Accelerator(128, 128))
    >>> rules = Rules.of([Rule("blocks.*.mlp.*", wide), Rule("head", None), Rule("*", Emulation(Accelerator(8, 8)))])
    >>> rules.first("blocks.3.mlp.up").emulation == wide, rules.first("head").emulation, rules.first("stem").pattern
    (True, None, '*')

    Args:
        pattern: of paths, as of ``fnmatch``: ``*`` stands for anything, dots among it. A module's path stands for all
            products of its own, ``attention#2`` for the second one.
        emulation: the array, the schedule and the fidelity; None leaves the products to XLA.
    """

    pattern: str
    emulation: Emulation | None

    def matches(self, label: str) -> bool:
        return fnmatchcase(label, self.pattern) or fnmatchcase(module_of(label), self.pattern)


@dataclass(frozen=True)
class Rules:
    """Rules in order, each with the place in the program that its pattern is relative to ("" for all of it).

    >>> from jaxgrad import Accelerator
    >>> rules = Rules.of([Rule("head", None), Rule("block.*", Emulation(Accelerator(8, 8)))])
    >>> rules.unused(["head", "stem"])
    ["rule 'block.*': no product is its own; there are head, stem"]

    Args:
        rules: (place, rule).
        reported: whether rules that match nothing are of interest; not where one emulation stands for all.
    """

    rules: tuple[tuple[str, Rule], ...]
    reported: bool = True

    @classmethod
    def of(cls, given: Emulation | Iterable[Rule | tuple[str, Emulation | None]]) -> Rules:
        """From one emulation for everything, or from rules.

        Raises:
            ValueError: it is neither.
        """
        if isinstance(given, Emulation):
            return cls((("", Rule("*", given)),), reported=False)
        remedy = 'give an Emulation(array=Accelerator(rows, cols)), or rules such as [Rule("blocks.*", Emulation(...))]'
        if not isinstance(given, Sequence) or isinstance(given, str) or not given:
            raise InputError("emulation", given, remedy)
        for index, rule in enumerate(given):
            fits = isinstance(rule, tuple) and len(rule) == len(Rule._fields) and isinstance(rule[0], str)
            if not fits or not isinstance(rule[1], Emulation | None):
                raise InputError(f"rules[{index}]", rule, remedy)
        return cls(tuple(("", Rule(*rule)) for rule in given))

    def within(self, place: str) -> Rules:
        """The same rules for what stands at a place of a larger program."""
        return Rules(tuple((f"{place}.{own}".strip("."), rule) for own, rule in self.rules), self.reported)

    def first(self, label: str) -> Rule | None:
        """The rule for a product."""
        index = self.index(label)
        return None if index is None else self.rules[index][1]

    def index(self, label: str) -> int | None:
        for index, (place, rule) in enumerate(self.rules):
            relative = _relative(label, place)
            if relative is not None and rule.matches(relative):
                return index
        return None

    def unused(self, labels: Iterable[str]) -> list[str]:
        """A line for each rule that is none of these products'."""
        labels = list(labels)
        used = {self.index(label) for label in labels}
        there = ", ".join(labels) or "none"
        return [
            f"rule {rule.pattern!r}: no product is its own; there are {there}"
            for index, (_, rule) in enumerate(self.rules)
            if self.reported and index not in used
        ]


def module_of(label: str) -> str:
    """The label without the number that tells a module's products apart."""
    return label.partition("#")[0]


def _relative(label: str, place: str) -> str | None:
    if not place or label == place:
        return label if not place else "model"
    if label.startswith(f"{place}#"):
        return "model" + label.removeprefix(place)
    return label.removeprefix(f"{place}.") if label.startswith(f"{place}.") else None
