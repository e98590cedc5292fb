"""The console that results are printed on."""

from __future__ import annotations

from rich.console import Console

from jaxgrad.reports import screen

_PLAIN_WIDTH = 100


def console() -> Console:
    """Standard output; where it is no terminal, wide enough for every table."""
    terminal = screen.console()
    return terminal if terminal.is_terminal else screen.console(width=_PLAIN_WIDTH)
