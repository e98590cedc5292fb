"""Options of how figures and tables come out, shared by all commands that draw or print some."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jaxgrad.base.errors import InputError
from jaxgrad.cli import choices
from jaxgrad.cli.options import OUTPUT, Choice, option

if TYPE_CHECKING:
    from jaxgrad.reports.style import FigureStyle

STYLE = option(
    "--style",
    "NAME",
    "Of figures, which are written as PNG, SVG and PDF: screen, or paper (serif letters of 8 points, thin frames).",
    OUTPUT,
    rule=Choice(choices.figure_styles),
)
WIDTH = option(
    "--width",
    "NAME",
    "Of figures, as IEEE has them: column (3.5 in) or page (7.16 in).",
    OUTPUT,
    rule=Choice(choices.figure_widths),
    default="8 in; of paper, page",
)
NO_TITLE = option("--no-title", None, "Leave the titles of figures out, for a caption to say.", OUTPUT)
FORMAT = option(
    "--format",
    "NAME",
    "Print the tables and nothing else: csv (all digits), md or tex (booktabs); an empty line between two.",
    OUTPUT,
    rule=Choice(choices.table_formats),
    default="for the eye",
)


def figure_style(style: str, width: str | None, no_title: bool) -> FigureStyle:
    """What these options say."""
    from jaxgrad.reports.style import FigureStyle

    return FigureStyle.of(style, width, titled=not no_title)


def typed_style(style: str, width: str | None, no_title: bool) -> dict[str, Any]:
    """Those that are not as by default, to be named in a command line."""
    return {"style": None if style == "screen" else style, "width": width, "no_title": no_title}


def print_tables(shown: Any, form: str) -> None:
    """All tables of what the terminal would show, in a format, on standard output."""
    from jaxgrad.reports import tabular

    print(tabular.text(shown, form), end="")


def check_one(form: str | None, as_json: bool) -> None:
    """Refuses two kinds of output at once."""
    if form and as_json:
        raise InputError("--format", form, "give one of the two", problem=f"got {form!r} and --json")
