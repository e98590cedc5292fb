"""The HTML report: well-formed, whole in one file, and every text in it as text."""

from __future__ import annotations

import base64
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from jaxgrad.reports.html import Figure, Section, Table, write
from tests.browsing import WIDTHS, opened, overflow
from tests.refusals import Refusal, assert_refused

EVIL = "<script>alert('x')</script> & \"more\""
VOID = ("meta", "img", "br", "hr", "link", "input")
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'


class Page(HTMLParser):
    """Tags with their attributes, and the text between; refuses a tag that is closed out of turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(data.strip())

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def sections(tmp_path: Path) -> list[Section]:
    svg, png = tmp_path / "one.svg", tmp_path / "two.PNG"
    svg.write_bytes(SVG)
    png.write_bytes(b"\x89PNG")
    table = Table(("layer", "cycles", "energy [uJ]", "ratio"), [("a", 1234567, 1.23456, "0.98x"), (EVIL, 5, None, "-")])
    inner = Section("Inner", ["deep"], figures=[Figure(png, "second")], sections=[Section("Innermost")])
    return [
        Section("Results", ["first", EVIL], [table], [Figure(svg, EVIL)], ["a note"], [inner]),
        Section(EVIL, notes=[EVIL]),
    ]


def test_everything_is_shown_as_text_in_its_order(tmp_path: Path, sections: list[Section]) -> None:
    path = write(tmp_path / "report.html", EVIL, sections)
    page = Page(path.read_text(encoding="utf-8"))
    tags = [tag for tag, _ in page.tags]
    assert tags.count("script") == 1
    assert page.texts.count(EVIL) == 8  # title twice, contents, heading, paragraph, cell, caption, note
    order = ["Results", "first", "1,234,567", "a note", "Inner", "deep", "second", "Innermost"]
    shown = page.texts[len(page.texts) - 1 - page.texts[::-1].index("Results") :]
    assert [shown.index(text) for text in order] == sorted(shown.index(text) for text in order)
    assert [tag for tag in tags if tag in ("h1", "h2", "h3", "h4")] == ["h1", "h2", "h3", "h4", "h2"]


def test_nothing_is_fetched(tmp_path: Path, sections: list[Section]) -> None:
    page = Page(write(tmp_path / "report.html", "a title", sections).read_text(encoding="utf-8"))
    for _, attributes in page.tags:
        for name in ("src", "href", "srcset", "data", "action"):
            assert (attributes.get(name) or "#").startswith(("#", "data:image/", "one.svg", "two.PNG"))
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "http:" not in text
    assert "https:" not in text
    assert "@import" not in text
    assert "url(" not in text
    images = [str(attributes["src"]) for attributes in page.attributes("img")]
    kinds, contents = zip(*(image.split(";base64,") for image in images), strict=True)
    assert kinds == ("data:image/svg+xml", "data:image/png")
    assert [base64.b64decode(content) for content in contents] == [SVG, b"\x89PNG"]


def test_the_contents_lead_to_each_section(tmp_path: Path, sections: list[Section]) -> None:
    page = Page(write(tmp_path / "report.html", "a title", sections).read_text(encoding="utf-8"))
    places = [attributes["id"] for attributes in page.attributes("section")]
    assert len(set(places)) == len(places) == 4
    assert [attributes["href"] for attributes in page.attributes("a")][:4] == [f"#{place}" for place in places]


def test_it_links_to_its_data_and_to_every_file_of_a_figure(tmp_path: Path, sections: list[Section]) -> None:
    for name in ("results.csv", "one.pdf", "one.csv", "sub/50% #1.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    written = [tmp_path / name for name in ("results.csv", "one.svg", "one.pdf", "sub/50% #1.yaml")]
    page = Page(write(tmp_path / "report.html", "a title", sections, written).read_text(encoding="utf-8"))
    links = [str(attributes["href"]) for attributes in page.attributes("a")][4:]
    assert links == ["results.csv", "sub/50%25%20%231.yaml", "one.csv", "one.pdf", "one.svg", "two.PNG"]
    assert all((tmp_path / unquote(link)).is_file() for link in links)


def test_columns_of_numbers_stand_at_the_right(tmp_path: Path, sections: list[Section]) -> None:
    page = Page(write(tmp_path / "report.html", "a title", sections).read_text(encoding="utf-8"))
    right = [attributes.get("class") == "number" for attributes in page.attributes("th")]
    assert right == [False, True, True, True]
    assert [attributes.get("class") == "number" for attributes in page.attributes("td")] == right * 2


def test_a_table_too_wide_for_a_window_comes_in_parts_that_all_name_their_rows(tmp_path: Path) -> None:
    headers = ["network", "variant", *(f"quantity {index}" for index in range(30))]
    names = ("a net", "a variant with a name longer than its column, [x]")
    table = Table(headers, [(*names, *(1e-9 * index for index in range(30)))], "of all")
    assert len(table.parts) > 1
    assert all(part[:2] == [0, 1] and len(part) >= 10 for part in table.parts)
    page = Page(write(tmp_path / "report.html", "a title", [Section("x", tables=[table])]).read_text(encoding="utf-8"))
    assert page.texts.count("a net") == page.texts.count(names[1]) == len(table.parts)
    assert all(page.texts.count(header) == 1 for header in headers[2:])
    assert page.texts.count("of all (continued)") == len(table.parts) - 1
    assert Table(headers[:9], [(*names, *range(7))]).parts == [list(range(9))]


def test_a_name_that_a_row_leaves_out_is_that_of_the_row_above() -> None:
    rows = [("a", "x", ""), ("", "y", 1), ("", "", 2), ("b", "", 3), ("", "z", "")]
    assert Table(["1", "2", "3"], rows).again == [[], ["a"], ["a", "y"], [], ["b"]]


@pytest.fixture(scope="module")
def tabled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table in one part, and a wide one in several; the first with the numbers of every report."""
    headers = ["network", "variant", "cycles", "share", "change [%]", "array"]
    rows = [
        ("a", "ws", "1.23M", "9%", float("nan"), "16x16"),
        ("", "os", "999", "10%", 1.5, "8x8"),
        ("b", "ws", "45k", "-", -20, "128x128"),
        ("", "os", "2.0G", "100%", None, "8x16"),
        ("c", "ws", "-", "0.5%", 3.25, "4x4"),
    ]
    wide = Table(
        ["name", *(f"quantity {index}" for index in range(30))],
        [(name, *(at * index * 1e9 for index in range(30))) for name, at in (("one", 2), ("two", 1), ("three", 3))],
    )
    assert len(wide.parts) > 1
    path = tmp_path_factory.mktemp("tables") / "report.html"
    return write(path, "a title", [Section("x", tables=[Table(headers, rows), wide])])


