"""Options that several commands share, by the name of their parameter."""

from __future__ import annotations

from jaxgrad.cli import choices
from jaxgrad.cli.options import (
    ARRAY,
    BITS,
    BLEND,
    DEVICE_COUNT,
    LEARNING,
    MODEL,
    NATURAL,
    OUTPUT,
    PIPELINE,
    PLACE,
    RUN,
    SHARE,
    SIZE,
    Choice,
    file,
    option,
    path,
)
from jaxgrad.training import defaults

ROWS = option("--rows", "N", "Height of the array, in PEs.", ARRAY, rule=SIZE)
COLS = option("--cols", "N", "Width of the array, in PEs.", ARRAY, rule=SIZE)
DOUBLE_BUFFERED = option(
    "--double-buffered/--single-buffered",
    None,
    "Whether PEs have shadow registers, to load and drain meanwhile.",
    ARRAY,
)
MACHINE = option(
    "--machine",
    "FILE",
    "Instead: a TOML file with a section [machine] as experiments have it (memory, precision, technology, ...); "
    "then DRAM traffic, stalls and energy are costed too.",
    ARRAY,
    rule=file,
)
TRAINING_SCHEDULE = option(
    "--schedule",
    "NAME",
    "Backward pass: interleaved, interleaved_n, interleaved_k, sequential, ws_only, os_only, free, auto or best.",
    ARRAY,
    rule=Choice(choices.training_schedules),
)
SCHEDULE = option(
    "--schedule",
    "NAME",
    "interleaved, interleaved_n, interleaved_k, sequential, ws_only, os_only, free, auto or best; ws (dX alone) or "
    "os (dW alone).",
    ARRAY,
    rule=Choice(choices.schedules),
)
FIDELITY = option(
    "--fidelity",
    "NAME",
    "native (XLA's matmul, counts in closed form), tile (the array's order of sums) or "
    "register (every clock cycle; small sizes only).",
    ARRAY,
    rule=Choice(choices.fidelities),
)
FORWARD = option("--forward", "NAME", "Forward dataflow: ws, os or is.", ARRAY, rule=Choice(choices.forwards))
WEIGHT_UPDATE = option(
    "--weight-update",
    "NAME",
    "Count the update of the weights: none, separate, or in_array (interleaved with plain sgd alone).",
    ARRAY,
    rule=Choice(choices.weight_updates),
)
OBJECTIVE = option(
    "--objective",
    "NAME",
    "What best and auto minimise: cycles, accesses, energy or edp (energy times delay); the last two of a --machine "
    "that has prices.",
    ARRAY,
    rule=Choice(choices.objectives),
)
ARRAY_OBJECTIVE = option(
    "--objective",
    "NAME",
    "What best and auto minimise: cycles or accesses.",
    ARRAY,
    rule=Choice(choices.array_objectives),
)
WEIGHTS_BITS = option(
    "--weights-bits",
    "N",
    "Quantise weights where layers read them, to 1, 2 (ternary) or up to 8 bits.",
    LEARNING,
    rule=BITS,
    default="floats",
)
ACTIVATIONS_BITS = option(
    "--activations-bits",
    "N",
    "Quantise what layers read, with a learned resolution each.",
    LEARNING,
    rule=BITS,
    default="floats",
)
BLENDED = option(
    "--blend",
    "SHARE",
    "How far a step draws quantised weights to their values.",
    LEARNING,
    rule=BLEND,
    default=str(defaults.BLEND),
)
INIT = option(
    "--init",
    "DIR",
    "Begin with the parameters of the run in DIR, of the same model.",
    LEARNING,
    rule=path,
    default="random ones",
)
TRAINING_PIPELINE = option(
    "--pipeline",
    "NAME",
    "Train with the delays of arrays in a pipeline: layerpipe, layerpipe_intra, pipedream, ...",
    PIPELINE,
    rule=Choice(choices.training_pipelines),
    default="none",
)
PROCESSORS = option("--processors", "N", "Its arrays.", PIPELINE, rule=SIZE, default=str(defaults.PROCESSORS))
WEIGHTS = option(
    "--weights",
    "NAME",
    "What the backward pass meets: stash or vertical_sync (as the forward pass), current, or ema (rebuilt).",
    PIPELINE,
    rule=Choice(choices.pipeline_weights),
    default=defaults.WEIGHTS,
)
BETA = option(
    "--beta",
    "RULE",
    "Decay of ema by the delay n: n/(n+1) or (n-1)/(n+1).",
    PIPELINE,
    rule=Choice(choices.pipeline_betas),
    default=defaults.BETA,
)
PIPELINE_TIME = option(
    "--time",
    "UNIT",
    "What tasks are timed in: cycles of the array, or macs (a unit a MAC).",
    PIPELINE,
    rule=Choice(choices.pipeline_times),
    default=defaults.TIME,
)
ESTIMATOR = option(
    "--estimator",
    "NAME",
    "Of the gradients of weights: exact, or rad (of a random part of each layer's input).",
    LEARNING,
    rule=Choice(choices.estimators),
    default="exact",
)
KEEP = option("--keep", "SHARE", "Of the input, that rad keeps.", LEARNING, rule=SHARE, default=str(defaults.KEEP))
MODE = option(
    "--mode",
    "NAME",
    "What rad keeps: the same columns or pixels of all rows, different ones, or project (random sums).",
    LEARNING,
    rule=Choice(choices.rad_modes),
    default=defaults.MODE,
)
AUGMENT = option(
    "--augment",
    "NAME,NAME",
    "What becomes of training images: crop (of the image padded by an eighth), flip (left and right).",
    MODEL,
    rule=choices.augmentations,
    default="none",
)
WINDOW = option("--window", "N", "Of text: characters that are read at a time.", MODEL, rule=SIZE, default="32")
LABEL_NOISE = option(
    "--label-noise", "SHARE", "Of the training labels, that are random.", MODEL, rule=BLEND, default="none"
)
BATCH = option("--batch", "N", "Images a step.", MODEL, rule=SIZE)
CLASSES = option(
    "--classes", "N", "Outputs of the network.", MODEL, rule=SIZE, default="10, or 1000 from 128 pixels up"
)
GEMM_BATCH = option("--batch", "N", "Rows of X and dY.", "GEMM", rule=SIZE)
IN_FEATURES = option("--in-features", "N", "Columns of X, rows of W.", "GEMM", rule=SIZE)
OUT_FEATURES = option("--out-features", "N", "Columns of W and dY.", "GEMM", rule=SIZE)
JSON = option("--json", None, "Print one JSON object and nothing else.", OUTPUT)
LOG = option(
    "--log",
    "NAME",
    "Where the log goes besides metrics.jsonl: csv, tensorboard or wandb; several with commas, or repeated.",
    RUN,
    rule=Choice(choices.logs, choices.log_names),
)
DEVICES = option(
    "--devices",
    "N|all",
    "Devices that share each batch, over all processes.",
    PLACE,
    rule=DEVICE_COUNT,
    default="all that a batch can be split among",
)
SHARD_PARAMETERS = option(
    "--shard-parameters",
    None,
    "Whether each device keeps but a part of the parameters and of the optimizer's state.",
    PLACE,
)
COORDINATOR = option(
    "--coordinator",
    "HOST:PORT",
    "Of process 0, where this is one of several.",
    PLACE,
    default="what Slurm, Open MPI or Kubernetes say",
)
PROCESSES = option("--processes", "N", "How many there are.", PLACE, rule=SIZE, default="the cluster's")
PROCESS_ID = option("--process-id", "I", "Which one this is, from 0.", PLACE, rule=NATURAL, default="the cluster's")
