"""Whole spaces of designs at once, in exact integers."""
