"""Which products run on which array and by which estimator: rules by path, of which the first that matches wins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from jaxgrad.array.emulation import Emulation
from jaxgrad.autodiff.estimators import EXACT, Estimator
from jaxgrad.base.errors import InputError, shown

_REMEDY = 'give an Emulation(array=Accelerator(rows, cols)), or rules such as [Rule("blocks.*", Emulation(...))]'


class Rule(NamedTuple):
    """Where the products at some places run, and how their gradients are computed.

    >>> from jaxgrad import Accelerator, Precision
    >>> from jaxgrad.autodiff.estimators import rounded
    >>> wide, bf16 = Emulation(Accelerator(128, 128)), rounded(Precision.of("bf16"))
    >>> rules = Rules.of([Rule("blocks.*.mlp.*", wide, bf16), Rule("head", None), Rule("*", wide)])
    >>> rules.first("blocks.3.mlp.up").estimator == bf16, rules.first("head").emulation, rules.first("stem").pattern
    (True, None, '*')

    Args:
        pattern: of labels (``Tally.sites``), as of ``fnmatch``: ``*`` stands for anything, dots among it. A layer's
            name stands for all products of its own, ``attention#2`` for the second one; a line, ``train.py:12``, for
            all of that line. A label stands for itself, also where it has brackets.
        emulation: the array, the schedule and the fidelity; None leaves the products to XLA.
        estimator: how a product and its gradients are computed, and what is kept between them
            (``jaxgrad.autodiff.estimators``).
    """

    pattern: str
    emulation: Emulation | None
    estimator: Estimator = EXACT

    @property
    def estimates(self) -> bool:
        """Whether its products are to be computed otherwise than as they stand."""
        return self.emulation is not None and self.estimator != EXACT

    def matches(self, label: str) -> bool:
        names = (label, module_of(label))
        return self.pattern in names or any(fnmatchcase(name, self.pattern) for name in names)


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
    def of(cls, emulation: Emulation | Sequence[Rule]) -> Rules:
        """From one emulation for everything, or from rules, which may be plain tuples.

        Raises:
            ValueError: it is neither.
        """
        if isinstance(emulation, Emulation):
            return cls((("", Rule("*", emulation)),), reported=False)
        if not isinstance(emulation, Sequence) or isinstance(emulation, str) or not emulation:
            raise InputError("emulation", emulation, _REMEDY)
        return cls(tuple(("", _checked(index, rule)) for index, rule in enumerate(emulation)))

    @property
    def estimators(self) -> tuple[Estimator, ...]:
        """Those that compute a product otherwise than it stands."""
        return tuple(rule.estimator for _, rule in self.rules if rule.estimates)

    @property
    def exact(self) -> Rules:
        """The same places and arrays, and no estimators."""
        return replace(self, rules=tuple((place, rule._replace(estimator=EXACT)) for place, rule in self.rules))

    def within(self, place: str) -> Rules:
        """The same rules for what stands at a place of a larger program."""
        return replace(self, rules=tuple((f"{place}.{inner}".strip("."), rule) for inner, rule in self.rules))

    def first(self, label: str) -> Rule | None:
        """The rule for a product."""
        index = self.index(label)
        return None if index is None else self.rules[index][1]

    def estimator(self, label: str) -> Estimator:
        """What computes a product and its gradients."""
        rule = self.first(label)
        return EXACT if rule is None else rule.estimator

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


def _checked(index: int, rule: Any) -> Rule:
    field = f"rules[{index}]"
    if not isinstance(rule, tuple) or len(rule) not in (2, 3) or not isinstance(rule[0], str):
        raise InputError(field, rule, _REMEDY)
    rule = Rule(*rule)
    if not isinstance(rule.emulation, Emulation | None):
        raise InputError(field, rule, _REMEDY)
    if not isinstance(rule.estimator, Estimator):
        remedy = "give one of jaxgrad.autodiff.estimators, such as EXACT or rounded(Precision.of('bf16'))"
        raise InputError(f"{field}.estimator", rule.estimator, remedy)
    if rule.emulation is None and rule.estimator != EXACT:
        problem = f"got {shown(rule.estimator)} for products that are left to XLA"
        raise InputError(f"{field}.estimator", rule.estimator, "give the rule an Emulation, too", problem=problem)
    return rule


def module_of(label: str) -> str:
    """The label without the number that tells a layer's products, or a line's, apart."""
    return label.partition("#")[0]


def _relative(label: str, place: str) -> str | None:
    if not place or label == place:
        return label if not place else "model"
    if label.startswith(f"{place}#"):
        return "model" + label.removeprefix(place)
    return label.removeprefix(f"{place}.") if label.startswith(f"{place}.") else None
