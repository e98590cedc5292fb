"""The terminal that results are printed on."""

from __future__ import annotations

from rich.console import Console

_PLAIN_WIDTH = 100


def console() -> Console:
    """Standard output; where it is no terminal, wide enough for every table."""
    terminal = Console(highlight=False)
    return terminal if terminal.is_terminal else Console(highlight=False, width=_PLAIN_WIDTH)
