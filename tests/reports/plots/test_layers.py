"""Plots of layers one by one: utilisation and roofline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from jaxgrad.array.counts import MACS
from jaxgrad.reports.plots import positions, roofline, utilisation_by_layer
from jaxgrad.reports.plots.utilisation import named_layers
from tests.refusals import Refusal, assert_refused
from tests.reports.plots.steps import ARRAY, BARE, FULL, SCHEDULES, summaries


def test_steps_are_the_layers_utilisation(tmp_path: Path, drawn: list[Figure]) -> None:
    steps = summaries()
    utilisation_by_layer(steps, tmp_path / "utilisation", "a title")
    assert len(drawn[0].axes) == len(SCHEDULES)
    for axes, (label, step) in zip(drawn[0].axes, steps.items(), strict=True):
        forward, backward = axes.lines
        expected = [100 * layer.phases[0].utilisation(ARRAY.pes) for layer in step.layers]
        np.testing.assert_allclose(np.asarray(forward.get_ydata())[:-1], expected)
        expected = []
        for layer in step.layers:
            gradients = layer.phases[1:]
            cycles = sum(phase.time_cycles for phase in gradients)
            expected.append(100 * sum(phase.counts[MACS] for phase in gradients) / (cycles * ARRAY.pes))
        np.testing.assert_allclose(np.asarray(backward.get_ydata())[:-1], expected)
        assert 0 < min(expected) <= max(expected) <= 100
        assert forward.get_linestyle() != backward.get_linestyle()
        mean = 100 * step.select("forward").utilisation(ARRAY.pes)
        assert axes.get_title(loc="left").startswith(label)
        assert f"forward {mean:.1f} %" in axes.get_title(loc="left")


def test_a_short_network_names_every_layer_and_a_deep_one_some(tmp_path: Path, drawn: list[Figure]) -> None:
    for count in (3, 60):
        utilisation_by_layer({"one": summaries(count)["interleaved"]}, tmp_path / "u", "t")
    short, deep = ([text.get_text() for text in figure.axes[0].get_xticklabels()] for figure in drawn)
    assert short == [f"blocks.{index}.conv" for index in range(3)]
    assert deep[0] == "blocks.0.conv  1"
    assert deep[-1] == "blocks.59.conv  60"
    assert len(deep) == 24


@given(st.integers(1, 2000))
def test_named_layers_are_spread_from_the_first_to_the_last(count: int) -> None:
    named = named_layers(count)
    assert named[0] == 0
    assert named[-1] == count - 1
    assert len(set(named)) == len(named) == min(count, 24)
    gaps = np.diff(named)
    assert not len(gaps) or max(gaps) - min(gaps) <= 1


def test_no_layer_is_above_the_roof_and_stalled_ones_are_on_it() -> None:
    for step in summaries(5).values():
        assert step.dram_bytes_per_cycle
        found = positions(step)
        assert len(found) == sum(len(layer.phases) for layer in step.layers)
        for _, intensity, rate, cycles in found:
            assert cycles > 0
            assert rate <= min(step.pes, intensity * step.dram_bytes_per_cycle) * (1 + 1e-9)


def test_the_roofline_shows_each_phase_of_each_layer_and_the_ridge(tmp_path: Path, drawn: list[Figure]) -> None:
    steps = summaries(4)
    roofline(steps, tmp_path / "roofline", "a title")
    for axes, step in zip(drawn[0].axes, steps.values(), strict=True):
        shown = [
            tuple(point)
            for group in axes.collections
            if isinstance(group, PathCollection)
            for point in np.asarray(group.get_offsets())
        ]
        expected = sorted((point.macs_per_byte, point.macs_per_cycle) for point in positions(step))
        np.testing.assert_allclose(sorted(shown), expected)
        assert [text.get_text() for text in axes.texts] == ["ridge point: 4 MACs/B"]  # 16 PEs at 4 bytes a cycle
        roof = np.asarray(axes.lines[0].get_xydata())
        assert tuple(roof[1]) == (4.0, 16.0)
        assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    marks = [np.asarray(group.get_paths()[0].vertices).tobytes() for group in drawn[0].axes[1].collections]
    assert len(set(marks)) == len(marks) == 3  # forward, dX, dW: a marker each


def test_a_marker_grows_with_its_cycles(tmp_path: Path, drawn: list[Figure]) -> None:
    step = summaries(4)["interleaved"]
    roofline({"one": step}, tmp_path / "roofline", "a title")
    forward = drawn[0].axes[0].collections[0]
    cycles = [point.cycles for point in positions(step) if point.phase == "forward"]
    longest = max(point.cycles for point in positions(step))
    assert isinstance(forward, PathCollection)
    np.testing.assert_allclose(forward.get_sizes(), np.maximum(90 * np.array(cycles) / longest, 7))


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(lambda: utilisation_by_layer({}, Path("x"), ""), "summaries", "none", "at least one"),
        Refusal(
            lambda: utilisation_by_layer({"a": summaries(2)["ws_only"], "b": summaries(3)["ws_only"]}, Path("x"), ""),
            "summaries", "'b'", "one network",
        ),
        Refusal(lambda: roofline({}, Path("x"), ""), "summaries", "none", "at least one"),
        Refusal(lambda: roofline(summaries(machine=BARE), Path("x"), ""), "summaries", "memory", "machine"),
        Refusal(
            lambda: roofline({"a": replace(summaries(machine=FULL)["ws_only"], layers=())}, Path("x"), ""),
            "summaries with layers", "none", "at least one",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_refused(refusal: Refusal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert_refused(refusal)
    assert not list(tmp_path.iterdir())
