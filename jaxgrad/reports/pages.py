"""Figures whose texts are plain: a ``$`` in a name is a dollar sign, not the start of mathematics."""

from __future__ import annotations

from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.text import Text

WIDTH_INCHES = 8.0


class Page(Figure):
    """A figure of the page's width without math mode in its texts."""

    def __init__(self, height_inches: float) -> None:
        super().__init__(figsize=(WIDTH_INCHES, height_inches), layout="constrained")

    def draw(self, renderer: Any) -> None:
        for text in self.findobj(Text):
            text.set_parse_math(False)
        with matplotlib.rc_context({"text.parse_math": False}):  # for labels at ticks, which are made as they are drawn
            super().draw(renderer)
