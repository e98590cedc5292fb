"""The table of stored activations: each number beside its layer, in 80 columns, and where reports have it."""

from __future__ import annotations

from dataclasses import replace

from jaxgrad.autodiff.estimators import StoredWords
from jaxgrad.costs import StepCost
from jaxgrad.reports import schedules
from jaxgrad.reports.stored import stored_table
from tests.reports.costs import EMULATION, cost
from tests.reports.test_tables import text_of

STORED = StoredWords({"conv": 1000, "head": 600}, {"model": 400})


def cells(stored: StoredWords, *, layers: bool = True) -> dict[str, list[str]]:
    text = text_of(stored_table(stored, "title", layers=layers), 80)
    assert max(map(len, text.splitlines())) <= 80
    lines = [line.split() for line in text.splitlines()]
    return {" ".join(line[:-2]): line[-2:] for line in lines if line and line[-1].endswith("%")}


def test_every_layer_and_module_has_a_row_and_the_sums_are_last() -> None:
    assert cells(STORED) == {
        "conv": ["1.00k", "50%"],
        "head": ["600", "30%"],
        "model: ReLU masks": ["400", "20%"],
        "peak": ["1.00k", "50%"],
        "total": ["2.00k", "100%"],
    }


def test_a_deep_network_s_table_has_sums_alone() -> None:
    shown = cells(STORED, layers=False)
    assert list(shown) == ["all layers' inputs", "all ReLU masks", "peak", "total"]
    assert shown["all layers' inputs"] == ["1.60k", "80%"]


def test_reports_have_it_where_something_is_stored() -> None:
    step = cost()
    assert step.stored.layers == {f"blocks.{index}.conv": 8 * (9 + index) for index in range(3)}

    def text(of: StepCost) -> str:
        return text_of(schedules.report(of, "interleaved", EMULATION.array, measured=False), 80)

    assert "Stored activations of a step" in text(step)
    assert "tored" not in text(replace(step, stored=StoredWords()))
