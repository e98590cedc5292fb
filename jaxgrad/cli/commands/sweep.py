"""The options of ``jaxgrad sweep``."""

from __future__ import annotations

from typing import Annotated

import typer

from jaxgrad.cli.errors import command
from jaxgrad.cli.options import OUTPUT, Text, option


@command
def sweep(
    config: Annotated[str, typer.Argument(metavar="CONFIG", help="A TOML file, as in experiments/sweeps.")],
    out: Annotated[
        Text,
        option(
            "--out",
            "FILE",
            "The table of all points, .csv or .parquet (default: results/NAME.csv); the front goes beside it.",
            OUTPUT,
        ),
    ] = None,
    store: Annotated[
        Text, option("--store", "DIR", "Where finished chunks are kept (default: results/store).", OUTPUT)
    ] = None,
    shard: Annotated[
        Text,
        option("--shard", "I/N", "Compute every N-th chunk from the I-th on, and no table; without it, merge.", OUTPUT),
    ] = None,
    check: Annotated[bool, option("--check", None, "Check CONFIG and say what it would run; run nothing.")] = False,
) -> int:
    """Cost a whole design space, exactly: every array, memory, schedule and precision, and the Pareto front."""
    from jaxgrad.cli.sweep import run

    return run(config, out=out, store=store, shard=shard, check=check)
