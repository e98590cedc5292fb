"""Options of diagnostics, and of the checkpoints that they can be taken of afterwards."""

from __future__ import annotations

from jaxgrad.base.errors import count_or_all
from jaxgrad.cli.options import RUN, SIZE, option

DIAGNOSTICS = option(
    "--diagnostics",
    "N",
    "Every N steps measure gradient, noise, curvature and the balance of a step, and say at the end where training "
    "stopped paying.",
    RUN,
    rule=SIZE,
    default="none",
)
SAMPLE = option(
    "--diagnostics-sample",
    "IMAGES",
    "Of each measurement, in whole batches; as many as an epoch has at most.",
    RUN,
    rule=SIZE,
    default="4 batches",
)
KEEP_CHECKPOINTS = option(
    "--keep-checkpoints",
    "N|all",
    "The newest N, or all of them, for jaxgrad diagnose.",
    RUN,
    rule=count_or_all,
    default="2",
)
