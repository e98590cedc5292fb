"""Plots of training steps as the field draws them, each written as PNG and SVG: draws, never computes."""
