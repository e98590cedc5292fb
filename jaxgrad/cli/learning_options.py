"""Options of how a training run learns, beside its optimizer's own, by the name of their parameter."""

from __future__ import annotations

from jaxgrad.cli import choices
from jaxgrad.cli.options import DECAY, FRACTION, LEARNING, RATE, SHARE, SIZE, Choice, option

WARMUP = option(
    "--warmup",
    "TIME",
    "The learning rate rises from 0 for so long, then decays: steps (500), epochs (5epochs) or a share (10%).",
    LEARNING,
    rule=choices.span,
    default="none",
)
END_RATE = option(
    "--end-rate", "RATE", "What cosine, linear and exponential end at.", LEARNING, rule=DECAY, default="0"
)
DECAY_FACTOR = option(
    "--decay-factor",
    "SHARE",
    "What is left of the learning rate after an epoch of exponential, or a fall of step.",
    LEARNING,
    rule=SHARE,
    default="0.95 and 0.1",
)
DECAY_AT = option(
    "--decay-at",
    "TIME,...",
    "When the learning rate of step falls, as steps, epochs or shares of the run.",
    LEARNING,
    rule=choices.spans,
    default="50%,75%",
)
WEIGHT_DECAY_MASK = option(
    "--weight-decay-mask",
    "WHICH",
    "Parameters that decay: all, kernels (no biases, no norms), or patterns such as 'conv*,head.kernel'.",
    LEARNING,
    default="all",
)
CLIP_NORM = option(
    "--clip-norm", "NORM", "Scale gradients down to this norm of all together.", LEARNING, rule=RATE, default="none"
)
LABEL_SMOOTHING = option(
    "--label-smoothing",
    "SHARE",
    "Of each label, spread over all classes in training; the test loss is of plain labels.",
    LEARNING,
    rule=FRACTION,
    default="0",
)
PATIENCE = option(
    "--patience",
    "N",
    "Stop after N epochs without a better test.",
    LEARNING,
    rule=SIZE,
    default="train all epochs",
)
PATIENCE_FOR = option(
    "--patience-for",
    "NAME",
    "What of the test is to get better: loss or accuracy.",
    LEARNING,
    rule=Choice(choices.patience_measures),
    default="loss",
)
MIXED_PRECISION = option(
    "--mixed-precision",
    "NAME",
    "bf16 or fp16: compute in halves, update in fp32 (fp16 scales the loss); --precision only rounds what enters the "
    "array.",
    LEARNING,
    rule=Choice(choices.mixed_precisions),
    default="none",
)
