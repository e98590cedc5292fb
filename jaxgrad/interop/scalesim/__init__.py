"""SCALE-Sim 3.0.0's files and its CALC mode's figures, quirks and all, without JAX or Flax."""
