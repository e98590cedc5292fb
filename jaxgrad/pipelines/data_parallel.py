"""Data parallelism: each array trains on its share of the batch, and gradients are summed over all arrays."""

from __future__ import annotations

from collections.abc import Iterator

from jaxgrad.pipelines.pipeline import Op, Pipeline, Shape, register


def data_parallel(processor: int, shape: Shape) -> Iterator[Op]:
    """Forward, backward, and the all-reduce of the gradients, for which all arrays wait."""
    for batch in range(shape.batches):
        for kind in ("F", "B", "W"):
            yield Op(kind, batch, processor)


register(
    Pipeline(
        "data_parallel",
        "each array has all layers and a share of the batch; gradients are summed by a ring all-reduce",
        "layers",
        data_parallel,
        flushed=True,
        replicates=True,
    )
)
