"""Which elements a PE multiplies in which cycle: beside the independent model, and beside the sums that it computes."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pytest

from jaxgrad import Accelerator, Gemm
from jaxgrad.array.choice import backward_mappings
from jaxgrad.array.mapping import AXES, OPERANDS, Mapping, Result
from jaxgrad.reports.timeline.elements import Element, Numbering, Term
from jaxgrad.reports.timeline.registers import Recording, record
from tests import oracle
from tests.systolic import SystolicArray

Macs = list[dict[tuple[int, int], frozenset[int]]]
"""For each cycle, the two numbers that each PE multiplied."""

SCHEDULES = ("interleaved", "interleaved_n", "interleaved_k", "sequential", "ws_only", "os_only")
SIZES = (3, 5, 4, 3, 2)  # b, k, n, rows, cols: ragged tiles along every axis, and whole ones


class Watched(SystolicArray):
    """The independent model, which notes every MAC: the tables that it is given hold a number for each element."""

    runs: list[Watched]

    def __init__(self, *sizes: Any, **options: Any) -> None:
        super().__init__(*sizes, **options)
        self.seen: Macs = []
        self.at = (0, 0)
        type(self).runs.append(self)

    def step(self, cycle: int) -> None:
        self.seen.append({})
        super().step(cycle)

    def work(self, row: int, column: int, *words: Any) -> None:
        self.at = (row, column)
        super().work(row, column, *words)

    def mac(self, left: float, other: float) -> None:
        self.seen[-1][self.at] = frozenset((int(left), int(other)))
        super().mac(left, other)

    @property
    def macs(self) -> Macs:
        return self.seen[: self.counts["cycles"]]


def numbering_of(b: int, k: int, n: int) -> Numbering:
    return Numbering({"x": (b, k), "w": (k, n), "dy": (b, n)})


def numbers(term: Term | None, values: dict[str, np.ndarray]) -> frozenset[int]:
    assert term
    place = term._asdict()
    return frozenset(int(values[name][tuple(place[axis] for axis in AXES[name])]) for name in OPERANDS[term.result])


def macs(recording: Recording, values: dict[str, np.ndarray]) -> Macs:
    return [
        {
            (row, col): numbers(term, values)
            for row, line in enumerate(cycle.terms)
            for col, term in enumerate(line)
            if term
        }
        for cycle in recording.cycles
    ]


@pytest.fixture(scope="module", params=[(name, shadows) for name in SCHEDULES for shadows in (False, True)], ids=str)
def runs(request: pytest.FixtureRequest) -> tuple[Any, list[tuple[Mapping, Recording]], dict[str, np.ndarray]]:
    """A schedule's mappings, each recorded by itself, of small integers."""
    schedule, double_buffered = request.param
    b, k, n, rows, cols = SIZES
    array = Accelerator(rows, cols, double_buffered)
    generator = np.random.default_rng(0)
    values = {
        name: generator.integers(-3, 4, shape).astype(np.float32)
        for name, shape in numbering_of(b, k, n).shapes.items()
    }
    mappings = backward_mappings(schedule, Gemm(b, k, n), array)
    return request.param, [(mapping, record(mapping, values, array)) for mapping in mappings], values  # type: ignore[arg-type]


def test_every_pe_multiplies_what_the_independent_model_multiplies(
    runs: tuple[Any, list[tuple[Mapping, Recording]], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    (schedule, double_buffered), recorded, _ = runs
    b, k, n, rows, cols = SIZES
    values = numbering_of(b, k, n).numbers()
    Watched.runs = []
    monkeypatch.setattr(oracle, "SystolicArray", Watched)
    oracle.simulate(values["x"], values["w"], values["dy"], rows, cols, schedule, double_buffered=double_buffered)
    # The model runs every orientation of both gradients, of which a schedule takes one each.
    models = [model.macs for model in Watched.runs]
    ours = [macs(recording, values) for _, recording in recorded]
    assert sum(len(cycle) for run in ours for cycle in run) == 2 * b * k * n
    assert all(run in models for run in ours)
    assert len(ours) == len(models) or schedule in ("ws_only", "os_only")


def test_what_stands_in_a_pe_is_the_sum_of_the_terms_so_far(
    runs: tuple[Any, list[tuple[Mapping, Recording]], dict[str, np.ndarray]],
) -> None:
    _, recorded, values = runs
    for mapping, recording in recorded:
        links = {product.result: product.keeps for product in mapping.products}
        sums: dict[tuple[Result, tuple[int, ...]], float] = defaultdict(float)
        for cycle in recording.cycles:
            for row, line in enumerate(cycle.terms):
                for col, term in enumerate(line):
                    if not term:
                        continue
                    place = term._asdict()
                    factors = [
                        values[name][tuple(place[axis] for axis in AXES[name])] for name in OPERANDS[term.result]
                    ]
                    element = (term.result, tuple(place[axis] for axis in AXES[term.result]))
                    sums[element] += float(np.prod(factors))
                    # The last sum of a tile goes straight into the shadow.
                    planes: dict[str, list[Any]] = {
                        "operand": [cycle.v],
                        "nothing": [cycle.h],
                        "result": [cycle.registers.get("acc"), cycle.registers.get("acc_next")],
                    }
                    here = [plane[row, col] for plane in planes[links[term.result]] if plane is not None]
                    assert sums[element] in here
        for (name, place), total in sums.items():
            assert recording.results[name][place] == total


def test_words_that_enter_are_those_elements(
    runs: tuple[Any, list[tuple[Mapping, Recording]], dict[str, np.ndarray]],
) -> None:
    _, recorded, values = runs
    for _, recording in recorded:
        entered = set()
        for cycle in recording.cycles:
            sides = ((cycle.left, cycle.h_in, 0), (cycle.top, cycle.v_in, 1), (cycle.loading, cycle.loaded, 2))
            for elements, words, side in sides:
                for lane, element in enumerate(elements):
                    if element:
                        assert words is not None
                        entered.add(element.name)
                        word = words[lane, 0] if side == 0 else words[0, lane] if side == 1 else words[lane]
                        assert word == values[element.name][element.row, element.col]
        results: set[Result] = {
            term.result for cycle in recording.cycles for line in cycle.terms for term in line if term
        }
        assert entered == {name for result in results for name in OPERANDS[result]}


def test_elements_that_do_not_meet_are_no_term() -> None:
    with pytest.raises(AssertionError, match="do not belong together"):
        Term.of("dx", Element("dy", 1, 2), Element("w", 0, 3))
    with pytest.raises(AssertionError, match="do not belong together"):
        Term.of("dw", Element("dy", 1, 2), Element("w", 0, 2))


def test_every_element_has_a_number_of_its_own() -> None:
    numbering = numbering_of(2, 3, 4)
    for name, values in numbering.numbers().items():
        for place, number in np.ndenumerate(values):
            assert numbering.element(number) == (name, *place)
    assert numbering.element(0) is None
    with pytest.raises(AssertionError, match="no element"):
        numbering.element(1 + 6 + 12 + 8)
