"""The commands there are."""

from __future__ import annotations

from typing import Annotated

import typer

import jaxgrad
from jaxgrad.cli.commands.compare import compare
from jaxgrad.cli.commands.gemm import gemm
from jaxgrad.cli.commands.profile import profile
from jaxgrad.cli.commands.run import run
from jaxgrad.cli.commands.scalesim import scalesim
from jaxgrad.cli.commands.search import search
from jaxgrad.cli.commands.sweep import sweep
from jaxgrad.cli.commands.trace import trace
from jaxgrad.cli.commands.train import train

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Systolic arrays for training, emulated in JAX: train a network on one and read what it cost.",
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"jaxgrad {jaxgrad.__version__}")
        raise typer.Exit()


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


# In the order in which the help lists them.
_FUNCTIONS = (train, gemm, compare, run, sweep, search, trace, scalesim, profile)
COMMANDS = tuple(function.__name__ for function in _FUNCTIONS)
for _function in _FUNCTIONS:
    app.command()(_function)
