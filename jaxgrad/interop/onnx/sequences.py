"""``SequenceMap`` laid out: its graph runs once for each element of a sequence, as a loop's body would.

A sequence that the model makes of single values has as many elements; of others, and of those that it is given, no
file says how many. Shape inference has one shape for all elements, or leaves open the axes in which they differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jaxgrad.interop.onnx.steps import Step

MADE = frozenset({"SequenceConstruct", "SequenceInsert", "SequenceErase", "SplitToSequence", "SequenceMap"})


def elements(onnx: Any, names: Sequence[str], index: str, made: Sequence[str], path: str, times: int) -> list[Step]:
    """The steps that take an element of each sequence.

    Args:
        onnx: the package.
        names: of the sequences.
        index: name of a number, 0.
        made: names of the elements.
        path, times: see ``Step``.
    """
    steps = []
    for name, element in zip(names, made, strict=True):
        node = onnx.helper.make_node("Identity", [name], [element])
        steps.append(Step(node, onnx.helper.make_node("SequenceAt", [name, index], [element]), path, times))
    return steps


def collected(onnx: Any, result: str, output: str, path: str, times: int) -> Step:
    """The step that puts the results of all runs in a sequence."""
    node = onnx.helper.make_node("Identity", [result], [output])
    return Step(node, onnx.helper.make_node("SequenceConstruct", [result], [output]), path, times)
