"""Schedules: names -> what runs on the array, in which order (DESIGN.md sections 2 and 5)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from jaxgrad.array.mapping import Mapping, Product, Result
from jaxgrad.array.passes.base import Keeps
from jaxgrad.base.errors import InputError, either
from jaxgrad.base.registry import Names, Registry

WEIGHT_UPDATES: tuple[str, ...] = ("none", "separate", "in_array")
ARRAY_OBJECTIVES: tuple[str, ...] = ("cycles", "accesses")
"""What a choice among schedules can minimise wherever it is made."""

PRICED: tuple[str, ...] = ("energy", "edp")
"""Energy, and energy times delay: of a machine with prices, as ``costs.step_cost`` may have; the array has none."""

OBJECTIVES: tuple[str, ...] = (*ARRAY_OBJECTIVES, *PRICED)

TITLES: dict[Result, str] = {"y": "Y", "dx": "dX", "dw": "dW"}

Choice = tuple[Mapping, ...]
"""Mappings that compute the same, of which the better one is taken."""

PeKind = Literal["ws", "os", "interleaved", "ws_transposable", "interleaved_transposable"]
"""What a PE must be able to keep, an operand, a result or both, and whether sums can leave it on either link; one of
``hardware.technology.PE_KINDS``."""


@dataclass(frozen=True, init=False, repr=False)
class Schedule:
    """How a layer's gradients are computed: either what ``runs``, or a choice ``among`` other schedules.

    All else that is asked of a schedule follows from that: which gradients it ``gives``, what runs where one of them
    alone is wanted, its closed forms, the PEs it needs, the orders of blocks it can run. Hashable.

    Args:
        name: what users and results call it.
        runs: what runs, in order: mappings, or choices of several, of which the one of fewest cycles is taken, then
            of fewest accesses. Where one of a mapping's two products is wanted, its slot runs alone.
        among: schedules of which each layer takes the cheapest by its objective; of equally cheap ones the first.
        description: what it does, in a line, for the legends of tables; of a choice, what it chooses among.
        label, colour: of figures, tables and their legends; the name, and a colour that no other one has there.

    Raises:
        InputError: neither or both of the two are given; or the mappings of a choice compute different things, or two
            choices the same; or the schedules of ``among`` give different gradients.
    """

    name: str
    runs: tuple[Choice, ...]
    among: tuple[Schedule, ...]
    description: str
    label: str
    colour: str

    def __init__(
        self,
        name: str,
        runs: Iterable[Mapping | Iterable[Mapping]] = (),
        *,
        among: Iterable[str | Schedule] = (),
        description: str = "",
        label: str = "",
        colour: str = "",
    ) -> None:
        set_field = object.__setattr__
        set_field(self, "name", name)
        set_field(self, "runs", tuple((choice,) if isinstance(choice, Mapping) else tuple(choice) for choice in runs))
        set_field(self, "among", tuple(map(find, among)))
        set_field(self, "description", description or self._choice)
        set_field(self, "label", label or name)
        set_field(self, "colour", colour)
        self._check()

    def _check(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise InputError("name", self.name, "give the schedule a name")
        if bool(self.runs) == bool(self.among):
            got = "both" if self.runs else "neither"
            problem = f"got {got} of runs and among for schedule {self.name!r}"
            raise InputError("runs", self.runs, "give one of the two", problem=problem)
        if len({member.gives for member in self.among}) > 1:
            raise InputError("among", [str(member) for member in self.among], "give some that give the same gradients")
        computed: list[Result] = []
        for choice in self.runs:
            if not all(isinstance(way, Mapping) for way in choice) or len({way.results for way in choice}) != 1:
                raise InputError("runs", choice, "give choices of mappings that compute the same gradients")
            computed += choice[0].results
        if "y" in computed or len(set(computed)) < len(computed):
            raise InputError("runs", computed, "give mappings of dx and dw, each once")

    def __hash__(self) -> int:
        return hash(self.name)  # jit hashes its static arguments at every call

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"Schedule({self.name!r})"

    @property
    def _choice(self) -> str:
        return f"for each layer the cheapest of {either(map(str, self.among), 'and')}" if self.among else ""

    @property
    def members(self) -> tuple[Schedule, ...]:
        """What it chooses among, itself where it does not."""
        return tuple(dict.fromkeys(inner for member in self.among for inner in member.members)) or (self,)

    @property
    def gives(self) -> tuple[Result, ...]:
        """The gradients it computes where both are wanted."""
        first = self.members[0]
        return tuple(result for result in ("dx", "dw") if any(result in choice[0].results for choice in first.runs))

    @property
    def trains(self) -> bool:
        """Whether it gives both gradients, so that a network can train on it."""
        return self.gives == ("dx", "dw")

    @property
    def fused(self) -> bool:
        """Whether it computes both gradients at once, so that they need the same blocks; a choice need not."""
        return any(mapping.fused for choice in self.runs for mapping in choice)

    @property
    def updates_in_array(self) -> bool:
        """Whether w and dW meet in the PEs, where ``in_array`` updates w; a choice cannot promise it."""
        return bool(self.runs) and any(all(mapping.updates_in_array for mapping in choice) for choice in self.runs)

    @property
    def keeps(self) -> frozenset[Keeps]:
        """What stays in the PEs for the slots of its passes, and of those that it chooses among."""
        mappings = (mapping for member in self.members for choice in member.runs for mapping in choice)
        return frozenset(keeps for mapping in mappings for keeps in mapping.keeps)

    @property
    def couples_tiles(self) -> bool:
        """Whether a mapping of it, or of those that it chooses among, has tiles that depend on each other's cycles."""
        mappings = (mapping for member in self.members for choice in member.runs for mapping in choice)
        return any(mapping.couples_tiles for mapping in mappings)

    @property
    def pe_kind(self) -> PeKind:
        """The PE that can run it, by what its passes keep, and by whether one that keeps nothing uses the same."""
        kept = self.keeps
        if "nothing" in kept:
            return "interleaved_transposable" if "result" in kept else "ws_transposable"
        return "interleaved" if len(kept) > 1 else "ws" if kept == {"operand"} else "os"

    @property
    def keeps_weights_alone(self) -> bool:
        """Whether w is the only operand that stays in its PEs, for all that it runs or chooses among."""
        mappings = (mapping for member in self.members for choice in member.runs for mapping in choice)
        staying = {
            mapping.operand(0)[0] for whole in mappings for mapping in whole.split() if "operand" in mapping.keeps
        }
        return staying == {"w"}

    def alternatives(self, *, dx: bool = True, dw: bool = True) -> tuple[Choice, ...]:
        """What it runs, in order, for the gradients that are wanted and that it gives; of each choice the better one.

        Of a choice among schedules nothing is known without a layer: ask its ``members``.
        """
        wanted = {result for result, is_wanted in (("dx", dx), ("dw", dw)) if is_wanted}
        chosen: list[Choice] = []
        for choice in self.runs:
            results = set(choice[0].results)
            if results <= wanted:
                chosen.append(choice)
            elif results & wanted:
                parts = (part for mapping in choice for part in mapping.split())
                chosen.append(tuple(part for part in parts if set(part.results) <= wanted))
        return tuple(chosen)


