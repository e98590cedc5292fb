"""Tables of results: pandas, Arrow and polars have every value exactly, notebooks a small table of text."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pandas as pd
import pyarrow as pa
import pytest

from jaxgrad import Accelerator, Counters, Emulation, Gemm, Machine, Memory, count, load_technology, profile
from jaxgrad.array.counts import MACS
from jaxgrad.base.tabular import SHOWN, Columns, Records, Tabular
from jaxgrad.costs import StepCost, Summary, summary
from jaxgrad.training.runs import Run
from tests.refusals import Refusal, assert_refused
from tests.reports.test_html import Page

MACHINE = Machine(Accelerator(4, 4), memory=Memory(1 << 16, 16.0), technology=load_technology("horowitz-45nm"))


@pytest.fixture(scope="module")
def cost() -> StepCost:
    found = profile(jax.grad(lambda w, x: (x @ w).sum()), jnp.ones((9, 10)), jnp.ones((8, 9)))
    return found.cost(Emulation(MACHINE.array), ["interleaved", "ws_only"], machine=MACHINE)


def tabulars(cost: StepCost) -> dict[str, Tabular]:
    return {
        "counters": count(Gemm(8, 9, 10), Accelerator(4, 4), "interleaved"),
        "cost": cost,
        "summary": summary(cost, "interleaved"),
        "profile": profile(lambda x, w: x @ w, jnp.ones((8, 9)), jnp.ones((9, 10))),
        "records": Records([{"epoch": 1, "loss": 0.5, "note": "<b>"}, {"epoch": 2, "loss": float("nan")}]),
        "columns": Columns(rows=[4, 8], cycles=[2**62 + 1, None]),
    }


NAMES = ("counters", "cost", "summary", "profile", "records", "columns")


@pytest.mark.parametrize("name", NAMES)
def test_pandas_and_arrow_have_every_value(cost: StepCost, name: str) -> None:
    tabular = tabulars(cost)[name]
    columns = tabular.columns()
    frame, table = tabular.to_dataframe(), tabular.to_arrow()
    assert isinstance(frame, pd.DataFrame)
    assert isinstance(table, pa.Table)
    assert list(frame) == table.column_names == list(columns)
    for column, values in columns.items():
        for value, of_pandas, of_arrow in zip(values, frame[column], table[column].to_pylist(), strict=True):
            if value is None or value != value:
                assert pd.isna(of_pandas)
                assert of_arrow is None or of_arrow != of_arrow
            else:
                assert value == of_pandas == of_arrow
                assert isinstance(value, str) or float(value).is_integer() == float(of_pandas).is_integer()


def test_polars_takes_the_arrow_table(cost: StepCost) -> None:
    polars = pytest.importorskip("polars")
    for tabular in tabulars(cost).values():
        frame: Any = polars.from_arrow(tabular.to_arrow())
        assert frame.columns == list(tabular.columns())


def test_counters_are_a_row_with_units() -> None:
    counters = count(Gemm(8, 9, 10), Accelerator(4, 4), "interleaved")
    row = counters.to_dataframe().iloc[0].to_dict()
    assert row["cycles"] == counters.cycles
    assert row["dy_reads_words"] == counters.as_dict()["dy_reads"]
    assert sum(value for name, value in row.items() if name.endswith("_words")) == counters.accesses()


def test_a_cost_adds_up_by_schedule(cost: StepCost) -> None:
    frame = cost.to_dataframe()
    for schedule in cost.schedules:
        assert frame[frame.schedule == schedule].macs.sum() == cost.step(schedule)[MACS] > 0
    assert "dram_x_reads_words" in frame


def test_a_summary_adds_up_by_phase(cost: StepCost) -> None:
    whole: Summary = summary(cost, "interleaved")
    frame = whole.to_dataframe()
    step = whole.select("step")
    assert frame.cycles.sum() == step.time_cycles == (frame.busy_cycles + frame.stall_cycles).sum()
    assert frame.energy_pj.sum() == pytest.approx(sum(step.energy_pj.values()))
    assert frame.dram_bytes.sum() == step.dram_bytes > 0


def test_a_run_s_metrics_are_a_table(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.append_metrics({"epoch": 1, "test_loss": 0.5})
    assert run.metrics() == [{"epoch": 1, "test_loss": 0.5}]
    assert run.metrics().to_dataframe().to_dict("list") == {"epoch": [1], "test_loss": [0.5]}


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_shows_a_table_of_text(cost: StepCost, name: str) -> None:
    tabular = tabulars(cost)[name]
    shown = tabular._repr_html_()
    assert shown is not None
    page = Page(shown)
    assert len(shown) < 40_000
    assert {tag for tag, _ in page.tags} <= {"table", "thead", "tbody", "tr", "th", "td", "p"}
    assert set(tabular.columns()) <= set(page.texts)
    assert "script" not in shown
    assert "#" not in shown  # no colour of its own, in light or dark


def test_what_a_notebook_leaves_out_it_says() -> None:
    shown = Columns(index=list(range(1, 1001)))._repr_html_()
    assert shown is not None
    assert Page(shown).texts[-1] == f"{SHOWN} of 1,000 rows; to_dataframe() has all"
    assert "1,000" not in Page(shown).texts


def test_counters_that_are_no_numbers_yet_are_shown_as_text() -> None:
    stacked = jax.vmap(lambda _: Counters.of(cycles=1))(jnp.arange(3))
    assert stacked._repr_html_() is None
    assert Counters.of(cycles=2**62).times(4)._repr_html_() is None
    jax.jit(lambda counters: (counters, pytest.fail("shown") if counters._repr_html_() else 0)[0])(Counters.zero())


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for package, ask in (("pandas", Counters.zero().to_dataframe), ("pyarrow", Counters.zero().to_arrow)):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, package, None)
            assert_refused(Refusal(ask, ask.__name__, package, "pip install 'jaxgrad[dataframe]'"))
