"""Terminal output whose texts are plain: brackets in a name are no rich markup, and nothing is cut off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, Any, NamedTuple

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from jaxgrad.reports import columns

_LEAST_NAME = 12  # characters of a column of names, which may wrap
_EDGES = 2  # characters at the left and the right of a table


def console(*, file: IO[str] | None = None, width: int | None = None, no_color: bool | None = None) -> Console:
    """A console that interprets no markup or emoji in texts and highlights nothing; styles are arguments."""
    return Console(file=file, width=width, no_color=no_color, markup=False, emoji=False, highlight=False)


def headed(title: str, rest: str) -> Text:
    """A line that begins with a title."""
    return Text.assemble((title, "bold"), rest)


class Column(NamedTuple):
    """A column as it was added.

    Args:
        header: above it.
        names: whether its cells name the row: then they may wrap, and stand in each part of the table.
        full: its header where it stands alone, without its neighbours.
        options: as rich takes them.
    """

    header: str
    names: bool
    full: str
    options: dict[str, Any]

    @property
    def is_numeric(self) -> bool:
        return self.options.get("justify") == "right"

    @property
    def wraps(self) -> bool:
        return not self.options.get("no_wrap", False)


class PlainTable(Table):
    """A table whose title, headers and cells are plain text on any console, and whole at any width.

    On a console too narrow for it, names wrap; where that does not do, its columns are shown in several parts, one
    below the other, each beside the names of the rows.

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
        self._name, self._gap = title, gap
        self._added: list[Column] = []
        self._lines: list[tuple[Sequence[str], dict[str, Any]] | None] = []  # None between sections

    @property
    def name(self) -> str:
        """Its title, in plain text."""
        return self._name

    @property
    def added(self) -> Sequence[Column]:
        """Its columns."""
        return self._added

    @property
    def sections(self) -> list[list[Sequence[str]]]:
        """The cells of its rows, as they were added, section by section."""
        found: list[list[Sequence[str]]] = [[]]
        for line in self._lines:
            if line is None:
                found.append([])
            else:
                found[-1].append(line[0])
        return [rows for rows in found if rows]

    def add_column(
        self, header: Any = "", *args: Any, names: bool = False, full: str | None = None, **options: Any
    ) -> None:
        """A column.

        Args:
            header: above it.
            args, options: as rich takes them.
            names: whether it tells its rows apart: it may wrap, is repeated in each part, and an empty cell of it means
                what stands above.
            full: its header in files, where that above it says too little without the column before.
        """
        column = Column(header, names, header if full is None else full, options)
        self._added.append(column)
        super().add_column(Text(header), *args, overflow="fold" if column.wraps else "ellipsis", **options)

    def add_row(self, *cells: Any, **options: Any) -> None:
        self._lines.append((cells, options))
        super().add_row(*map(Text, cells), **options)

    def add_section(self) -> None:
        self._lines.append(None)
        super().add_section()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        parts = self._parts(options.max_width)
        if len(parts) == 1:
            yield from super().__rich_console__(console, options)
        for number, chosen in enumerate(parts if len(parts) > 1 else []):
            part = PlainTable(f"{self._name} (continued)" if number else self._name, gap=self._gap)
            for index in chosen:
                column = self._added[index]
                part.add_column(column.header, names=column.names, full=column.full, **column.options)
            for line in self._lines:
                if line is None:
                    part.add_section()
                else:
                    cells, style = line
                    part.add_row(*(cells[index] for index in chosen), **style)
            part.caption = self.caption if number == len(parts) - 1 else None
            yield part

    def _parts(self, width: int) -> list[list[int]]:
        names = [index for index, column in enumerate(self._added) if column.names]
        widths = [self._least_width(index) for index in range(len(self._added))]
        return columns.parts(widths, names, width - _EDGES, self._gap)

    def _least_width(self, index: int) -> int:
        column = self._added[index]
        texts = [column.header, *(line[0][index] for line in self._lines if line and index < len(line[0]))]
        natural = max(cell_len(part) for text in texts for part in text.split("\n"))
        return min(natural, _LEAST_NAME) if column.wraps else natural
