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

KEPT = RESULTS / "store"
STORE = option("--store", "DIR", "Where what is done is kept.", OUTPUT, rule=path)
CHECK = option("--check", None, "Check CONFIG and say what it would run; run nothing.")


def open_store(folder: Path) -> Store:
    """The store in a folder.

    Raises:
        InputError: the folder can't be written to.
    """
    from jaxgrad.base.files import check_folder
    from jaxgrad.studies.store import Store

    return Store(check_folder("--store", folder))


def again(command: str, config: Path, out: Path | None, store: Path, **options: object) -> str:
    """The command line that continues a command; options that have their defaults are left out."""
    return typed(command, config, out=out, store=None if store == KEPT else store, **options)


def resuming(command_line: str) -> AbstractContextManager[None]:
    """Work whose finished parts are kept; after Ctrl-C the command line that continues it is named."""
    return resumable(f"what is done is kept; go on with: {command_line}")
