"""Figures whose texts are plain: a ``$`` in a name is a dollar sign, and letters come from whichever font has them."""

from __future__ import annotations

import functools
from typing import Any

import matplotlib
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.text import Text

WIDTH_INCHES = 8.0
# For what matplotlib's own font lacks; a family that is not there would be a warning.
_FALLBACKS = (
    *("Noto Sans CJK JP", "Noto Sans CJK SC", "WenQuanYi Micro Hei", "Hiragino Sans", "Microsoft YaHei"),
    *("Noto Sans Symbols2", "Arial Unicode MS"),
)


@functools.cache
def families() -> tuple[str, ...]:
    """Fonts for texts, in the order in which a letter is looked for."""
    return "DejaVu Sans", *(name for name in _FALLBACKS if name in font_manager.get_font_names())


class Page(Figure):
    """A figure of the page's width without math mode in its texts."""

    def __init__(self, height_inches: float) -> None:
        super().__init__(figsize=(WIDTH_INCHES, height_inches), layout="constrained")

    def draw(self, renderer: Any) -> None:
        for text in self.findobj(Text):
            text.set_parse_math(False)
            text.set_fontfamily(families())
        # For labels at ticks, which are made as they are drawn.
        with matplotlib.rc_context({"text.parse_math": False, "font.family": families()}):
            super().draw(renderer)
