"""``jaxgrad diff``: two results of one kind beside each other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from jaxgrad.cli.errors import CHECK_FAILED
from jaxgrad.cli.options import OUTPUT, folder_argument, option
from jaxgrad.cli.shared_options import JSON

_WHAT = (
    "The folder of a training run or of an experiment, a table that sweep or search wrote (.csv, .parquet), or a file "
    "with what a command printed with --json (.json)."
)


def diff(
    one: Annotated[Path, folder_argument("A", _WHAT, required=True)],
    other: Annotated[Path, folder_argument("B", "Another of the same kind.", required=True)],
    as_json: Annotated[bool, JSON] = False,
    exit_code: Annotated[
        bool, option("--exit-code", None, "End with 1 where they differ, with 0 where they do not.", OUTPUT)
    ] = False,
) -> int:
    """Compare two results of one kind: runs, experiments, tables of designs, or what a command printed as JSON."""
    from jaxgrad.cli import screen
    from jaxgrad.studies.result_folders import compared

    comparison = compared(one, other)
    if as_json:
        print(json.dumps(comparison.as_dict()))
    else:
        out = screen.console()
        for part in comparison.report():
            out.print(part)
    return CHECK_FAILED if exit_code and not comparison.is_equal else 0
