"""What the commands share whose results are kept in a store, so that an interrupted one can be continued."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from jaxgrad.cli.errors import typed
from jaxgrad.cli.interrupts import resumable
from jaxgrad.cli.options import OUTPUT, RESULTS, option, path

if TYPE_CHECKING:
    from jaxgrad.studies.store import Store

KEPT = str(RESULTS / "store")
CHECK = option("--check", None, "Check CONFIG and say what it would run; run nothing.")


def _place(name: str, value: str) -> str:
    """A rule: a folder, or a URL."""
    return value if "://" in value else str(path(name, value))


STORE = option("--store", "DIR|URL", "Where what is done is kept: a folder, or s3://...", OUTPUT, rule=_place)


def open_store(place: str) -> Store:
    """The store in a folder, or at a URL.

    Raises:
        InputError: it can't be written to.
    """
    from jaxgrad.base import places
    from jaxgrad.studies.store import Store

    return Store(places.place("--store", place))


def again(command: str, config: Path, out: Path | None, store: str, **options: object) -> str:
    """The command line that continues a command; options that have their defaults are left out."""
    return typed(command, config, out=out, store=None if store == KEPT else store, **options)


def resuming(command_line: str) -> AbstractContextManager[None]:
    """Work whose finished parts are kept; after Ctrl-C the command line that continues it is named."""
    return resumable(f"what is done is kept; go on with: {command_line}")
