"""What a training run is where nothing is said: plain values, so that the command line's help tells them without JAX.

What an optimizer leaves to its default is in ``optimizers.DEFAULTS``.
"""

from __future__ import annotations

MODEL = "lenet"
DATA = "digits"
BATCH_SIZE = 32
ROWS = 16
COLS = 16
DOUBLE_BUFFERED = False
SCHEDULE = "interleaved"
FIDELITY = "native"
FORWARD = "ws"
WEIGHT_UPDATE = "none"
OBJECTIVE = "cycles"
PRECISION = "own"
OPTIMIZER = "adam"
DECAY = "cosine"
EPOCHS = 20
SEED = 0
CHECKPOINT_EVERY = 200
PROCESSORS = 4  # of a pipeline, where there is one
WEIGHTS = "stash"
BETA = "n/(n+1)"
TIME = "cycles"
KEEP = 0.1  # of rad
MODE = "same"
BLEND = 1e-3  # of quantised weights, where there are some
LAYERS = "*"
ON_NAN = "stop"
