"""Every plot, of few layers and of many: files that open, texts on the page that do not run into one another."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from jaxgrad.array import schedules
from jaxgrad.costs import Summary
from jaxgrad.hardware import Memory
from jaxgrad.reports import plots, style
from jaxgrad.reports.numbers import Unit
from jaxgrad.reports.pages import Page
from jaxgrad.reports.plots import canvas
from jaxgrad.reports.quantities import Quantity
from jaxgrad.reports.style import SCREEN, FigureStyle
from tests.reports.plots.examples import AXES, PLOTS
from tests.reports.plots.steps import FULL, summaries

# Those that look different with each layer more.
GROWING = ("cycles", "accesses", "utilisation", "roofline", "pareto", "curves", "spreads", "sweep")
STYLES = {f"{name}, {width}": FigureStyle.of(name, width) for name in style.STYLES for width in (None, "column")}


def outside(axis: Axis) -> list[Text]:
    """Labels of ticks beyond the ends of an axis, which are not drawn."""
    low, high = sorted(axis.get_view_interval())
    return [
        label
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())
        for label in (tick.label1, tick.label2)
        if not low <= tick.get_loc() <= high
    ]


@pytest.mark.parametrize("plot", PLOTS)
def test_a_plot_is_a_png_an_svg_with_texts_and_a_pdf_with_its_fonts(
    plot: str, tmp_path: Path, saved: list[Figure]
) -> None:
    png, svg, pdf = PLOTS[plot](3, tmp_path / "a.name", SCREEN)
    assert (png.name, svg.name, pdf.name) == ("a.name.png", "a.name.svg", "a.name.pdf")
    with Image.open(png) as image:
        assert (image.format, image.width, round(image.info["dpi"][0])) == ("PNG", 2400, 300)
        assert len(image.convert("RGB").getcolors(maxcolors=1 << 24) or []) > 10
    root = ElementTree.parse(svg).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "a title" in [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    content = pdf.read_bytes()
    assert content.count(b"/FontFile2") >= 1  # TrueType, in the file
    assert b"/Type3" not in content
    check_texts(saved[0])


@pytest.mark.parametrize("layers", [54, 265])
@pytest.mark.parametrize("plot", GROWING)
def test_texts_of_many_layers_can_be_read(plot: str, layers: int, tmp_path: Path, drawn: list[Figure]) -> None:
    PLOTS[plot](layers, tmp_path / "x", SCREEN)
    check_texts(drawn[0])


@pytest.mark.parametrize("name", ["screen, column", "paper, column"])
@pytest.mark.parametrize("plot", PLOTS)
def test_texts_on_paper_can_be_read(plot: str, name: str, tmp_path: Path, drawn: list[Page]) -> None:
    PLOTS[plot](30, tmp_path / "x", STYLES[name])
    (figure,) = drawn
    canvas.entitle(figure, "A title that is as long as those of experiments are, with the network and the array")
    assert figure.get_figwidth() == 3.5
    check_texts(figure)


def check_texts(figure: Figure) -> None:
    """All on the page, none over another, none too small."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    axes = [axes for axes in figure.axes if axes.get_visible()]
    hidden = {id(label) for own in axes for axis in (own.xaxis, own.yaxis) for label in outside(axis)}
    hidden |= {id(text) for own in figure.axes if not own.get_visible() for text in own.findobj(Text)}
    texts = [
        text
        for text in figure.findobj(Text)
        if text.get_text().strip() and text.get_visible() and id(text) not in hidden
    ]
    boxes = [(text.get_text(), Text.get_window_extent(text, renderer)) for text in texts]
    for (one, a), (other, b) in itertools.combinations(boxes, 2):
        assert not a.overlaps(b), (one, other)
    page = figure.bbox
    for text, box in boxes:
        assert page.x0 <= box.x0 < box.x1 <= page.x1, text
        assert page.y0 <= box.y0 < box.y1 <= page.y1, text
    assert min(float(text.get_fontsize()) for text in texts) >= 7


ALIKE = [f"interleaved, the best order of the blocks, all held [x], {end}" for end in ("iso-area $", "\u00e9", "3")]


