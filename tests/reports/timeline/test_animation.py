"""The page: self-contained, and with the runs in it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxgrad import Accelerator, Gemm, count
from jaxgrad.array import schedules
from jaxgrad.reports.timeline import animation
from tests.browsing import WIDTHS, opened, overflow

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


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Interleaved on 2 x 2 PEs, of which DESIGN.md tells every cycle: two of load, then b = 0, 0, 1, 1 in slots."""
    path = tmp_path_factory.mktemp("small") / "animation.html"
    return animation.write(animation.films(("interleaved",), Gemm(2, 2, 2), Accelerator(2, 2)), path, "small")


def test_each_pe_shows_what_it_multiplies(chromium: Any, small: Path) -> None:
    with opened(chromium, small, place="#5") as page:
        shown = page.locator(".array").text_content()
        for formula in (
            *("dX[1,0] +=dY[1,0]\u00b7W[0,0]", "dW[1,0] +=X[0,1]\u00b7dY[0,0]"),
            *("dW[0,1] +=X[0,0]\u00b7dY[0,1]", "dX[0,1] +=dY[0,1]\u00b7W[1,1]"),
        ):
            assert formula in shown
        assert "dY[1,0]" in shown
        marked = {
            name: page.eval_on_selector_all(
                f".matrix:nth-child({place}) td",
                "cells => cells.map(cell => [...cell.classList].filter(name => name !== 'open').sort().join(' '))",
            )
            for place, name in enumerate(("X", "W", "dY", "dX", "dW"), 1)
        }
    assert marked == {
        "X": ["dw", "dw enters", "", ""],
        "W": ["dx", "", "", "dx"],
        "dY": ["dw", "dw dx", "dx enters", ""],
        "dX": ["", "dx", "dx", ""],
        "dW": ["", "dw", "dw", ""],
    }


def test_at_the_end_the_gradients_are_there(chromium: Any, small: Path) -> None:
    given = {name: np.array(rows) for name, rows in data(small.read_text())["runs"][0]["operands"].items()}
    with opened(chromium, small, place="#999") as page:
        dx, dw = (
            np.array(page.locator(f".matrix:nth-child({place}) td").all_text_contents(), int).reshape(2, 2)
            for place in (4, 5)
        )
        assert page.locator("figcaption").all_text_contents()[3:] == [
            "dX[b, k] 4 of 4 complete", "dW[k, n] 4 of 4 complete",
        ]  # fmt: skip
    np.testing.assert_array_equal(dx, given["dY"] @ given["W"].T)
    np.testing.assert_array_equal(dw, given["X"].T @ given["dY"])


def test_keys_lead_through_the_cycles(chromium: Any, small: Path) -> None:
    with opened(chromium, small) as page:

        def after(*keys: str) -> str:
            for key in keys:
                page.keyboard.press(key)
            return page.locator("#clock").text_content()

        cycles = count(Gemm(2, 2, 2), Accelerator(2, 2), "interleaved").as_dict()["cycles"]
        assert after() == f"cycle 1 of {cycles}"
        assert after("ArrowRight", "ArrowRight", "ArrowLeft") == f"cycle 2 of {cycles}"
        assert after("End") == f"cycle {cycles} of {cycles}"
        assert after("Home", "PageDown") == f"cycle {min(11, cycles)} of {cycles}"
        page.keyboard.press("Home")
        page.keyboard.press("Space")
        assert page.locator("#play").text_content() == "pause"
        page.keyboard.press("Space")
        assert page.locator("#play").text_content() == "play"
        page.locator("#next").click()
        page.keyboard.press("Space")  # plays: a button that a mouse pressed does not keep the keys
        assert page.locator("#play").text_content() == "pause"
        assert "space" in page.locator("#keys").text_content()


@pytest.mark.parametrize("width", WIDTHS)
def test_it_is_as_wide_as_the_window(chromium: Any, page: str, tmp_path: Path, width: int) -> None:
    path = tmp_path / "animation.html"
    path.write_text(page)
    with opened(chromium, path, width, "#9") as shown:
        assert overflow(shown) == 0
        sizes = shown.eval_on_selector_all(
            ".array text", "all => all.filter(one => one.textContent).map(one => one.getBoundingClientRect().height)"
        )
        assert min(sizes) >= 8
