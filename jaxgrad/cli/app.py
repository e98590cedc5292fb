"""The commands there are."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperCommand

import jaxgrad
from jaxgrad.base.errors import InputError
from jaxgrad.cli.compare import compare
from jaxgrad.cli.diagnose import diagnose
from jaxgrad.cli.diff import diff
from jaxgrad.cli.errors import BadInput, command
from jaxgrad.cli.explain import explain
from jaxgrad.cli.gemm import gemm
from jaxgrad.cli.pipeline import pipeline
from jaxgrad.cli.profile import profile
from jaxgrad.cli.rtl import rtl
from jaxgrad.cli.run import run
from jaxgrad.cli.runs import runs
from jaxgrad.cli.scalesim import scalesim
from jaxgrad.cli.schema import schema
from jaxgrad.cli.search import search
from jaxgrad.cli.sweep import sweep
from jaxgrad.cli.trace import trace
from jaxgrad.cli.train import train

app = typer.Typer(
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Systolic arrays for training, emulated in JAX: train a network on one and read what it cost.",
)


class Command(TyperCommand):
    """A command that names the arguments it has no use for."""

    allow_extra_args = True

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        rest = super().parse_args(ctx, args)
        if rest and not ctx.resilient_parsing:
            remedy = f"leave it out, {self.name} takes no more: see jaxgrad {self.name} --help"
            raise BadInput(InputError("argument", " ".join(rest), remedy))
        return rest


def _version(requested: bool) -> None:
    if requested:
        print(f"jaxgrad {jaxgrad.__version__}")
        raise typer.Exit()


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


# As the help groups and lists them.
PANELS = {
    "Train": (train, runs, diff, diagnose),
    "A layer, a model": (explain, compare, gemm, profile, pipeline, trace, scalesim, rtl),
    "Experiments and design spaces": (run, sweep, search, schema),
}
COMMANDS = tuple(function.__name__ for functions in PANELS.values() for function in functions)
for _panel, _functions in PANELS.items():
    for _function in _functions:
        app.command(cls=Command, rich_help_panel=_panel)(command(_function))