def _step_named(schedule: str = "interleaved") -> dict[str, Summary]:
    return {name: summaries(3)[schedule] for name in ALIKE}


@pytest.mark.parametrize(
    "draw",
    [
        lambda path: plots.normalised_cycles(
            {f"{name}, batch 2": _step_named() for name in ALIKE}, path, "a title " * 30, baseline=ALIKE[0]
        ),
        lambda path: plots.utilisation_by_layer(_step_named(), path, ALIKE[0]),
        lambda path: plots.roofline(_step_named(), path, ALIKE[0]),
        lambda path: plots.descents(
            {name: [[3.0, 2.0, 1.0]] for name in ALIKE}, {}, path, ALIKE[0], y_label="EDP [J s]"
        ),
        lambda path: plots.sweep(
            {name: [(1, 1.0), (2, 3.0)] for name in ALIKE}, path, ALIKE[0], x_label=ALIKE[0] * 2, y_label=ALIKE[0]
        ),
        lambda path: plots.pareto(
            [plots.Point(name, (10.0**n, 10.0**-n), name) for n, name in enumerate(ALIKE)],
            path,
            ALIKE[0],
            (Quantity("area", Unit("mm2", 1.0)), Quantity("clock cycles", Unit("cycles", 1.0))),
        ),
    ],
)
def test_long_names_that_differ_at_their_ends_can_be_read(
    draw: Callable[[Path], Any], tmp_path: Path, drawn: list[Figure]
) -> None:
    draw(tmp_path / "x")
    check_texts(drawn[0])


def test_long_names_stay_on_the_page(tmp_path: Path, drawn: list[Figure]) -> None:
    lines = {f"a variant with a name that goes on and on, {index}": [(1, 1.0), (2, index)] for index in range(6)}
    plots.sweep(lines, tmp_path / "long", "a title", **AXES)
    (figure,) = drawn
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    boxes = [text.get_window_extent(renderer) for text in figure.legends[0].get_texts()]
    assert all(figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1 for box in boxes)
    assert len({round(box.x0) for box in boxes}) == 2


def test_the_ridge_at_the_edge_of_a_roofline_is_named_within_its_panel(tmp_path: Path, drawn: list[Figure]) -> None:
    for index, gb_per_s in enumerate((0.05, 5000.0)):
        machine = replace(FULL, memory=Memory(4096, gb_per_s))
        plots.roofline(summaries(3, machine), tmp_path / "roof", "a title")
        figure = drawn[index]
        renderer = FigureCanvasAgg(figure).get_renderer()
        figure.draw(renderer)
        for axes in figure.axes:
            for text in axes.texts:
                box, panel = Text.get_window_extent(text, renderer), axes.bbox
                assert panel.x0 <= box.x0 < box.x1 <= panel.x1, gb_per_s


def test_the_same_figure_gives_the_same_bytes(tmp_path: Path) -> None:
    first = plots.energy_by_component(summaries(), tmp_path / "first", "a title")
    second = plots.energy_by_component(summaries(), tmp_path / "second", "a title")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_labels_that_are_no_schedules_have_colours_of_their_own() -> None:
    labels = ["mine", "interleaved", "yours", "ws_only", "theirs"]
    found = style.colours(labels)
    assert len(set(found.values())) == len(labels)
    assert found["interleaved"] == schedules.find("interleaved").colour
    for looks in (style.PHASES, style.ENERGY, style.OPERANDS):
        seen = {name: (look.colour, look.hatch) for name, look in looks.items() if name != "backward"}
        assert len(set(seen.values())) == len(seen)


def test_texts_of_an_svg_say_how_long_they_are(tmp_path: Path) -> None:
    for name, figure_style in STYLES.items():
        _, svg, _ = PLOTS["training"](3, tmp_path / name.replace(", ", "_"), figure_style)
        texts = [*ElementTree.parse(svg).getroot().iter("{http://www.w3.org/2000/svg}text")]
        assert texts
        assert all(text.get("lengthAdjust") == "spacingAndGlyphs" for text in texts)
        (accuracy,) = [text for text in texts if text.text == "accuracy"]
        assert 20 < float(accuracy.get("textLength", 0)) < 60
