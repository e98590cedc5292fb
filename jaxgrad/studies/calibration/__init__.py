"""Bandwidth and clock found from measurements by least squares, and how well these determine them."""
