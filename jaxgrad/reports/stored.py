"""Stored activation words: what a training step keeps from its forward to its backward pass, layer by layer."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table

from jaxgrad.autodiff.estimators import StoredWords
from jaxgrad.reports.numbers import percent, short
from jaxgrad.reports.screen import PlainTable

MEANING = (
    "elements of the layers' inputs that the weights' gradients need, kept until the backward pass under any "
    "schedule; of a ReLU one bit an element, 32 a word; peak: of the layer that keeps most"
)


def stored_table(stored: StoredWords, title: str, *, layers: bool = True) -> Table:
    """Words by layer, then of the masks of ReLUs by module, then of all; without ``layers`` the sums alone."""
    table = PlainTable(title)
    table.add_column("layer", names=True)
    for header in ("stored\n[words]", "share"):
        table.add_column(header, justify="right", no_wrap=True)
    for label, words in _rows(stored, layers=layers):
        table.add_row(label, short(words), percent(words, stored.total))
    table.add_section()
    table.add_row("peak", short(stored.peak), percent(stored.peak, stored.total))
    table.add_row("total", short(stored.total), percent(stored.total, stored.total))
    return table


def _rows(stored: StoredWords, *, layers: bool) -> Iterator[tuple[str, int]]:
    if layers:
        yield from stored.layers.items()
        yield from ((f"{path}: ReLU masks", words) for path, words in stored.masks.items())
    else:
        yield "all layers' inputs", sum(stored.layers.values())
        yield "all ReLU masks", sum(stored.masks.values())
