"""``jaxgrad runs``: the runs in a folder."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from jaxgrad.base.errors import InputError
from jaxgrad.cli.options import folder_argument, given
from jaxgrad.cli.output_options import FORMAT, check_one, print_tables
from jaxgrad.cli.shared_options import JSON

_FOLDER = Path("runs")


def runs(
    context: typer.Context,
    folder: Annotated[Path, folder_argument("FOLDER", "Of runs, or of one.")] = _FOLDER,
    format_: Annotated[str | None, FORMAT] = None,
    as_json: Annotated[bool, JSON] = False,
) -> int:
    """List the runs in a folder, the one that changed last first: how far each is, and whether it can go on."""
    from jaxgrad.cli import screen
    from jaxgrad.reports.runs import as_dict, runs_table
    from jaxgrad.training.run_folders import listed

    check_one(format_, as_json)
    if not folder.is_dir() and (folder.exists() or "folder" in given(context)):
        raise InputError(
            "FOLDER", folder, "give the folder of some runs", problem=f"got {str(folder)!r}, which is none"
        )
    found, broken = listed(folder) if folder.is_dir() else ([], [])
    if as_json:
        print(json.dumps({"runs": [*map(as_dict, found)], "broken": [*map(str, broken)]}))
        return 0
    title = f"{len(found):,} run{'' if len(found) == 1 else 's'} in {folder}"
    if format_:
        print_tables(runs_table(found, title, now=time.time(), whole=True), format_)
    elif found:
        screen.console().print(runs_table(found, title, now=time.time()))
    else:
        screen.console().print(f"There are no runs in {folder}: jaxgrad train makes one.", soft_wrap=True)
    for error in broken:
        print(f"warning: {error}", file=sys.stderr)
    return 0
