"""jaxgrad.designs.grid: the blocks of a layer on many arrays, against those of each array one by one."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad.array.closed_form import Array
from jaxgrad.costs.cuts import COARSE, FULL, Cuts, all_splits, block
from jaxgrad.costs.transfers import Shapes
from jaxgrad.designs import grid
from jaxgrad.designs.grid import Grid
from jaxgrad.designs.questions import Arrays
from jaxgrad.hardware import Accelerator

LAYERS = (Shapes(5, 17, 9, 85), Shapes(31, 4, 3, 124))
TOGETHER = Shapes(np.array([5, 31]), np.array([17, 4]), np.array([9, 3]), np.array([85, 124]))
ARRAYS = Arrays(np.array([2, 3, 1]), np.array([4, 1, 2]), False)


def blocks(layer: Shapes, array: Array, cuts: Cuts) -> set[tuple[int, ...]]:
    tiles = {"b": layer.b, "k": -(-layer.k // array.cols), "n": -(-layer.n // array.rows)}
    return {tuple(block(layer.sizes, splits, array).values()) for splits in all_splits(tiles, cuts)}


@pytest.mark.parametrize("cuts", [FULL, COARSE])
def test_every_block_is_there_once_and_counted(cuts: Cuts) -> None:
    arrays = [Accelerator(int(rows), int(cols)) for rows, cols in zip(ARRAYS.rows, ARRAYS.cols, strict=True)]
    expected = [[blocks(layer, array, cuts) for array in arrays] for layer in LAYERS]
    counted = grid.blocks(TOGETHER, ARRAYS, cuts)
    assert counted.tolist() == [sum(len(layer[at]) for layer in expected) for at in range(len(arrays))]
    with jax.enable_x64(True):
        parts = jnp.asarray(grid.counts(TOGETHER, cuts))
        on_device = Arrays(jnp.asarray(ARRAYS.rows), jnp.asarray(ARRAYS.cols), False)
        for layer, by_array in zip(LAYERS, expected, strict=True):
            table = Grid.of(layer.each(jnp.asarray), on_device, parts)
            assert table.size.tolist() == [len(some) for some in by_array]
            for at, some in enumerate(by_array):
                lengths = [{int(length) for length in table.lengths[axis][:, at]} for axis in "bkn"]
                assert lengths == [{lengths[axis] for lengths in some} for axis in range(3)]
