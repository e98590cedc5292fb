"""The scatter plot of designs as Altair describes it; the page's script fills in what its menus choose.

Altair (Vega-Lite) and not Plotly: the libraries in a page that works offline weigh 0.9 MB, Plotly's 4.8 MB.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Any

DATA = "designs"
"""The name of its data: ``x``, ``y`` and ``colour`` as chosen, ``row``, ``group``, ``optimal``, and texts to show."""

_TICK = "abs(datum.value) >= 1000 ? format(datum.value, '.3~s') : format(datum.value, '.3~g')"


def is_installed() -> bool:
    """Whether charts can be made here: by ``pip install 'jaxgrad[interactive]'``."""
    try:
        return all(importlib.util.find_spec(name) for name in ("altair", "vl_convert"))
    except ValueError:  # what stands in ``sys.modules`` has no spec
        return False


def libraries() -> str:
    """Vega, Vega-Lite and vega-embed as one script."""
    import vl_convert

    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")


def scatter(told: Mapping[str, str]) -> dict[str, Any]:
    """Designs as points: those of the front outlined, with its stairs, and the picked one within a ring.

    Args:
        told: labels by the fields that a design is described by, under the pointer.
    """
    import altair as alt

    axis = alt.Axis(labelExpr=_TICK, labelOverlap=True, titlePadding=8)
    base = alt.Chart(alt.NamedData(name=DATA)).encode(
        x=alt.X("x:Q", axis=axis),
        y=alt.Y("y:Q", axis=axis),
    )
    coloured = base.encode(
        color=alt.Color("colour:N", legend=None),
        tooltip=[alt.Tooltip(field, type="nominal", title=label) for field, label in told.items()],
    )
    stairs = alt.param(name="stairs", value=True)
    picked = alt.param(name="picked", value=0)
    across: list[alt.SortField | dict[str, str]] = [alt.SortField("x"), alt.SortField("y")]
    layers = alt.layer(
        coloured.transform_filter("!datum.optimal").mark_circle(size=34, opacity=0.6),
        base.transform_filter("datum.optimal && stairs")
        .transform_window(best="min(y)", frame=[None, 0], groupby=["group"], sort=across)
        .transform_filter("datum.y === datum.best")  # of these two axes' front, if the whole one is of more
        .mark_line(interpolate="step-after", strokeWidth=1, tooltip=None, color="#888888")
        .encode(detail="group:N", order="x:Q"),
        coloured.transform_filter("datum.optimal").mark_point(size=70, filled=True, opacity=1, strokeWidth=1.2),
        base.transform_filter("datum.row === picked").mark_point(size=320, strokeWidth=2.5, tooltip=None),
    )
    return layers.add_params(stairs, picked).properties(width="container").to_dict()
