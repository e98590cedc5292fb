"""Folds and patches against the array word by word."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jaxgrad.interop.scalesim.folds import Dataflow, Folds, Patch
from jaxgrad.interop.scalesim.layers import Layer
from tests.interop.scalesim import oracle
from tests.interop.scalesim.shapes import arrays, dataflows, gemms


@given(st.integers(0, 5), st.integers(1, 9), st.integers(1, 9), st.booleans())
def test_patch_counts_and_finds_every_word(first: int, length: int, width: int, skewed: bool) -> None:
    patch = Patch(first, length, width, skewed)
    cycles = sorted(first + row + (col if skewed else 0) for row in range(length) for col in range(width))
    assert [patch.cycle(word) for word in range(patch.words)] == cycles
    assert patch.last == cycles[-1]
    for cycle in range(patch.last + 3):
        assert patch.before(cycle) == sum(word < cycle for word in cycles)


@given(gemms, arrays, dataflows)
def test_patches_are_what_crosses_the_edges(layer: Layer, array: tuple[int, int], dataflow: Dataflow) -> None:
    folds = Folds(layer.product, *array, dataflow)
    streams = oracle.demand(layer, *array, dataflow)
    assert all(len(lines) == folds.cycles == folds.count * folds.cycles_each for lines in streams)
    for fold in range(folds.count):
        col_fold, row_fold = divmod(fold, folds.row_folds)
        left, written = folds.streamed_over_rows(row_fold), folds.written(row_fold, col_fold)
        if dataflow == "os":
            patches = left, folds.streamed_over_cols(col_fold), written
        elif dataflow == "ws":
            patches = left, folds.stationary(row_fold, col_fold), written
        else:
            patches = folds.stationary(row_fold, col_fold), left, written
        for lines, patch in zip(streams, patches, strict=True):
            start = fold * folds.cycles_each
            sizes = [len(line) for line in lines[start : start + folds.cycles_each]]
            assert sizes == [patch.before(cycle + 1) - patch.before(cycle) for cycle in range(folds.cycles_each)]