def column(page: Any, table: int, index: int) -> list[str]:
    rows = page.locator("table").nth(table).locator("tbody tr:visible").all()
    return [row.locator("td").nth(index).inner_text() for row in rows]


def click(page: Any, header: str) -> None:
    page.get_by_role("button", name=header, exact=True).first.click()


@pytest.mark.parametrize(
    ("header", "index", "ascending"),
    [
        ("cycles", 2, ["999", "45k", "1.23M", "2.0G", "-"]), ("share", 3, ["0.5%", "9%", "10%", "100%", "-"]),
        ("change [%]", 4, ["-20", "1.5", "3.25", "nan", "-"]),
        ("array", 5, ["4x4", "8x8", "8x16", "16x16", "128x128"]), ("network", 0, ["a", "a", "b", "b", "c"]),
    ],
)  # fmt: skip
def test_a_header_sorts_numbers_as_numbers(
    chromium: Any, tabled: Path, header: str, index: int, ascending: list[str]
) -> None:
    with opened(chromium, tabled) as page:
        before = column(page, 0, index)
        order = page.locator("table").first.get_by_role("columnheader").nth(index)
        assert order.get_attribute("aria-sort") == "none"
        click(page, header)
        assert column(page, 0, index) == ascending
        assert order.get_attribute("aria-sort") == "ascending"
        page.keyboard.press("Enter")  # the button has the focus
        last = [cell for cell in ascending if cell in ("-", "nan")]
        assert column(page, 0, index) == [*[cell for cell in ascending if cell not in last][::-1], *last]
        assert order.get_attribute("aria-sort") == "descending"
        click(page, header)
        assert column(page, 0, index) == before
        assert order.get_attribute("aria-sort") == "none"


