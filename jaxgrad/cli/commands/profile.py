"""The options of ``jaxgrad profile``."""

from __future__ import annotations

from typing import Annotated

import typer

from jaxgrad.cli.errors import command
from jaxgrad.cli.options import Buffered, Cols, Forward, Json, MachineFile, Objective, Rows, WeightUpdate, option

_CALL = "Call"


@command
def profile(
    target: Annotated[
        str,
        typer.Argument(
            metavar="MODULE:FUNCTION",
            help="What to trace, such as train:step or train.py:step; or an ONNX model, such as resnet.onnx.",
        ),
    ],
    arg: Annotated[
        list[str] | None,
        option(
            "--arg",
            "SPEC",
            "One argument, in order: f32[32,784], i32[32], bf16[8,16], or a number, true, false or none; repeatable "
            "(default: the module's example_args, a tuple or a function that gives one).",
            _CALL,
        ),
    ] = None,
    trips: Annotated[
        list[str] | None,
        option(
            "--trips", "N", "How often while loops run: N for all, NAME=N for one that a note names; repeatable.", _CALL
        ),
    ] = None,
    dim: Annotated[
        list[str] | None,
        option("--dim", "NAME=N", "The size of an axis that an ONNX model leaves open; repeatable.", _CALL),
    ] = None,
    rows: Rows = None,
    cols: Cols = None,
    double_buffered: Buffered = None,
    machine: MachineFile = None,
    forward: Forward = "ws",
    weight_update: WeightUpdate = "none",
    objective: Objective = "cycles",
    as_json: Json = False,
) -> int:
    """Read what any JAX function asks of the array off a trace of it, and put the schedules side by side."""
    options = dict(locals())
    from jaxgrad.cli.profile import run

    return run(**options)
