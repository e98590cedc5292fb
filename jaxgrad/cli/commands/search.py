"""The options of ``jaxgrad search``."""

from __future__ import annotations

from typing import Annotated

import typer

from jaxgrad.cli.errors import command
from jaxgrad.cli.options import OUTPUT, Text, option


@command
def search(
    config: Annotated[str, typer.Argument(metavar="CONFIG", help="A TOML file, as in experiments/sweeps.")],
    out: Annotated[
        Text,
        option(
            "--out",
            "FILE",
            "The table of all designs looked at, .csv or .parquet (default: results/NAME_search.csv).",
            OUTPUT,
        ),
    ] = None,
    store: Annotated[
        Text, option("--store", "DIR", "Where finished searches are kept (default: results/store).", OUTPUT)
    ] = None,
    exhaustive: Annotated[
        bool, option("--exhaustive", None, "Also cost every design of the space, and say what the search missed.")
    ] = False,
    check: Annotated[bool, option("--check", None, "Check CONFIG and say what it would run; run nothing.")] = False,
) -> int:
    """Search a design space by gradients: descents on a relaxed cost, rounded and costed exactly."""
    from jaxgrad.cli.search import run

    return run(config, out=out, store=store, exhaustive=exhaustive, check=check)
