"""Frames: the words that cross the edges are those counted, and carry the gradients out."""

from __future__ import annotations

from collections import Counter
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad import Accelerator, Gemm
from jaxgrad.array.choice import backward_mappings
from jaxgrad.reports.timeline.activities import activities
from jaxgrad.reports.timeline.frames import DRAIN, DW, DX, IDLE, LOAD, PADDING, frames
from jaxgrad.reports.timeline.registers import Recording, record_all
from tests.reports.timeline.test_registers import recorded, tensors
from tests.systolic import Operand, OutputStationary, SystolicArray, TurnedStationary, WeightStationary

SIDES = ("interleaved", "sequential", "interleaved_k")
SIZES = (3, 5, 4)  # edge tiles in both directions
ARRAY = (3, 3)


@pytest.fixture(scope="module", params=[(name, shadows) for name in SIDES for shadows in (False, True)], ids=str)
def shown(request: pytest.FixtureRequest) -> tuple[dict[str, Any], Recording]:
    schedule, double_buffered = request.param
    array = Accelerator(*ARRAY, double_buffered)
    recording = recorded(schedule, tensors(*SIZES), array)
    own = list(activities(backward_mappings(schedule, Gemm(*SIZES), array), Gemm(*SIZES), array))
    return frames(schedule, recording, own, array), recording


ENTRIES, EXITS = ("left", "top"), ("bottom", "right")


def crossing(film: dict[str, Any], edges: str | tuple[str, ...], *names: str) -> list[float]:
    """The values that crossed edges under some names, read or written: not those held or made up."""
    edges = (edges,) if isinstance(edges, str) else edges
    words = [word for frame in film["frames"] for edge in edges for word in frame[edge]]
    return [word["value"] for word in words if word["name"] in names and word["read"]]


def test_words_at_the_edges_are_the_words_counted(shown: tuple[dict[str, Any], Recording]) -> None:
    film, recording = shown
    counts = recording.counters.as_dict()
    both_ways = film["schedule"] == "interleaved_k"  # dY is loaded, and W streams
    assert {
        "dy_reads": len(crossing(film, "top" if both_ways else "left", "dY")),
        "w_reads": len(crossing(film, "left" if both_ways else "top", "W")),
        "x_reads": len(crossing(film, "top", "X")),
        "psum_reads": len(crossing(film, ENTRIES, "psum")),
        "psum_writes": len(crossing(film, "bottom", "psum", "dX")) + len(crossing(film, "right", "psum", "dW")),
        "dw_writes": len(crossing(film, "bottom", "dW")),
    } == {name: counts[name] for name in ("dy_reads", "w_reads", "x_reads", "psum_reads", "psum_writes", "dw_writes")}
    assert bool(crossing(film, "right", "dW")) == both_ways
    assert any(word["name"] == "psum" for frame in film["frames"] for word in frame["left"]) == both_ways


def test_running_counts_end_with_the_counters(shown: tuple[dict[str, Any], Recording]) -> None:
    film, recording = shown
    counts = recording.counters.as_dict()
    assert len(film["frames"]) == counts["cycles"]
    assert film["frames"][-1]["dy_reads"] == counts["dy_reads"]
    assert film["frames"][-1]["macs"] == counts["macs"]


def test_macs_and_reads_of_dy_are_booked_in_the_cycle_in_which_they_happen() -> None:
    """Cycle by cycle against the independent model, which walks every PE."""

    class Watched(SystolicArray):
        def __init__(self, rows: int, cols: int, double_buffered: bool) -> None:
            super().__init__(rows, cols, double_buffered)
            self.seen: list[tuple[int, int]] = []

        def step(self, cycle: int) -> None:
            super().step(cycle)
            self.seen.append((self.counts["macs"], self.counts["dy_reads"]))

    values = tensors(*SIZES)
    x, w, dy = (Operand(name, (values[name].T if name == "w" else values[name]).tolist()) for name in ("x", "w", "dy"))
    dx, dw = WeightStationary(dy, w), OutputStationary(dy, x, "dw_writes")
    held, w_kn = Operand("dy", values["dy"].T.tolist()), Operand("w", values["w"].tolist())
    both_ways = (WeightStationary(w_kn, held), TurnedStationary(Operand("x", values["x"].T.tolist()), held))
    phases: dict[str, list[Any]] = {
        "interleaved": [(dx, dw)],
        "sequential": [(dx,), (dw,)],
        "interleaved_k": [both_ways],
    }
    for schedule in SIDES:
        for double_buffered in (False, True):
            model = Watched(*ARRAY, double_buffered)
            model.run(phases[schedule])
            array = Accelerator(*ARRAY, double_buffered)
            own = list(activities(backward_mappings(schedule, Gemm(*SIZES), array), Gemm(*SIZES), array))
            film = frames(schedule, recorded(schedule, values, array), own, array)
            booked = [(frame["macs"], frame["dy_reads"]) for frame in film["frames"]]
            assert booked == model.seen[: len(booked)]


