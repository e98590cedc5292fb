"""Designs to look around in: what the page has, and what a reader's browser makes of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jaxgrad.reports import html
from jaxgrad.reports.interactive.designs import Designs, Result, widget
from jaxgrad.reports.numbers import Unit
from jaxgrad.reports.quantities import Quantity
from tests.browsing import WIDTHS, opened, overflow
from tests.refusals import Refusal, assert_refused

EVIL = "</script><b>&'\""
CYCLES, ENERGY, AREA = (
    Quantity("cycles", Unit("cycles", 1.0)), Quantity("energy", Unit("uJ", 1e6)), Quantity("area", Unit("mm2", 1e6))
)  # fmt: skip


def designs() -> Designs:
    """Five, the first three on the front of cycles and energy."""
    return Designs(
        rows=[7, 2, 5, 1, 9],
        optimal=[True, True, True, False, False],
        groups=["net"] * 5,
        parameters={
            "network": [EVIL] * 5,
            "schedule": ["ws_only", "interleaved", "ws_only", "interleaved", "ws_only"],
            "SRAM [KiB]": [64, 64, 32, 128, 32],
        },
        results=[
            Result(CYCLES, [1000, 2000, 40_000, 50_000, 60_000], spanned=True),
            Result(ENERGY, [9e6, 8e6, 7e6, 9.5e6, 8.5e6], spanned=True),
            Result(AREA, [1e6, 3e6, 2e6, 1.5e6, 1234567.0]),
        ],
        colour="schedule",
    )


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("altair", reason="needs pip install 'jaxgrad[interactive]'")
    pytest.importorskip("vl_convert", reason="needs pip install 'jaxgrad[interactive]'")
    shown = designs()
    section = html.Section("Designs", tables=[shown.table(range(3))], widgets=[widget(shown, range(3))])
    return html.write(tmp_path_factory.mktemp("page") / "designs.html", "Designs", [section])


def content(page: Path) -> dict[str, Any]:
    """What its script is given."""
    text = page.read_text(encoding="utf-8")
    return json.loads(text.partition('<script type="application/json">')[2].partition("</script>")[0])


def test_it_has_every_design_with_units_as_the_tables_write_them(page: Path) -> None:
    given = content(page)
    columns = given["columns"]
    assert columns["row"] == [7, 2, 5, 1, 9]
    assert columns["optimal"] == [True, True, True, False, False]
    assert [axis["label"] for axis in given["axes"]] == ["cycles", "energy [uJ]", "area [mm2]"]
    assert [axis["log"] for axis in given["axes"]] == [True, False, False]
    assert columns["r1"] == [9, 8, 7, 9.5, 8.5]
    assert columns["r2"][-1] == 1.23457
    assert columns["tr0"] == ["1.00k", "2.00k", "40.0k", "50.0k", "60.0k"]
    assert columns["tr2"][-1] == "1.23"
    told = {"row", "network", "schedule", "SRAM [KiB]", "cycles", "energy [uJ]", "area [mm2]"}
    assert set(given["told"].values()) == told
    sram = next(parameter for parameter in given["parameters"] if parameter["label"] == "SRAM [KiB]")
    assert [sram["values"][code] for code in columns[sram["field"]]] == ["64", "64", "32", "128", "32"]
    assert len(set(sram["colours"])) == 3


def test_the_page_is_whole_without_the_net(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert 500_000 < len(text) < 1_300_000  # the libraries are in it, once
    assert "</script><b>" not in text
    for fetching in ("src=", "@import", "<link"):
        assert fetching not in text.partition("</style>")[0]


def test_too_little_to_draw_is_refused() -> None:
    few: dict[str, Any] = {"rows": [1], "optimal": [True], "groups": [""], "parameters": {}, "colour": ""}
    none: dict[str, Any] = few | {"rows": []}
    one = [Result(CYCLES, [1])]
    assert_refused(Refusal(lambda: Designs(**few, results=one), "results", "1", "at least two"))
    assert_refused(Refusal(lambda: Designs(**none, results=one), "rows", "[]", "at least one design"))


@pytest.fixture
def drawn(page: Path, chromium: Any) -> Iterator[Any]:
    with opened(chromium, page) as tab:
        _wait(tab, "r0 r1 p1")
        yield tab


def _wait(tab: Any, drawing: str) -> None:
    """Until the chart shows these axes and colours."""
    tab.wait_for_selector(f'.chart[data-drawn="{drawing}"]', state="attached")


POINTS = ".chart .mark-symbol path"


def test_points_are_drawn_and_other_axes_move_them(drawn: Any) -> None:
    assert drawn.locator(POINTS).count() == 5
    assert drawn.locator(".count").inner_text() == "5 points, 3 of them outlined"
    assert drawn.locator(".chart .mark-line path").count() == 1

    def places() -> list[str]:
        return drawn.eval_on_selector_all(POINTS, "all => all.map((one) => one.getAttribute('transform'))")

    before = places()
    drawn.select_option("select[name=y]", label="area [mm2]")
    _wait(drawn, "r0 r2 p1")
    assert len(places()) == 5
    assert places() != before
    assert "area [mm2]" in drawn.locator(".chart").inner_text()
    assert drawn.locator(".chart .mark-line path").count() == 0  # the front is not one of area
    drawn.select_option("select[name=x]", label="energy [uJ]")
    drawn.select_option("select[name=colour]", label="SRAM [KiB]")
    _wait(drawn, "r1 r2 p2")


def test_ticks_filter_by_the_keyboard_too(drawn: Any) -> None:
    tick = drawn.get_by_role("checkbox", name="ws_only")
    tick.focus()
    drawn.keyboard.press("Space")
    drawn.wait_for_function("document.querySelector('.count').textContent.startsWith('2 points, 1')")
    assert drawn.locator(POINTS).count() == 2
    assert "schedule: 1 of 2 drawn" in drawn.locator(".values").inner_text()
    drawn.keyboard.press("Space")
    drawn.wait_for_function("document.querySelector('.count').textContent.startsWith('5 points')")


def test_the_pointer_shows_a_design_and_a_click_its_row(drawn: Any) -> None:
    drawn.locator(POINTS).nth(2).hover()  # the two dominated come first: this is row 7
    tip = drawn.locator("#vg-tooltip-element.visible")
    tip.wait_for()
    shown = tip.inner_text()
    for text in (
        "row",
        "7",
        "network",
        EVIL,
        "schedule",
        "ws_only",
        "SRAM [KiB]",
        "64",
        "cycles",
        "1.00k",
        "energy [uJ]",
        "9",
    ):
        assert text in shown
    assert drawn.locator("tr.under").inner_text().split()[0] == "7"
    drawn.locator(POINTS).nth(2).click()
    assert drawn.locator("tr.chosen").inner_text().split()[0] == "7"
    assert "1.00k" in drawn.locator(".picked").inner_text()


def test_a_row_picks_its_point_by_the_keyboard_wherever_it_is_sorted_to(drawn: Any) -> None:
    drawn.get_by_role("button", name="energy [uJ]").click()
    first = drawn.locator("tbody tr").first
    assert first.inner_text().split()[0] == "5"
    first.get_by_role("button").focus()
    drawn.keyboard.press("Enter")
    assert first.get_attribute("class") == "chosen"
    assert "40.0k" in drawn.locator(".picked").inner_text()
    drawn.wait_for_function(f"document.querySelectorAll('{POINTS}').length === 6")  # and the ring
    ring, points = drawn.locator(POINTS).last, drawn.locator(POINTS)
    assert ring.get_attribute("transform") == points.nth(4).get_attribute("transform")


def test_a_line_joins_the_best_of_two_axes_and_ends_there(page: Path, chromium: Any) -> None:
    """A design that is on the front for another quantity's sake is not on the line."""
    shown = designs()
    marked = Designs(shown.rows, [True] * 5, shown.groups, shown.parameters, shown.results, shown.colour)
    section = html.Section("Designs", tables=[marked.table(range(5))], widgets=[widget(marked, range(5))])
    with opened(chromium, html.write(page.with_name("marked.html"), "Designs", [section])) as tab:
        _wait(tab, "r0 r1 p1")
        path = tab.locator(".chart .mark-line path").get_attribute("d")
        assert len(re.findall(r"[ML]", path)) == 5  # two steps of two, from the first of three designs
        rightmost = max(float(x) for x in re.findall(r"[ML]([\d.]+),", path))
        third = tab.locator(POINTS).nth(2).get_attribute("transform")
        assert rightmost == pytest.approx(float(third.partition("(")[2].partition(",")[0]))


