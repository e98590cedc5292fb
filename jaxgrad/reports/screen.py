"""Terminal output whose texts are plain: brackets in a name are no rich markup."""

from __future__ import annotations

from typing import IO, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text


def console(*, file: IO[str] | None = None, width: int | None = None, no_color: bool | None = None) -> Console:
    """A console that interprets no markup or emoji in texts and highlights nothing; styles are arguments."""
    return Console(file=file, width=width, no_color=no_color, markup=False, emoji=False, highlight=False)


def headed(title: str, rest: str) -> Text:
    """A line that begins with a title."""
    return Text.assemble((title, "bold"), rest)


class PlainTable(Table):
    """A table whose title, headers and cells are plain text on any console.

    Args:
        title: above it, at the left.
        gap: spaces between its columns: the box makes one of them.
    """

    def __init__(self, title: str, *, gap: int = 2) -> None:
        super().__init__(
            title=Text(title, style="bold"),
            title_justify="left",
            box=box.SIMPLE_HEAD,
            pad_edge=False,
            padding=(0, gap - 1, 0, 0),
        )

    def add_column(self, header: Any = "", *args: Any, **options: Any) -> None:
        super().add_column(_plain(header), *args, **options)

    def add_row(self, *cells: Any, **options: Any) -> None:
        super().add_row(*map(_plain, cells), **options)


def _plain(cell: Any) -> Any:
    return Text(cell) if isinstance(cell, str) else cell
