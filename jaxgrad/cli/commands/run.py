"""The options of ``jaxgrad run``."""

from __future__ import annotations

from typing import Annotated

import typer

from jaxgrad.cli.errors import command
from jaxgrad.cli.options import OUTPUT, Text, option


@command
def run(
    config: Annotated[str, typer.Argument(metavar="CONFIG", help="A TOML file, such as experiments/intergrad.toml.")],
    out: Annotated[
        Text, option("--out", "DIR", "Where tables, figures and the report go (default: results/NAME).", OUTPUT)
    ] = None,
    store: Annotated[
        Text, option("--store", "DIR", "Where finished points are kept (default: results/store).", OUTPUT)
    ] = None,
    check: Annotated[bool, option("--check", None, "Check CONFIG and say what it would run; run nothing.")] = False,
) -> int:
    """Run an experiment: its points, a table beside the published figures, plots, CSV, JSON and an HTML report."""
    from jaxgrad.cli.run import run as execute

    return execute(config, out=out, store=store, check=check)
