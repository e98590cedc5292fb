"""The results of an experiment on memory as tables, on the screen and in files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.text import Text

from jaxgrad.base.csv_text import csv_text
from jaxgrad.reports.numbers import exact, fixed, given, signed
from jaxgrad.studies import frame
from jaxgrad.studies.memory.points import Stored
from jaxgrad.studies.memory.schema import MemoryExperiment

_DIGITS = 2  # of a megabyte, as published
TITLE = "Stored, in MB, by the share of each layer's input that is kept"
MEANING = (
    "Layers' inputs, masks of ReLUs unless all is kept, weights and what the loss keeps; a megabyte is 10^6 bytes. By "
    "shares: of each example's d elements of an input ceil(keep d). On the array: what rad(keep, 'same') keeps, of a "
    "convolution whole pixels of each map."
)


class Results(NamedTuple):
    """An experiment and what its networks store, by name."""

    experiment: MemoryExperiment
    stored: Mapping[str, Stored]

    def bytes(self, network: str) -> list[int]:
        """What a network stores by shares, one number for each."""
        stored = self.stored[network]
        return self._bytes(network, [stored.kept_words(keep) for keep in self.experiment.memory.keep])

    def on_the_array(self, network: str) -> list[int]:
        """What it stores under the estimator, one number for each share."""
        return self._bytes(network, self.stored[network].estimated)

    def _bytes(self, network: str, layers: Sequence[int]) -> list[int]:
        """With the masks, but where all of the inputs is kept: a ReLU's output, the next layer's input, tells them."""
        memory, stored = self.experiment.memory, self.stored[network]
        return [
            stored.bytes(words, masks=keep < 1, loss_bytes=memory.loss_bytes)
            for keep, words in zip(memory.keep, layers, strict=True)
        ]

    @property
    def published(self) -> dict[str, list[float]]:
        """Published megabytes by network."""
        return {figures.network: figures.megabytes for figures in self.experiment.published}

    def differences(self, network: str) -> list[float]:
        """Ours by shares, rounded as published, less the published figure."""
        pairs = zip(self.bytes(network), self.published[network], strict=True)
        return [round(round(size / 1e6, _DIGITS) - figure, _DIGITS) for size, figure in pairs]


def headers(results: Results) -> list[str]:
    return ["network", "", *(given(keep) for keep in results.experiment.memory.keep)]


def rows(results: Results) -> Iterator[list[str]]:
    """Of each network ours and, where they are published, the paper's figures and the differences."""
    for name in results.stored:
        lines: list[tuple[str, Sequence[str]]] = []
        if name in results.published:
            lines.append(("published", [fixed(figure, _DIGITS) for figure in results.published[name]]))
        lines.append(("by shares", _megabytes(results.bytes(name))))
        if name in results.published:
            apart = [signed(size, _DIGITS) if size else exact(0) for size in results.differences(name)]
            lines.append(("difference", apart))
        lines.append(("on the array", _megabytes(results.on_the_array(name))))
        for number, (label, cells) in enumerate(lines):
            yield ["" if number else name, label, *cells]


def _megabytes(sizes: Sequence[int]) -> list[str]:
    return [fixed(size / 1e6, _DIGITS) for size in sizes]


def agreement(results: Results) -> str | None:
    """How many figures agree to the last digit, a line; None where none is published."""
    differences = [size for name in results.published for size in results.differences(name)]
    if not differences:
        return None
    return f"Of {len(differences)} published figures {differences.count(0)} agree to the last digit."


def screen(results: Results) -> Group:
    """The table, with what it says and what it assumes."""
    experiment = results.experiment
    table = frame.table(TITLE, headers(results), headers(results)[:2])
    for row in rows(results):
        if row[0]:
            table.add_section()
        table.add_row(*row)
    parts: list[RenderableType] = [table, Text(MEANING)]
    if agreed := agreement(results):
        parts.append(Text(agreed))
    parts += [Text(f"{figures.network}: {figures.source}") for figures in experiment.published]
    return frame.on_screen(experiment, parts)


def as_csv(results: Results) -> str:
    """Bytes, exact, of each network and share, by shares and on the array, and the published megabytes."""
    lines: list[tuple[Any, ...]] = [("network", "keep", "bytes", "bytes_on_the_array", "published_megabytes")]
    for name in results.stored:
        keeps = results.experiment.memory.keep
        figures = results.published.get(name, [""] * len(keeps))
        sizes = results.bytes(name), results.on_the_array(name)
        lines += zip([name] * len(keeps), keeps, *sizes, figures, strict=True)
    return csv_text(lines)
