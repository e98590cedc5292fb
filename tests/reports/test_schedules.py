"""The report in words: what it claims is what the counts say."""

from __future__ import annotations

import io
import re
from pathlib import Path

from rich.console import Console

from jaxgrad.array.counts import CYCLES
from jaxgrad.array.emulation import Emulation
from jaxgrad.array.gemm import Gemm
from jaxgrad.costs import StepCost, accesses, step_cost
from jaxgrad.hardware import Accelerator
from jaxgrad.programs import LayerGemm
from jaxgrad.reports import schedules
from tests.reports.costs import cost

ARRAY = Accelerator(4, 4, double_buffered=True)


def text_of(costs: StepCost, *, measured: bool = True) -> str:
    console = Console(file=io.StringIO(), width=100)
    console.print(schedules.report(costs, "interleaved", ARRAY, measured=measured))
    assert isinstance(console.file, io.StringIO)
    return re.sub(r"\s+", " ", console.file.getvalue())


def test_the_verdict_is_the_ratio_of_the_totals() -> None:
    costs = cost()
    own, other = costs.total("interleaved"), costs.total("ws_only")
    verdict = text_of(costs).partition("All layers, interleaved: ")[2]
    for part, value, reference in (
        ("cycles", own[CYCLES], other[CYCLES]),
        ("accesses", accesses(own), accesses(other)),
    ):
        found = re.search(rf"{part} .*?([\d.]+)% (fewer|more) than ws_only", verdict)
        assert found
        change = 100 * (value / reference - 1)
        assert (float(found[1]), found[2]) == (round(abs(change), 1), "fewer" if change < 0 else "more")


def test_it_names_the_machine_and_where_the_counts_come_from() -> None:
    assert "4x4 array, double-buffered" in text_of(cost())
    assert "interleaved was counted as the network trained" in text_of(cost())
    assert "from the layers' shapes alone" in text_of(cost(), measured=False)


def test_a_deep_network_shows_totals_on_the_screen_and_all_in_the_file(tmp_path: Path) -> None:
    deep = cost(layers=20)
    assert "blocks.7" not in text_of(deep)
    path, *others = schedules.write_tables(tmp_path / "tables", deep, "interleaved", ARRAY, measured=True)
    assert all(f"blocks.{index}.conv" in path.read_text() for index in range(20))
    assert "tables.txt" in text_of(deep)
    assert [other.name for other in others] == ["tables.csv", "tables.md", "tables.tex"]
    assert all("blocks.7.conv" in other.read_text() for other in others)


def test_the_legend_says_how_often_auto_chose_what() -> None:
    gemms = [Gemm(60, 9, 10), Gemm(60, 9, 11), Gemm(8, 16, 2)]
    layers = [LayerGemm(f"layers.{index}", gemm, 1, needs_dx=True) for index, gemm in enumerate(gemms)]
    text = text_of(step_cost(layers, Emulation(Accelerator(2, 1))), measured=False)
    assert (
        "auto for each layer the cheapest of interleaved, sequential, ws_only and os_only; here, of 3 layers, "
        "interleaved for 2 (98% of cycles), ws_only for 1 (2% of cycles, n short in 1)"
    ) in text
    assert "than auto" not in text  # the verdict compares with what others would do everywhere


def test_the_last_sentence_says_where_interleaving_pays() -> None:
    """On 4 rows: b = 8 streams long; n is 3 in one layer of three, k 2 in another."""
    gemms = [Gemm(8, 9, 3), Gemm(8, 9, 10), Gemm(8, 2, 10)]
    layers = [LayerGemm(f"layers.{index}", gemm, 1, needs_dx=True) for index, gemm in enumerate(gemms)]
    costs = step_cost(layers, Emulation(ARRAY))
    text = text_of(costs, measured=False)
    assert (
        "Interleaving pays where the axis it streams is shorter than the array's 4 rows: of 3 layers b (interleaved) "
        "in 0, n (interleaved_n) in 1, k (interleaved_k) in 1; best takes"
    ) in text
    change = 100 * (1 - costs.total("best")[CYCLES] / costs.total("interleaved")[CYCLES])
    assert f"best takes {change:.1f}% fewer cycles than interleaved. For one layer, jaxgrad explain says why." in text


def test_it_says_so_of_schedules_that_were_not_compared_too() -> None:
    layers = [LayerGemm("layer", Gemm(8, 9, 3), 1, needs_dx=True)]
    console = Console(file=io.StringIO(), width=400)
    console.print(schedules.report(step_cost(layers, Emulation(ARRAY), ["ws_only"]), "ws_only", ARRAY, measured=False))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "of 1 layer b (interleaved) in 0, n (interleaved_n) in 1, k (interleaved_k) in 0. For one layer" in text
