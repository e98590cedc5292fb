"""The options of ``jaxgrad scalesim``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from jaxgrad.cli.errors import command
from jaxgrad.cli.options import MODEL, Json, Text, option


def _own(short: str, long: str, metavar: str, text: str) -> Any:
    """An option of SCALE-Sim's, with a longer name besides."""
    return typer.Option(short, long, metavar=metavar, help=text, rich_help_panel="SCALE-Sim's own", show_default=False)


@command
def scalesim(
    config: Annotated[Text, _own("-c", "--config", "CFG", "The machine, a SCALE-Sim .cfg.")] = None,
    topology: Annotated[
        Text,
        _own(
            "-t",
            "--topology",
            "CSV",
            "The layers, a SCALE-Sim topology; columns Padding, Batch and Groups may follow its own.",
        ),
    ] = None,
    kind: Annotated[
        Text, _own("-i", "--input", "KIND", "What the topology holds: conv or gemm (default: conv).")
    ] = "conv",
    path: Annotated[
        Text, _own("-p", "--path", "DIR", "Where the reports go, in a folder of the run's name (default: results).")
    ] = None,
    layout: Annotated[Text, _own("-l", "--layout", "CSV", "Taken and left unread: no figure depends on it.")] = None,
    save_trace: Annotated[
        Text, _own("-s", "--save-trace", "Y|N", "Taken without effect: traces are never written.")
    ] = None,
    calc: Annotated[bool, option("--calc", None, "Count as in CALC mode although the .cfg says USER.")] = False,
    model: Annotated[
        Text,
        option(
            "--model", "NAME", "Instead of -t: write the GEMMs of a model as topologies (lenet, resnet50, ...).", MODEL
        ),
    ] = None,
    phase: Annotated[
        Text, option("--phase", "NAME", "The GEMMs of forward, dx or dw alone (default: all three).", MODEL)
    ] = None,
    batch: Annotated[Text, option("--batch", "N", "Images a step (default: 1).", MODEL)] = None,
    input_shape: Annotated[
        Text, option("--input-shape", "HxWxC", "The size of an image (default: that of the model's paper).", MODEL)
    ] = None,
    classes: Annotated[
        Text, option("--classes", "N", "Outputs of the model (default: 10, or 1000 from 128 pixels up).", MODEL)
    ] = None,
    as_json: Json = False,
) -> int:
    """SCALE-Sim 3.0.0's reports from its own files in a moment, its quirks named and each figure put right beside."""
    options = dict(locals())
    from jaxgrad.cli.scalesim import run

    return run(**options)
