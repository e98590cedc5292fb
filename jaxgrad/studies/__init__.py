"""Experiments: what is measured, and the runner."""
