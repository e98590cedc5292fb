"""Pipelines without a flush: a batch enters in each period, and meets weights that are some updates old.

Sources: PipeDream (Narayanan et al., SOSP 2019); LayerPipe (Unnikrishnan & Parhi, ICCAD 2021, arXiv 2108.06629).
"""

from __future__ import annotations

from collections.abc import Iterator

from jaxgrad.pipelines.pipeline import Delay, Op, Order, Pipeline, Shape, no_delay, register


def one_forward_one_backward(delay: Delay) -> Order:
    """Forward passes of the first ``delay + 1`` batches, then the backward pass of one and the forward of the next.

    >>> order = one_forward_one_backward(lambda stage, stages: stages - 1 - stage)
    >>> [f"{op.kind}{op.item}" for op in order(0, Shape(processors=2, batches=4))]
    ['F0', 'F1', 'B0', 'F2', 'B1', 'F3', 'B2', 'B3']
    """

    def order(processor: int, shape: Shape) -> Iterator[Op]:
        ahead = delay(processor, shape.stages)
        for item in range(shape.items + ahead):
            if item < shape.items:
                yield Op("F", item, processor)
            if item >= ahead:
                yield Op("B", item - ahead, processor)

    return order


def after(stage: int, stages: int) -> int:
    """Stages behind this one: the delay of asynchronous 1F1B."""
    return stages - 1 - stage


def there_and_back(stage: int, stages: int) -> int:
    """Twice the stages behind this one: where each array does the forward pass of one batch and the backward pass of
    another in the same period (LayerPipe2, arXiv 2512.08160: ``Delay(l) = 2 S(l)``)."""
    return 2 * (stages - 1 - stage)


register(Pipeline("single", "one array", "layers", one_forward_one_backward(no_delay), alone=True))
register(
    Pipeline(
        "pipedream",
        "asynchronous 1F1B on whole layers: forward and backward in turn, no flush",
        "layers",
        one_forward_one_backward(after),
        after,
    )
)
register(
    Pipeline(
        "layerpipe_intra",
        "F, dX and dW of a layer may be on different arrays; forward and backward at once",
        "passes",
        one_forward_one_backward(there_and_back),
        there_and_back,
    )
)
register(
    Pipeline(
        "layerpipe",
        "the same with each dX in two halves",
        "halves",
        one_forward_one_backward(there_and_back),
        there_and_back,
    )
)
