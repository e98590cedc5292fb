"""A model laid out: its nodes in one row, those inside of others too."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Step:
    """A node of the model laid out.

    Args:
        node: for what reads it here; an ``Identity`` of several operands is a view of any of them.
        inferred: for shape inference; None where nothing is known of the shape.
        path: its name, after those of the nodes that it is in.
        times: how often it runs.
        after: of the value that a round of a loop finds: what the round hands on. Empty for all other steps.
        trips: how many rounds that loop has.
    """

    node: Any
    inferred: Any
    path: str
    times: int = 1
    after: str = ""
    trips: int = 1


@dataclass
class Flat:
    """A model laid out.

    Args:
        steps: its nodes.
        branches: by the path of an ``If``, the steps of its branches, of which no one knows which runs.
        loops: by the path of a loop of which the file does not say how often it runs, the steps of its body.
    """

    steps: list[Step] = field(default_factory=list)
    branches: dict[str, range] = field(default_factory=dict)
    loops: dict[str, range] = field(default_factory=dict)
