"""Pipelines with a flush: a batch's microbatches share one version of the weights, and its update waits for them all.

Sources: GPipe (Huang et al., NeurIPS 2019); 1F1B with flush and with interleaved stages (Narayanan et al., SC 2021);
zero-bubble (Qi et al., ICLR 2024), which does dX before dW and fills bubbles with dW.
"""

from __future__ import annotations

from collections.abc import Iterator

from jaxgrad.pipelines.pipeline import Op, Pipeline, Shape, register


def gpipe(processor: int, shape: Shape) -> Iterator[Op]:
    """All forward passes, then all backward passes."""
    for batch in range(shape.batches):
        first = batch * shape.microbatches
        for kind in ("F", "B"):
            yield from (Op(kind, first + item, processor) for item in range(shape.microbatches))


def one_f_one_b(processor: int, shape: Shape) -> Iterator[Op]:
    """A forward pass for each stage behind, then forward and backward in turn.

    >>> [f"{op.kind}{op.item}" for op in one_f_one_b(0, Shape(processors=2, microbatches=3))]
    ['F0', 'F1', 'B0', 'F2', 'B1', 'B2']
    """
    many = shape.microbatches
    ahead = min(shape.stages - 1 - processor, many)
    for batch in range(shape.batches):
        first = batch * many
        for item in range(many + ahead):
            if item < many:
                yield Op("F", first + item, processor)
            if item >= ahead:
                yield Op("B", first + item - ahead, processor)


def interleaved_1f1b(processor: int, shape: Shape) -> Iterator[Op]:
    """1F1B where an array has several stages: microbatches in groups of as many as arrays, stage after stage.

    As Megatron-LM orders them; ``microbatches`` is a multiple of ``processors``.
    """
    arrays, chunks = shape.processors, shape.chunks
    many = shape.microbatches * chunks
    ahead = min(2 * (arrays - 1 - processor) + (chunks - 1) * arrays, many)

    def op(kind: str, number: int, first: int) -> Op:
        group, within = divmod(number, arrays * chunks)
        chunk = within // arrays
        item = first + group * arrays + within % arrays
        if kind == "B":
            chunk = chunks - 1 - chunk
        return Op("F" if kind == "F" else "B", item, chunk * arrays + processor)

    for batch in range(shape.batches):
        first = batch * shape.microbatches
        for number in range(many + ahead):
            if number < many:
                yield op("F", number, first)
            if number >= ahead:
                yield op("B", number - ahead, first)


def zb_h1(processor: int, shape: Shape) -> Iterator[Op]:
    """1F1B with dX alone on the way back: dW of a microbatch waits until as many are in flight on every array."""
    return _zero_bubble(processor, shape, shape.stages - processor, processor)


def zb_h2(processor: int, shape: Shape) -> Iterator[Op]:
    """More forward passes ahead, so that no array waits for the first dX; 2P - 1 microbatches in flight."""
    return _zero_bubble(processor, shape, 2 * (shape.stages - processor) - 1, 2 * processor)


def _zero_bubble(processor: int, shape: Shape, ahead: int, behind: int) -> Iterator[Op]:
    """``ahead`` forward passes, then dX, dW of the microbatch ``behind`` before it, and the next forward pass, in turn.

    The flush is that of the array alone: it goes on with the next batch when its own dW are done.
    """
    many = shape.microbatches
    for batch in range(shape.batches):
        first = batch * many
        for item in range(min(ahead, many)):
            yield Op("F", first + item, processor)
        for item in range(many):
            yield Op("B", first + item, processor)
            if item >= behind:
                yield Op("W", first + item - behind, processor)
            if item + ahead < many:
                yield Op("F", first + item + ahead, processor)
        for item in range(max(0, many - behind), many):
            yield Op("W", first + item, processor)


register(Pipeline("gpipe", "all forward passes, then all backward passes", "layers", gpipe, flushed=True))
register(Pipeline("1f1b", "forward and backward in turn, with a flush", "layers", one_f_one_b, flushed=True))
register(
    Pipeline(
        "interleaved_1f1b",
        "1F1B with several stages on each array",
        "layers",
        interleaved_1f1b,
        flushed=True,
        chunked=True,
    )
)
register(
    Pipeline(
        "zb_h1", "zero-bubble, 1F1B's memory: dW fills the bubbles", "layers", zb_h1, flushed=True, splits_backward=True
    )
)
register(
    Pipeline("zb_h2", "zero-bubble, twice the memory: no bubble", "layers", zb_h2, flushed=True, splits_backward=True)
)
