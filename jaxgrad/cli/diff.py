"""``jaxgrad diff``: two results beside each other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from jaxgrad.cli.errors import CHECK_FAILED
from jaxgrad.cli.options import OUTPUT, folder_argument, option
from jaxgrad.cli.output_options import FORMAT, check_one, print_tables
from jaxgrad.cli.shared_options import JSON


def diff(
    one: Annotated[
        Path, folder_argument("A", "The folder of a run or of results, or a file: a table or JSON.", required=True)
    ],
    other: Annotated[Path, folder_argument("B", "Another of the same kind.", required=True)],
    format_: Annotated[str | None, FORMAT] = None,
    as_json: Annotated[bool, JSON] = False,
    exit_code: Annotated[
        bool, option("--exit-code", None, "End with 1 where they differ, with 0 where they do not.", OUTPUT)
    ] = False,
) -> int:
    """Compare two results of one kind: training runs, experiments, sweeps, searches, traces, or what --json printed."""
    from jaxgrad.cli import screen
    from jaxgrad.reports import comparison as runs
    from jaxgrad.reports import document_comparison as documents
    from jaxgrad.reports.results import RUN
    from jaxgrad.studies.result_folders import compared

    check_one(format_, as_json)
    comparison = compared(one, other)
    view = runs if comparison.kind == RUN else documents
    if as_json:
        print(json.dumps(view.as_dict(comparison)))
    elif format_:
        print_tables(view.report(comparison), format_)
    else:
        out = screen.console()
        for part in view.report(comparison):
            out.print(part)
    return CHECK_FAILED if exit_code and not comparison.is_equal else 0
