"""The results of an experiment on memory as tables, on the screen and in files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from rich.console import Group, RenderableType
from rich.text import Text

from jaxgrad.reports.numbers import fixed
from jaxgrad.reports.screen import PlainTable
from jaxgrad.studies.memory.points import Stored
from jaxgrad.studies.memory.schema import MemoryExperiment

_DIGITS = 2  # of a megabyte, as published
TITLE = "Stored, in MB, by the share of each layer's input that is kept"
MEANING = "Layers' inputs, masks of ReLUs, weights and what the loss keeps. A megabyte is 10^6 bytes."


class Results(NamedTuple):
    """An experiment and what its networks store, by name."""

    experiment: MemoryExperiment
    stored: Mapping[str, Stored]

    def bytes(self, network: str) -> list[int]:
        """What a network stores, one number for each share."""
        memory = self.experiment.memory
        return [self.stored[network].bytes(keep, loss_bytes=memory.loss_bytes) for keep in memory.keep]

    @property
    def published(self) -> dict[str, list[float]]:
        """Published megabytes by network."""
        return {figures.network: figures.megabytes for figures in self.experiment.published}

    def differences(self, network: str) -> list[float]:
        """Ours, rounded as published, less the published figure."""
        pairs = zip(self.bytes(network), self.published[network], strict=True)
        return [round(round(size / 1e6, _DIGITS) - figure, _DIGITS) for size, figure in pairs]


def headers(results: Results) -> list[str]:
    return ["network", "", *(f"{keep:g}" for keep in results.experiment.memory.keep)]


def rows(results: Results) -> Iterator[list[str]]:
    """Of each network ours and, where they are published, the paper's figures and the differences."""
    for name in results.stored:
        ours = [fixed(size / 1e6, _DIGITS) for size in results.bytes(name)]
        if name in results.published:
            yield [name, "published", *(fixed(figure, _DIGITS) for figure in results.published[name])]
            yield ["", "ours", *ours]
            yield ["", "difference", *(f"{size:+.{_DIGITS}f}" if size else "0" for size in results.differences(name))]
        else:
            yield [name, "ours", *ours]


def agreement(results: Results) -> str | None:
    """How many figures agree to the last digit, a line; None where none is published."""
    differences = [size for name in results.published for size in results.differences(name)]
    if not differences:
        return None
    return f"Of {len(differences)} published figures {differences.count(0)} agree to the last digit."


def screen(results: Results) -> Group:
    """The table, with what it says and what it assumes."""
    experiment = results.experiment
    table = PlainTable(TITLE)
    for header in headers(results)[:2]:
        table.add_column(header, names=True)
    for header in headers(results)[2:]:
        table.add_column(header, justify="right", no_wrap=True)
    for row in rows(results):
        if row[0]:
            table.add_section()
        table.add_row(*row)
    parts: list[RenderableType] = [Text(experiment.title, style="bold")]
    if experiment.question:
        parts.append(Text(experiment.question))
    parts += ["", table, Text(MEANING)]
    if agreed := agreement(results):
        parts.append(Text(agreed))
    parts += [Text(f"{figures.network}: {figures.source}") for figures in experiment.published]
    if experiment.notes:
        parts += ["", "Assumptions:", *(Text(f"- {note}") for note in experiment.notes)]
    return Group(*parts)


def as_csv(results: Results) -> str:
    """Bytes, exact, of each network and share, and the published megabytes."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["network", "keep", "bytes", "published_megabytes"])
    for name in results.stored:
        keeps = results.experiment.memory.keep
        figures = results.published.get(name, [""] * len(keeps))
        writer.writerows(zip([name] * len(keeps), keeps, results.bytes(name), figures, strict=True))
    return out.getvalue()
