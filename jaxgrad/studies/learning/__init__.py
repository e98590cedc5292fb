"""Experiments that train: variants of a training run, several seeds each, and what they learn."""
