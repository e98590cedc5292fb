"""The page: self-contained, and with the runs in it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from jaxgrad import Accelerator, Gemm, count
from jaxgrad.array import schedules
from jaxgrad.reports.timeline import animation

GEMM, ARRAY = Gemm(2, 3, 3), Accelerator(2, 2)
SCHEDULES = ("interleaved", "sequential", "ws_only")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "animation.html"
    assert animation.write(animation.films(SCHEDULES, GEMM, ARRAY), path, "a </script> title") == path
    assert [found.name for found in path.parent.iterdir()] == ["animation.html"]
    return path.read_text(encoding="utf-8")


def data(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_it_holds_all_runs_cycle_by_cycle(page: str) -> None:
    content = data(page)
    assert content["title"] == "a </script> title"
    assert [run["schedule"] for run in content["runs"]] == list(SCHEDULES)
    for run in content["runs"]:
        expected = count(GEMM, ARRAY, run["schedule"]).as_dict()
        assert len(run["frames"]) == expected["cycles"]
        assert run["frames"][-1]["dy_reads"] == expected["dy_reads"]
        assert run["description"] == schedules.find(run["schedule"]).description


def test_all_runs_compute_the_same(page: str) -> None:
    out = [
        sorted(w["value"] for frame in run["frames"] for w in frame["bottom"] if w["name"] in ("dX", "dW"))
        for run in data(page)["runs"]
    ]
    assert out[0] == out[1] == out[2]


def test_it_needs_nothing_from_elsewhere(page: str) -> None:
    addresses = set(re.findall(r"https?://[^\"'\s]+", page))
    assert addresses == {"http://www.w3.org/2000/svg"}  # a name, not an address that is loaded
    assert not re.search(r"\b(src|href)=|@import|url\(|fetch\(|XMLHttpRequest", page)


def test_every_control_that_the_script_asks_for_is_there(page: str) -> None:
    asked = set(re.findall(r'element\("(\w+)"\)', page))
    assert asked <= set(re.findall(r'id="(\w+)"', page))
    assert {"play", "next", "back", "cycle", "speed"} <= asked