_REGISTRY: Registry[Schedule] = Registry("schedule", Schedule)
register, unregister, find = _REGISTRY.register, _REGISTRY.unregister, _REGISTRY.find
known = _REGISTRY.get

SCHEDULES: Names[Schedule] = _REGISTRY.names()
TRAINING_SCHEDULES: Names[Schedule] = _REGISTRY.names(lambda schedule: schedule.trains)
"""Those that give both gradients, in the order in which reports show them."""

BASELINES: Names[Schedule] = _REGISTRY.names(lambda record: record.trains and not record.fused and not record.among)
"""Those that compute the two gradients apart: what the papers compare interleaving with."""

IN_ARRAY: Names[Schedule] = _REGISTRY.names(lambda schedule: schedule.updates_in_array)
"""Those that can update w in the array."""

# Of a weight-stationary product either operand can be the one that stays, of an output-stationary one either side of
# the result can lie along the rows. The first of each pair of dX on ws and dW on os is the papers'.
DX_WS = (Mapping((Product("ws", "dx"),), "bnk"), Mapping((Product("ws", "dx"),), "knb"))
DW_WS = (Mapping((Product("ws", "dw"),), "kbn"), Mapping((Product("ws", "dw"),), "nbk"))
DX_OS = (Mapping((Product("os", "dx"),), "nbk"), Mapping((Product("os", "dx"),), "nkb"))
DW_OS = (Mapping((Product("os", "dw"),), "bnk"), Mapping((Product("os", "dw"),), "bkn"))
_BOTH = (Product("ws", "dx"), Product("os", "dw"))
INTERLEAVED = Mapping(_BOTH, "bnk")
SEQUENTIAL = Mapping(_BOTH, "bnk", "in turn")
# The same on the transposed layer: X and W^T change places, b and n, dX and dW. Double-buffered, the output-stationary
# product in the first slot drains a cycle earlier, which costs nothing.
INTERLEAVED_N = Mapping((Product("os", "dx"), Product("ws", "dw")), "nbk")
# dY itself stays, rows n and columns b, and serves both: W comes from the left for dX, whose sums flow down, X from the
# top for dW, whose sums flow right.
INTERLEAVED_K = Mapping((Product("ws", "dx"), Product("ws_transposed", "dw")), "knb")

