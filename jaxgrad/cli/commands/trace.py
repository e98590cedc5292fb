"""The options of ``jaxgrad trace``."""

from __future__ import annotations

from typing import Annotated

from jaxgrad.cli.errors import command
from jaxgrad.cli.options import ARRAY, OUTPUT, Buffered, Text, option


@command
def trace(
    batch: Annotated[Text, option("--batch", "N", "Rows of X and dY (default: 4).", "GEMM")] = "4",
    in_features: Annotated[Text, option("--in-features", "N", "Columns of X, rows of W (default: 6).", "GEMM")] = "6",
    out_features: Annotated[Text, option("--out-features", "N", "Columns of W and dY (default: 6).", "GEMM")] = "6",
    rows: Annotated[Text, option("--rows", "N", "Height of the array, in PEs (default: 3).", ARRAY)] = "3",
    cols: Annotated[Text, option("--cols", "N", "Width of the array, in PEs (default: 3).", ARRAY)] = "3",
    double_buffered: Buffered = False,
    schedule: Annotated[
        Text,
        option(
            "--schedule",
            "NAMES",
            "One, or several with commas: interleaved, sequential, ws_only, os_only, auto, ws (dX alone), os (dW "
            "alone) (default: interleaved,sequential).",
            ARRAY,
        ),
    ] = "interleaved,sequential",
    max_tiles: Annotated[
        Text,
        option("--max-tiles", "N", "Tiles a schedule in the trace, the first ones (default: 10000).", OUTPUT),
    ] = "10000",
    animation: Annotated[
        bool | None,
        option(
            "--animation/--no-animation",
            None,
            "Whether to record the registers of interleaved and sequential (default: if the array is 8x8 at most and "
            "the runs are short).",
            OUTPUT,
        ),
    ] = None,
    out: Annotated[
        Text, option("--out", "DIR", "Where the files go, new or empty (default: runs/trace-NUMBER).", OUTPUT)
    ] = None,
) -> int:
    """Write what tiles do on the array: a Perfetto trace, a Gantt chart, and an animation of the registers."""
    options = dict(locals())
    from jaxgrad.cli.trace import run

    return run(**options)
