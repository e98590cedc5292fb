"""Experiments with pipelines of arrays: networks on P arrays under each pipeline, beside published ratios."""
