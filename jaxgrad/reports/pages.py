"""Figures whose texts are plain: a ``$`` in a name is a dollar sign, and letters come from whichever font has them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import matplotlib
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.text import Text

from jaxgrad.reports.style import SCREEN, FigureStyle

# For what matplotlib's own font lacks; a family that is not there would be a warning.
_FALLBACKS = (
    *("Noto Sans CJK JP", "Noto Sans CJK SC", "WenQuanYi Micro Hei", "Hiragino Sans", "Microsoft YaHei"),
    *("Noto Sans Symbols2", "Arial Unicode MS"),
)
# What an SVG names after the font that it was laid out with: families of nearly its widths come first.
_ALIKE: dict[Any, Sequence[str]] = {
    "font.sans-serif": ("DejaVu Sans", "Bitstream Vera Sans", "Verdana"),
    "font.serif": ("STIXGeneral", "STIX Two Text", "Times New Roman", "Times", "Liberation Serif", "DejaVu Serif"),
}
_FRAME_POINTS = 0.6  # of a paper's axes and ticks


@functools.cache
def families(*, serif: bool = False) -> tuple[str, ...]:
    """Fonts for texts, in the order in which a letter is looked for; both first ones come with matplotlib."""
    own = ("STIXGeneral", "serif", "DejaVu Sans") if serif else ("DejaVu Sans", "sans-serif")
    return *own, *(name for name in _FALLBACKS if name in font_manager.get_font_names())


class Page(Figure):
    """A figure of its style's width, without math mode in its texts."""

    def __init__(self, height_inches: float, style: FigureStyle = SCREEN) -> None:
        super().__init__(figsize=(style.width_inches, height_inches), layout="constrained")
        self.style = style

    def grow(self, inches: float) -> None:
        """Makes it higher."""
        self.set_figheight(self.get_figheight() + inches)

    def draw(self, renderer: Any) -> None:
        fonts = families(serif=self.style.serif)
        for text in self.findobj(Text):
            text.set_parse_math(False)
            text.set_fontfamily(fonts)
        if self.style.serif:
            self._thin()
        # For labels at ticks, which are made as they are drawn.
        with matplotlib.rc_context({"text.parse_math": False, "font.family": fonts, **_ALIKE}):
            super().draw(renderer)

    def _thin(self) -> None:
        for axes in self.axes:
            for spine in axes.spines.values():
                spine.set_linewidth(_FRAME_POINTS)
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_tick_params(which="both", width=_FRAME_POINTS)
