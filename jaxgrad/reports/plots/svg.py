"""Texts of an SVG that stay in their places where its fonts lack: each says how long it is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.sax.saxutils import escape, unescape

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

_TEXT = re.compile(r'<text style="(?P<style>[^"]*)"(?P<more>[^>]*)>(?P<text>[^<]*)</text>')
_SIZE = re.compile(r"font-size: ([\d.]+)px")
_WEIGHT = re.compile(r"font-weight: (\d+)")
_SPACES = re.compile(r"^ +| {2,}")


def with_lengths(svg: str, families: Sequence[str]) -> str:
    """The same with a ``textLength`` at each text, by which a wider font is set narrower, and with all of its spaces.

    Source: SVG 2, section 11.5, ``textLength`` and ``lengthAdjust``.

    Args:
        svg: as matplotlib writes it with ``svg.fonttype`` none.
        families: in which its texts were laid out.
    """

    def lengthened(found: re.Match[str]) -> str:
        style, text = found["style"], unescape(found["text"])
        size, weight = _SIZE.search(style), _WEIGHT.search(style)
        if size is None or not text.strip():
            return found[0]
        font = FontProperties(family=list(families), size=float(size[1]), weight=int(weight[1]) if weight else "normal")
        width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
        length = f' textLength="{width:.2f}" lengthAdjust="spacingAndGlyphs"'
        kept = _SPACES.sub(lambda spaces: "\u00a0" * len(spaces[0]), text)
        return f'<text style="{style}"{found["more"]}{length}>{escape(kept)}</text>'

    return _TEXT.sub(lengthened, svg)
