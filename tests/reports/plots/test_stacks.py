"""Plots of stacked bars: as long as what they stand for, part by part."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Annotation

from jaxgrad.array.counts import DRAM, STALLS, Key
from jaxgrad.costs import accesses
from jaxgrad.hardware import Level, Memory
from jaxgrad.reports.plots import accesses_by_operand, energy_by_component, energy_by_phase, normalised_cycles
from tests.keys import KEY
from tests.refusals import Refusal, assert_refused
from tests.reports.plots.steps import BARE, FULL, SCHEDULES, summaries


def lengths(axes: Axes) -> dict[str, np.ndarray]:
    """Bar lengths by legend label, summed over containers of one label."""
    found: dict[str, np.ndarray] = {}
    for container in axes.containers:
        own = np.array([bar.get_width() for bar in container])
        label = str(container.get_label())
        found[label] = found.get(label, np.zeros_like(own)) + own
    return found


def totals(axes: Axes) -> np.ndarray:
    """Lengths of the whole stacks."""
    return np.sum(list(lengths(axes).values()), axis=0)


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_bars_are_cycles_over_those_of_the_baseline_and_stalls_are_hatched(tmp_path: Path, drawn: list[Figure]) -> None:
    steps = summaries()
    normalised_cycles({"net": steps}, tmp_path / "cycles", "a title", baseline="sequential")
    axes = drawn[0].axes[0]
    reference = steps["sequential"].select("step").time_cycles
    own = lengths(axes)
    np.testing.assert_allclose(
        totals(axes), [steps[name].select("step").time_cycles / reference for name in SCHEDULES], rtol=1e-12
    )
    stalls = [steps[name].select("step").counts[STALLS] / reference for name in SCHEDULES]
    assert min(stalls) > 0
    np.testing.assert_allclose(own["stalls"], stalls, rtol=1e-12)
    hatched = [bool(container[0].get_hatch()) for container in axes.containers]
    assert hatched == [container.get_label() == "stalls" for container in axes.containers]
    assert own["dX"][0] == 0 < own["dX"][1]  # interleaved has both gradients at once
    assert own["dX+dW"][0] > 0 == own["dX+dW"][1]
    assert [text.get_text() for text in axes.get_yticklabels()] == list(SCHEDULES)
    ends = [text.get_text() for text in axes.texts if "(" in text.get_text()]
    assert [float(text.split()[0]) for text in ends] == [round(total, 2) for total in totals(axes)]
    assert any(label.startswith("stalls") for label in legend(drawn[0]))


def test_the_baseline_s_line_goes_through_no_number(tmp_path: Path, drawn: list[Figure]) -> None:
    """That of a row which ends shortly before the line stands behind the line."""
    steps = summaries()
    base = steps["sequential"].select("step").time_cycles
    near = {name: step for name, step in steps.items() if 0.8 < step.select("step").time_cycles / base < 1}
    assert near
    normalised_cycles({"net": steps}, tmp_path / "cycles", "a title", baseline="sequential")
    figure, axes = drawn[0], drawn[0].axes[0]
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    (line,) = axes.lines
    at = axes.transData.transform([(1, 0)])[0][0]
    assert list(np.asarray(line.get_xdata())) == [1, 1]
    boxes = [text.get_window_extent(renderer) for text in axes.texts if isinstance(text, Annotation)]
    assert len(boxes) == len(SCHEDULES)
    assert all(box.x1 <= at or at <= box.x0 for box in boxes)


def test_long_names_of_rows_leave_room_for_the_bars(tmp_path: Path, drawn: list[Figure]) -> None:
    names = [f"interleaved, best order of the blocks, {end} [$x$]" for end in ("iso-area", "same SRAM")]
    energy_by_phase({name: summaries()["interleaved"] for name in names}, tmp_path / "energy", "a title")
    axes = drawn[0].axes[0]
    drawn[0].draw_without_rendering()
    assert axes.bbox.width > 0.6 * drawn[0].bbox.width
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert len(set(labels)) == 2
    assert max(map(len, labels)) <= 36


def test_groups_have_headings_and_baselines_of_their_own(tmp_path: Path, drawn: list[Figure]) -> None:
    groups = {"small": summaries(2), "large": summaries(5)}
    normalised_cycles(groups, tmp_path / "cycles", "a title", baseline="ws_only")
    axes = drawn[0].axes[0]
    labels = axes.get_yticklabels()
    assert [text.get_text() for text in labels] == ["small", *SCHEDULES, "large", *SCHEDULES]
    assert [text.get_text() for text in labels if text.get_fontweight() == "bold"] == ["small", "large"]
    found = totals(axes)
    assert found[SCHEDULES.index("ws_only")] == pytest.approx(1)
    assert found[4 + SCHEDULES.index("ws_only")] == pytest.approx(1)


def test_the_backward_pass_alone_leaves_the_rest_out(tmp_path: Path, drawn: list[Figure]) -> None:
    steps = summaries()
    normalised_cycles({"": steps}, tmp_path / "cycles", "a title", baseline="ws_only", phases=("backward",))
    own = lengths(drawn[0].axes[0])
    cycles = [steps[name].select("backward").time_cycles for name in SCHEDULES]
    np.testing.assert_allclose(totals(drawn[0].axes[0]), np.array(cycles) / cycles[2], rtol=1e-12)
    assert set(own) == {"dX", "dW", "dX+dW", "stalls"}


def test_without_a_memory_nothing_stalls(tmp_path: Path, drawn: list[Figure]) -> None:
    normalised_cycles({"": summaries(machine=BARE)}, tmp_path / "cycles", "a title", baseline="ws_only")
    assert not any(label.startswith("stalls") for label in legend(drawn[0]))


def test_energy_is_stacked_by_component(tmp_path: Path, drawn: list[Figure]) -> None:
    steps = summaries()
    energy_by_component(steps, tmp_path / "energy", "a title")
    axes = drawn[0].axes[0]
    assert axes.get_xlabel().endswith("[uJ]")
    own = lengths(axes)
    for name, label in {"mac": "MAC", "sram": "SRAM", "dram": "DRAM", "vector": "vector unit"}.items():
        expected = [steps[schedule].select("step").energy_pj[name] / 1e6 for schedule in SCHEDULES]
        np.testing.assert_allclose(own[label], expected, rtol=1e-12)
    assert "idle PEs" not in own  # takes nothing in this technology
    hatches = [container[0].get_hatch() for container in axes.containers if container[0].get_hatch()]
    assert len(set(hatches)) == len(hatches) >= 3


def test_energy_is_stacked_by_phase(tmp_path: Path, drawn: list[Figure]) -> None:
    steps = summaries()
    energy_by_phase(steps, tmp_path / "energy", "a title")
    own = lengths(drawn[0].axes[0])
    for phase, label in {"forward": "forward", "dw": "dW", "dx+dw": "dX+dW"}.items():
        expected = [sum(steps[schedule].select(phase).energy_pj.values()) / 1e6 for schedule in SCHEDULES]
        np.testing.assert_allclose(own[label], expected, rtol=1e-12)
    beside = ("vector forward", "vector update")
    expected = [sum(steps[schedule].select(*beside).energy_pj.values()) / 1e6 for schedule in SCHEDULES]
    np.testing.assert_allclose(own["vector unit"], expected, rtol=1e-12)


def test_accesses_have_a_panel_a_level_and_writes_are_hatched(tmp_path: Path, drawn: list[Figure]) -> None:
    steps = summaries()
    accesses_by_operand(steps, tmp_path / "accesses", "a title")
    sram, dram = drawn[0].axes
    assert sram.get_xlabel() == "SRAM accesses of a training step [words]"
    assert dram.get_xlabel() == "DRAM accesses of a training step [words]"
    counted = [steps[name].select("step").counts for name in SCHEDULES]
    np.testing.assert_array_equal(totals(sram), [accesses(counts) for counts in counted])
    moved = [sum(words for key, words in counts.items() if key.level == DRAM) for counts in counted]
    np.testing.assert_array_equal(totals(dram), moved)
    np.testing.assert_array_equal(lengths(sram)["dY reads"], [counts[KEY["dy_reads"]] for counts in counted])
    np.testing.assert_array_equal(lengths(dram)["dX writes"], [counts[KEY["dram_dx_writes"]] for counts in counted])
    for axes in (sram, dram):
        for container in axes.containers:
            assert bool(container[0].get_hatch()) == (not str(container.get_label()).endswith("reads"))


def test_a_level_has_a_part_and_a_panel_of_its_own(tmp_path: Path, drawn: list[Figure]) -> None:
    machine = replace(FULL, memory=Memory(512, 1.0, levels=(Level("near", 1024, 8.0), Level("l2", 8192, 4.0))))
    steps = summaries(machine=machine)
    energy_by_component(steps, tmp_path / "energy", "a title")
    accesses_by_operand(steps, tmp_path / "accesses", "a title")
    parts = lengths(drawn[0].axes[0])
    assert list(parts).index("SRAM") < list(parts).index("l2") < list(parts).index("DRAM")
    pj = [steps[name].select("step").energy_pj for name in SCHEDULES]
    np.testing.assert_allclose(parts["l2"], [spent["l2"] / 1e6 for spent in pj], rtol=1e-12)
    np.testing.assert_allclose(totals(drawn[0].axes[0]), [sum(spent.values()) / 1e6 for spent in pj], rtol=1e-12)
    panels = {axes.get_xlabel().split()[0]: axes for axes in drawn[1].axes}
    assert [name for name in panels if name != "near"] == ["SRAM", "l2", "DRAM"]
    taken = [steps[name].select("step").counts.get(Key("l2", "dy", "reads"), 0) for name in SCHEDULES]
    assert max(taken) > 0
    np.testing.assert_array_equal(lengths(panels["l2"])["dY reads"], taken)


def test_a_level_that_nothing_passes_has_no_panel(tmp_path: Path, drawn: list[Figure]) -> None:
    accesses_by_operand(summaries(machine=BARE), tmp_path / "accesses", "a title", phases=("backward",))
    (axes,) = drawn[0].axes
    assert axes.get_xlabel() == "SRAM accesses of a training step (backward) [words]"


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(lambda: energy_by_component({}, Path("x"), ""), "summaries", "none", "at least one"),
        Refusal(lambda: normalised_cycles({}, Path("x"), "", baseline="a"), "groups", "none", "at least one"),
        Refusal(
            lambda: normalised_cycles({"net": summaries()}, Path("x"), "", baseline="ws"), "baseline", "'ws'", "ws_only"
        ),
        Refusal(lambda: energy_by_phase(summaries(machine=BARE), Path("x"), ""), "summaries", "", "technology"),
        Refusal(
            lambda: accesses_by_operand(summaries(), Path("x"), "", phases=("drain",)), "phases", "'drain'", "forward"
        ),
        Refusal(
            lambda: accesses_by_operand({"i": summaries()["interleaved"]}, Path("x"), "", phases=("dx",)),
            "phases", "dx", "dx+dw",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_refused(refusal: Refusal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert_refused(refusal)
    assert not list(tmp_path.iterdir())