# Colours are Okabe and Ito's, and one of Tol's, which differ without colour vision.
register(Schedule("ws", [DX_WS[0]], description="dX alone, weight-stationary"))
register(Schedule("os", [DW_OS[0]], description="dW alone, output-stationary"))
register(
    Schedule(
        "interleaved",
        [INTERLEAVED],
        description="both at once, in alternate clock cycles, each dY read once for the two",
        colour="#0072B2",
    ),
    alias="interleaved_b",
)
register(
    Schedule(
        "interleaved_n",
        [INTERLEAVED_N],
        description="both at once with n streamed: X stays in the PEs, dX is summed there, each dY read once",
        colour="#D55E00",
    )
)
register(
    Schedule(
        "interleaved_k",
        [INTERLEAVED_K],
        description="both at once with k streamed: dY stays in the PEs, sums of dX flow down, of dW to the right",
        colour="#F0E442",
    )
)
register(
    Schedule(
        "sequential",
        [SEQUENTIAL],
        description="first dX on weight-stationary tiles, then dW on output-stationary ones",
        colour="#E69F00",
    )
)
register(Schedule("ws_only", [DX_WS, DW_WS], description="both weight-stationary", colour="#009E73"))
register(Schedule("os_only", [DX_OS, DW_OS], description="both output-stationary", colour="#CC79A7"))
register(
    Schedule(
        "free",
        [(*DX_WS, *DX_OS), (*DW_WS, *DW_OS)],
        description="each by the better of the two dataflows and orientations",
        colour="#882255",
    )
)
register(
    Schedule(
        "auto",
        among=("interleaved", "sequential", "ws_only", "os_only"),
        colour="#999999",
    )
)
# Last, since it is among all that train and choose nothing. It is a value, which jit holds static and results are kept
# by, so schedules that are registered later are not of it: a choice that has them too is
# ``Schedule("mine", among=TRAINING_SCHEDULES)``.
register(Schedule("best", among=[name for name in TRAINING_SCHEDULES if not find(name).among], colour="#000000"))


def lacking(schedule: Schedule, *, dx: bool, dw: bool) -> tuple[str, ...]:
    """Which of the wanted gradients a schedule does not give, as messages write them."""
    wanted: dict[Result, bool] = {"dx": dx, "dw": dw}
    return tuple(TITLES[result] for result in wanted if wanted[result] and result not in schedule.gives)