def test_a_filter_narrows_rows_by_names_that_they_leave_out_too(chromium: Any, tabled: Path) -> None:
    with opened(chromium, tabled) as page:
        assert page.get_by_role("searchbox").count() == 1  # three rows need none
        assert page.locator(".again").first.evaluate("cell => getComputedStyle(cell).opacity") == "0"
        page.get_by_label("Filter rows").fill("OS b")
        assert column(page, 0, 2) == ["2.0G"]
        assert column(page, 0, 0) == ["b"]
        assert page.locator("output").inner_text().startswith("1 of 5")
        assert page.locator("tr:visible .again").evaluate("cell => getComputedStyle(cell).opacity") == "1"
        page.get_by_label("Filter rows").fill("")
        assert len(column(page, 0, 2)) == 5


def test_all_parts_of_a_wide_table_are_sorted_together(chromium: Any, tabled: Path) -> None:
    with opened(chromium, tabled) as page:
        click(page, "quantity 29")
        assert column(page, 1, 0) == column(page, 2, 0) == ["two", "one", "three"]
        assert page.locator("th[aria-sort=ascending]").count() == 1


@pytest.mark.parametrize("width", WIDTHS)
def test_it_is_as_wide_as_the_window(chromium: Any, tabled: Path, width: int) -> None:
    with opened(chromium, tabled, width) as page:
        assert overflow(page) == 0


def test_of_scripts_the_browser_runs_the_page_s_own_alone(chromium: Any, tabled: Path, tmp_path: Path) -> None:
    text = tabled.read_text(encoding="utf-8").replace("</main>", "</main><script>document.title = 'got in'</script>")
    (tmp_path / "report.html").write_text(text, encoding="utf-8")
    with pytest.raises(AssertionError, match="Content Security Policy"), opened(chromium, tmp_path / "report.html"):
        pass


@pytest.mark.parametrize(
    ("cells", "numeric"),
    [
        ((1, 2.5, None), True), (("1.2M", "-3 %", "±4"), True), (("1e-9", "nan", "-"), True), (("+3.1%", ""), True),
        (("4x4", "8x8"), False), (("1", "one"), False), (("1.4 to 2.2",), False), ((True,), False), ((), False),
    ],
)  # fmt: skip
def test_what_counts_as_a_number(cells: tuple, numeric: bool) -> None:
    assert Table(["a"], [[cell] for cell in cells]).numeric == [numeric]


def test_a_report_is_replaced_whole_or_not_at_all(tmp_path: Path, sections: list[Section]) -> None:
    path = write(tmp_path / "report.html", "a title", sections)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="figures: got"):
        write(path, "another", [*sections, Section("x", figures=[Figure(tmp_path / "none.svg", "gone")])])
    assert path.read_bytes() == before
    write(path, "another", [])
    assert b"another" in path.read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["one.svg", "report.html", "two.PNG"]


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(lambda: Table(("a", "b"), [(1, 2), (1,)]), "rows", "1 cells in row 2", "2"),
        Refusal(
            lambda: write(Path("x"), "", [Section("", figures=[Figure(Path("a.pdf"), "")])]),
            "figures", "a.pdf", "svg",
        ),
        Refusal(
            lambda: write(Path("x"), "", [Section("", figures=[Figure(Path("/none/a.svg"), "")])]),
            "figures", "/none/a.svg", "read",
        ),
        Refusal(lambda: write(Path("x"), "", [], [Path("/none/a.csv")]), "data", "/none/a.csv", "there"),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_refused(refusal: Refusal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert_refused(refusal)
    assert not list(tmp_path.iterdir())
