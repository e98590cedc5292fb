"""Utilisation of the PEs, layer by layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from jaxgrad.array.counts import MACS
from jaxgrad.base.errors import InputError
from jaxgrad.costs import LayerSummary, PhaseSummary, Summary
from jaxgrad.reports.labels import told_apart
from jaxgrad.reports.numbers import fixed
from jaxgrad.reports.pages import Page
from jaxgrad.reports.plots import canvas
from jaxgrad.reports.style import PHASES, SCREEN, FigureStyle

_NAMED_LAYERS = 24
_LINES = {"forward": "solid", "backward": (0, (3, 1))}
_NAME_CHARACTERS = 24
_LABEL_CHARACTERS = 52  # of a panel's title
_LINE_CHARACTERS = 110
_TITLE_CHARACTERS = 100  # of a panel


def utilisation_by_layer(
    summaries: Mapping[str, Summary], path: Path, title: str, *, style: FigureStyle = SCREEN
) -> list[Path]:
    """MACs done over the peak of the PEs in that time, stalls included, in percent: one panel for each label.

    Steps run over the layers in the model's order, one line for the forward and one for the backward pass (gradients
    and update), each with its mean over time in the title. Of a deep network some layers are named.

    Args:
        summaries: by label, of one network.
        path: of the files, without their suffixes.
        title: of the figure.
        style: how it is printed.

    Raises:
        ValueError: nothing to draw, or the networks differ.
    """
    canvas.some("summaries", summaries)
    names = _names(summaries)
    count = len(summaries)
    figure = Page(1.6 + 1.25 * count, style)
    panels = figure.subplots(count, 1, squeeze=False, sharex=True, sharey=True)[:, 0]
    handles = {}
    labels = told_apart(list(summaries), style.characters(_LABEL_CHARACTERS))
    for axes, label, summary in zip(panels, labels, summaries.values(), strict=True):
        means = []
        for part, line in _LINES.items():
            layers = [_phases_of(part, layer) for layer in summary.layers]
            percent = np.array([_percent([layer], summary.pes) for layer in layers])
            edges = np.arange(len(percent) + 1) - 0.5
            (handles[part],) = axes.step(
                edges, np.append(percent, percent[-1]), where="post", color=PHASES[part].colour, linestyle=line,
                linewidth=1.3 if len(names) <= _NAMED_LAYERS else 0.9, label=part,
            )  # fmt: skip
            means.append(f"{part} {fixed(_percent(layers, summary.pes), 1)} %")
        heading = canvas.wrapped(f"{label} (mean over time: {', '.join(means)})", style.characters(_TITLE_CHARACTERS))
        axes.set_title(heading, fontsize=style.tick_pt, loc="left", pad=3)
        figure.grow(style.tick_pt / 60 * heading.count("\n"))
        axes.set_ylim(0, 104)
        axes.yaxis.set_major_formatter(PercentFormatter())
        axes.set_yticks([0, 25, 50, 75, 100])
        canvas.dress(axes)
    panels[-1].set_xlim(-0.5, len(names) - 0.5)
    _name_layers(panels[-1], names)
    figure.supylabel("utilisation of the PEs [%]", fontsize=style.label_pt)
    canvas.legend(figure, handles, 2)
    return canvas.save(figure, path, title)


def named_layers(count: int, most: int = _NAMED_LAYERS) -> list[int]:
    """Which of so many layers are named: all, or some at equal distances, the first and the last among them."""
    if count <= most:
        return list(range(count))
    return [round(index) for index in np.linspace(0, count - 1, most)]


def _names(summaries: Mapping[str, Summary]) -> list[str]:
    """The layers' names, the same of each summary."""
    (first, summary), *others = summaries.items()
    names = [layer.path for layer in summary.layers]
    canvas.some("layers", names)
    for label, other in others:
        if [layer.path for layer in other.layers] != names:
            raise InputError(
                "summaries",
                label,
                "give those of one network",
                problem=f"got {label!r} with other layers than {first!r}",
            )
    return names


def _name_layers(axes: Axes, names: Sequence[str]) -> None:
    style = canvas.style_of(axes)
    shown = named_layers(len(names), style.ticks(_NAMED_LAYERS))
    numbered = len(shown) < len(names)
    cut = told_apart([names[index] for index in shown], _NAME_CHARACTERS)
    labels = [f"{name}  {index + 1}" if numbered else name for name, index in zip(cut, shown, strict=True)]
    lying = len(labels) * max(map(len, labels)) <= style.characters(_LINE_CHARACTERS)
    axes.set_xticks(shown, labels, fontsize=style.note_pt, rotation=0 if lying else 90)
    canvas.label(axes.xaxis, f"layer in the model's order{f' (name, number of {len(names)})' if numbered else ''}")


def _phases_of(part: str, layer: LayerSummary) -> list[PhaseSummary]:
    return [phase for phase in layer.phases if (phase.phase.name == "forward") == (part == "forward")]


def _percent(layers: Iterable[Iterable[PhaseSummary]], pes: int) -> float:
    """Utilisation over some layers; nan, a gap, where they take no time."""
    phases = [phase for layer in layers for phase in layer]
    cycles = sum(phase.time_cycles for phase in phases)
    return 100 * sum(phase.counts[MACS] for phase in phases) / (cycles * pes) if cycles else float("nan")
