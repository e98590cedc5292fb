"""The figure of where each schedule is the fastest: lengths of a layer's axes against the array's sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, NullLocator

from jaxgrad.array.schedules import TRAINING_SCHEDULES, find
from jaxgrad.costs import regions
from jaxgrad.costs.area import iso_area, pe_um2
from jaxgrad.hardware import Accelerator, Machine
from jaxgrad.reports.pages import Page
from jaxgrad.reports.plots import canvas
from jaxgrad.reports.style import SCREEN, FigureStyle, colours, schedule_label

SHARES: tuple[float, ...] = (1 / 4, 1.0, 4.0)
"""Lengths of k against the columns, a column of panels each."""

_OCTAVES = 4  # on both sides of the array's
_FULL = 0.4  # the saving from which on a colour is its strongest
_FAINTEST = 0.35
_HATCHES = ("", "////", "....", "xxxx", "\\\\\\\\", "----")


class _Row(NamedTuple):
    label: str
    arrays: Mapping[str, Accelerator]


def fastest(
    machine: Machine,
    path: Path,
    title: str,
    schedules: Sequence[str] = (),
    *,
    points: int = 161,
    style: FigureStyle = SCREEN,
) -> list[Path]:
    """A panel for each ``K/C`` of ``SHARES``, B/R against N/R, coloured by the schedule of fewest cycles.

    Rows: serial and double-buffered PEs, on equal arrays; and where the machine has a technology, on arrays of equal
    area. A colour is the stronger, the more cycles interleaving saves over the fastest schedule that does not
    interleave, or the other way round. Lengths beyond the array's side are whole tiles: just above a whole number
    of tiles each schedule loses most of a tile.

    Args:
        machine: its array, technology and precision; its memory does not matter.
        path: of the files, without their suffixes.
        title: of the figure.
        schedules: that are compared; all that give both gradients, but for choices among others.
        points: lengths along each axis of a panel.
        style: how it is printed.
    """
    names = tuple(schedules) or tuple(name for name in TRAINING_SCHEDULES if not find(name).among)
    rows = [row for buffered in (False, True) for row in _rows(machine, names, buffered)]
    figure = Page(0.9 + (1.1 if style.is_narrow else 2.15) * len(rows), style)
    panels = figure.subplots(len(rows), len(SHARES), sharex=True, sharey=True, squeeze=False)
    ratios = 2.0 ** np.linspace(-_OCTAVES, _OCTAVES, points)
    palette = colours(names)
    ratios = np.where(ratios > 1, np.rint(ratios), ratios)
    seen: set[int] = set()
    for (label, arrays), of_row in zip(rows, panels, strict=True):
        for share, axes in zip(SHARES, of_row, strict=True):
            result = regions.regions(_layers(machine.array, ratios, share), arrays)
            seen |= set(np.unique(result.fastest).tolist())
            _draw(axes, ratios, result, [palette[name] for name in names])
        of_row[0].set_ylabel(
            f"{label}\nB / R".replace(" ", "\n" if style.is_narrow else " ", 1), fontsize=style.tick_pt
        )
    for share, axes in zip(SHARES, panels[0], strict=True):
        axes.set_title(f"K = {_ratio(share)} C", fontsize=style.label_pt)
    for axes in panels[-1]:
        axes.set_xlabel("N / R", fontsize=style.tick_pt)
    handles = {
        schedule_label(names[index]): Patch(
            facecolor=palette[names[index]], hatch=_hatch(index, style), edgecolor="#444444" if style.serif else "white"
        )
        for index in sorted(seen)
    }
    handles[f"stronger: interleaving saves more cycles, or costs more; full from {_FULL:.0%} on"] = Patch(alpha=0)
    canvas.legend(figure, handles, 6)
    return canvas.save(figure, path, title)


def _rows(machine: Machine, names: Sequence[str], buffered: bool) -> list[_Row]:
    array = replace(machine.array, double_buffered=buffered)
    kind = "double-buffered" if buffered else "serial"
    rows = [_Row(f"{kind}, equal arrays", dict.fromkeys(names, array))]
    if machine.technology is not None:
        own = replace(machine, array=array)
        largest = max(names, key=lambda name: pe_um2(own, name))
        arrays = {name: array if pe_um2(own, name) == pe_um2(own, largest) else iso_area(own, largest, name).array
                  for name in names}  # fmt: skip
        rows.append(_Row(f"{kind}, equal area", arrays))
    return rows


def _layers(array: Accelerator, ratios: np.ndarray, share: float) -> regions.Layers:
    def lengths(side: int, of: np.ndarray) -> np.ndarray:
        return np.maximum(1, np.rint(side * of)).astype(np.int64)

    return regions.Layers(
        batch=lengths(array.rows, ratios)[:, None],
        in_features=max(1, round(array.cols * share)),
        out_features=lengths(array.rows, ratios)[None, :],
    )


def _draw(axes: Axes, ratios: np.ndarray, result: regions.Regions, palette: Sequence[str]) -> None:
    style = canvas.style_of(axes)
    fused = [name for name in result.schedules if find(name).fused]
    strength = np.ones(result.fastest.shape)
    if 0 < len(fused) < len(result.schedules):
        saving = result.saving(fused)
        lost = saving / (saving - 1)  # what the others save over these
        strength = np.clip(np.maximum(saving, lost) / _FULL, _FAINTEST, 1)
    colour = np.array([to_rgb(name) for name in palette])[result.fastest]
    axes.pcolormesh(ratios, ratios, 1 - strength[..., None] * (1 - colour), rasterized=True)
    for index in np.unique(result.fastest).tolist() if style.serif else ():
        within = (result.fastest == index).astype(float)
        hatched = axes.contourf(
            ratios, ratios, within, levels=[0.5, 1.5], colors="none", hatches=[_hatch(index, style)]
        )
        hatched.set_edgecolor("#444444")
        hatched.set_linewidth(0)
    axes.set(xscale="log", yscale="log", aspect="equal")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks([2.0**power for power in range(-_OCTAVES, _OCTAVES + 1, 4 if style.is_narrow else 2)])
        axis.set_major_formatter(FuncFormatter(lambda value, _: _ratio(value)))
        axis.set_minor_locator(NullLocator())
    axes.tick_params(labelsize=style.part_pt)


def _hatch(index: int, style: FigureStyle) -> str:
    """Of a schedule on paper, which may be printed in grey."""
    return _HATCHES[index % len(_HATCHES)] if style.serif else ""


def _ratio(value: float) -> str:
    return f"{value:g}" if value >= 1 else f"1/{round(1 / value)}"