def test_the_gradients_leave_at_the_bottom_or_the_right(shown: tuple[dict[str, Any], Recording]) -> None:
    film, recording = shown
    for edge_name, name in (("dX", "dx"), ("dW", "dw")):
        assert Counter(crossing(film, EXITS, edge_name)) == Counter(recording.results[name].ravel().tolist())


def test_the_operands_enter_at_the_left_and_the_top(shown: tuple[dict[str, Any], Recording]) -> None:
    film, recording = shown
    given = tensors(*SIZES)
    for edge_name, name in (("dY", "dy"), ("X", "x"), ("W", "w")):
        times = recording.counters.as_dict()[f"{name}_reads"] // given[name].size
        assert Counter(crossing(film, ENTRIES, edge_name)) == Counter(np.tile(given[name].ravel(), times).tolist())


def test_each_pe_does_one_thing_a_cycle(shown: tuple[dict[str, Any], Recording]) -> None:
    film, recording = shown
    done = Counter(code for frame in film["frames"] for line in frame["doing"] for code in line)
    b, k, n = SIZES
    assert done[DX] == done[DW] == b * k * n
    assert done[PADDING] > 0  # the edge tiles
    assert done[LOAD] > 0
    assert bool(done[DRAIN]) == (film["schedule"] != "interleaved_k")  # all of whose sums leave by the links
    assert sum(done.values()) == 9 * recording.counters.as_dict()["cycles"]
    assert done[IDLE] > 0


def test_planes_are_the_registers_of_that_cycle(shown: tuple[dict[str, Any], Recording]) -> None:
    film, recording = shown
    for frame, cycle in zip(film["frames"], recording.cycles, strict=True):
        for name, plane in cycle.registers.items():
            np.testing.assert_array_equal(np.array(frame["planes"][name]), plane)
    assert film["planes"][0] == "w"
    assert film["planes"][-2:] == ["h", "v"]


@pytest.mark.parametrize("double_buffered", [False, True])
@pytest.mark.parametrize("schedule", ["ws_only", "os_only"])
def test_mappings_in_turn_have_their_own_operands_at_the_edges(schedule: str, double_buffered: bool) -> None:
    gemm, array = Gemm(2, 2, 3), Accelerator(2, 2, double_buffered)
    mappings = backward_mappings(schedule, gemm, array)
    given = {name: jnp.asarray(values) for name, values in tensors(2, 2, 3).items()}
    recording = record_all(mappings, given, array)
    film = frames(schedule, recording, list(activities(mappings, gemm, array)), array)
    counts = recording.counters.as_dict()
    for name in ("dy", "x", "w"):
        label = {"dy": "dY", "x": "X", "w": "W"}[name]
        assert len(crossing(film, "left", label)) + len(crossing(film, "top", label)) == counts[f"{name}_reads"]
    assert film["frames"][-1]["dy_reads"] == counts["dy_reads"]
    assert len(crossing(film, "top", "psum")) == counts["psum_reads"]
    # A sum that leaves complete is a psum write too, but for a dW that is drained.
    leaving = sum(len(crossing(film, "bottom", label)) for label in ("psum", "dX", "dW"))
    assert leaving == counts["psum_writes"] + counts["dw_writes"]
    for label, name in (("dX", "dx"), ("dW", "dw")):
        assert Counter(crossing(film, "bottom", label)) == Counter(recording.results[name].ravel().tolist())
