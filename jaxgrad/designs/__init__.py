"""Whole spaces of designs at once: swept exactly, or searched by gradients of a smooth relaxation."""