def test_a_crowd_is_drawn_as_a_picture_whose_points_tell_too(page: Path, chromium: Any) -> None:
    count = 3500
    cycles = [1000 + index for index in range(count)]
    results = [Result(CYCLES, cycles), Result(ENERGY, [1e6 * (index % 9 + 1) for index in range(count)])]
    rows = list(range(1, count + 1))
    crowd = Designs(rows, [False] * count, ["net"] * count, {"schedule": ["free"] * count}, results, "schedule")
    section = html.Section("Designs", widgets=[widget(crowd, [])])
    with opened(chromium, html.write(page.with_name("crowd.html"), "Designs", [section])) as tab:
        _wait(tab, "r0 r1 p0")
        assert tab.locator(".count").inner_text() == "3,500 points, 0 of them outlined"
        canvas = tab.locator(".chart canvas")
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        for down in range(0, 400, 4):  # across one of the nine lines of points
            tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + down)
            if tab.locator("#vg-tooltip-element.visible").count():
                break
        assert "energy [uJ]" in tab.locator("#vg-tooltip-element.visible").inner_text()


def test_on_a_phone_the_whole_design_is_within_the_window(page: Path, chromium: Any) -> None:
    with opened(chromium, page, 360) as tab:
        _wait(tab, "r0 r1 p1")
        tab.locator(POINTS).nth(3).hover()
        tip = tab.locator("#vg-tooltip-element.visible")
        tip.wait_for()
        box = tip.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360


@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_every_window(page: Path, chromium: Any, width: int) -> None:
    with opened(chromium, page, width) as tab:
        _wait(tab, "r0 r1 p1")
        assert overflow(tab) == 0
        box = tab.locator(".chart svg").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width


def test_in_the_dark_it_is_drawn_anew(drawn: Any) -> None:
    def ink() -> str:
        return drawn.locator(".chart .role-axis-label text").first.get_attribute("fill")

    light = ink()
    drawn.emulate_media(color_scheme="dark")
    drawn.wait_for_function(
        f"document.querySelector('.chart .role-axis-label text')?.getAttribute('fill') !== '{light}'"
    )
    assert int(light[1:3], 16) < 0x40 < 0xC0 < int(ink()[1:3], 16)
