"""Options that several commands share. Values stay text here, to be checked where the rules for them are."""

from __future__ import annotations

from typing import Annotated, Any

import typer

Text = str | None
MODEL, ARRAY, LEARNING, RUN, OUTPUT = "Model and data", "Array", "Learning", "Run", "Output"


def option(flags: str, metavar: str | None, text: str, panel: str = "Options") -> Any:
    return typer.Option(flags, metavar=metavar, help=text, rich_help_panel=panel, show_default=False)


Model = Annotated[Text, option("--model", "NAME", "mlp, lenet or resnet20 (default: lenet).", MODEL)]
Data = Annotated[Text, option("--data", "NAME", "digits, mnist or cifar10 (default: digits).", MODEL)]
Rows = Annotated[Text, option("--rows", "N", "Height of the array, in PEs (default: 16).", ARRAY)]
Cols = Annotated[Text, option("--cols", "N", "Width of the array, in PEs (default: 16).", ARRAY)]
Buffered = Annotated[
    bool | None,
    option(
        "--double-buffered/--single-buffered",
        None,
        "Whether PEs have shadow registers, to load and drain meanwhile (default: single-buffered).",
        ARRAY,
    ),
]
MachineFile = Annotated[
    Text,
    option(
        "--machine",
        "FILE",
        "Instead: a TOML file with a section [machine] as experiments have it (memory, precision, technology, ...); "
        "then DRAM traffic, stalls and energy are costed too.",
        ARRAY,
    ),
]
Fidelity = Annotated[
    Text,
    option(
        "--fidelity",
        "NAME",
        "native (XLA's matmul, counts in closed form), tile (the array's order of sums) or "
        "register (every clock cycle; small sizes only) (default: native).",
        ARRAY,
    ),
]
Forward = Annotated[Text, option("--forward", "NAME", "Forward dataflow: ws, os or is (default: ws).", ARRAY)]
WeightUpdate = Annotated[
    Text,
    option(
        "--weight-update",
        "NAME",
        "Count the update of the weights: none, separate, or in_array (interleaved "
        "with plain sgd alone) (default: none).",
        ARRAY,
    ),
]
Objective = Annotated[
    Text, option("--objective", "NAME", "What auto minimises: cycles or accesses (default: cycles).", ARRAY)
]
PrecisionOption = Annotated[
    Text,
    option(
        "--precision",
        "NAME",
        "What operands are rounded to, sums staying in fp32: own (as they are), fp32, bf16 or fp16 (default: own).",
        ARRAY,
    ),
]
Json = Annotated[bool, option("--json", None, "Print one JSON object and nothing else.", OUTPUT)]
