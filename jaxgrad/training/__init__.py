"""Training on the emulated array: data, the loop, checkpoints."""
