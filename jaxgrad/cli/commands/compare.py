"""The options of ``jaxgrad compare``."""

from __future__ import annotations

from typing import Annotated

from jaxgrad.cli.errors import command
from jaxgrad.cli.options import (
    MODEL,
    OUTPUT,
    Buffered,
    Cols,
    Forward,
    Json,
    MachineFile,
    Objective,
    Rows,
    Text,
    WeightUpdate,
    option,
)


@command
def compare(
    model: Annotated[
        str,
        option(
            "--model", "NAME", "As in train, or a paper's: resnet50, vgg16, densenet264, ... (default: lenet).", MODEL
        ),
    ] = "lenet",
    data: Annotated[
        Text,
        option(
            "--data", "NAME", "Images of digits, mnist or cifar10 (default: digits; for a paper's, its own).", MODEL
        ),
    ] = None,
    input_shape: Annotated[
        Text, option("--input-shape", "HxWxC", "Instead of --data: the size of an image, as 32x32x3.", MODEL)
    ] = None,
    classes: Annotated[
        Text, option("--classes", "N", "Outputs of the network (default: 10, or 1000 from 128 pixels up).", MODEL)
    ] = None,
    batch: Annotated[Text, option("--batch", "N", "Images a step (default: 32).", MODEL)] = "32",
    rows: Rows = None,
    cols: Cols = None,
    double_buffered: Buffered = None,
    machine: MachineFile = None,
    forward: Forward = "ws",
    weight_update: WeightUpdate = "none",
    objective: Objective = "cycles",
    clock_ghz: Annotated[
        Text,
        option(
            "--clock-ghz",
            "GHZ",
            "The array's clock, for the times in the ASTRA-sim files, in ns (default: 1). For Chakra's converter, "
            "which takes them for microseconds, give it times 1000.",
            OUTPUT,
        ),
    ] = "1",
    out: Annotated[
        Text,
        option(
            "--out",
            "DIR",
            "Where the figures and the ASTRA-sim workloads go, new or empty (default: runs/compare-MODEL-NUMBER).",
            OUTPUT,
        ),
    ] = None,
    as_json: Json = False,
) -> int:
    """Put the schedules side by side for one training step of a model, from shapes alone."""
    options = dict(locals())
    from jaxgrad.cli.compare import run

    return run(**options)
