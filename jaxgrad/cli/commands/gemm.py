"""The options of ``jaxgrad gemm``."""

from __future__ import annotations

from typing import Annotated

from jaxgrad.cli.errors import command
from jaxgrad.cli.options import ARRAY, Buffered, Cols, Fidelity, Json, Objective, Rows, Text, WeightUpdate, option


@command
def gemm(
    batch: Annotated[Text, option("--batch", "N", "Rows of X and dY (default: 32).", "GEMM")] = "32",
    in_features: Annotated[Text, option("--in-features", "N", "Columns of X, rows of W (default: 64).", "GEMM")] = "64",
    out_features: Annotated[Text, option("--out-features", "N", "Columns of W and dY (default: 48).", "GEMM")] = "48",
    seed: Annotated[Text, option("--seed", "N", "Of the data (default: 0).", "GEMM")] = "0",
    rows: Rows = "16",
    cols: Cols = "16",
    double_buffered: Buffered = False,
    schedule: Annotated[
        Text,
        option(
            "--schedule",
            "NAME",
            "interleaved, sequential, ws_only, os_only or auto; ws (dX alone) or os (dW alone) (default: interleaved).",
            ARRAY,
        ),
    ] = "interleaved",
    fidelity: Fidelity = "native",
    weight_update: WeightUpdate = "none",
    objective: Objective = "cycles",
    as_json: Json = False,
) -> int:
    """Run the backward pass of one GEMM on the array: its counters, and its gradients against a plain matmul."""
    options = dict(locals())
    from jaxgrad.cli.gemm import run

    return run(**options)
