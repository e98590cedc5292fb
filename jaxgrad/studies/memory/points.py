"""The points of an experiment on memory, a network each, and what its training step stores."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from jaxgrad.autodiff.estimators import rad, stored_words
from jaxgrad.base.errors import InputError
from jaxgrad.networks import entries
from jaxgrad.networks.names import NAMES
from jaxgrad.programs import LayerGemm
from jaxgrad.studies.memory.schema import MemoryExperiment
from jaxgrad.studies.store import Store

KIND = "memory"
"""Of the results in the store."""
WORD_BYTES = 4


@dataclass(frozen=True)
class Point:
    """A network.

    Args:
        network: its name in the file.
        spec: all that decides the result, as plain data: a network's keys but its name, ``batch`` and ``keep``; of the
            user's own also a hash of its files.
        folder: of the experiment's file, from which the user's own networks are seen.
    """

    network: str
    spec: Mapping[str, Any]
    folder: Path = Path()

    @property
    def label(self) -> str:
        return self.network


class Stored(NamedTuple):
    """What a training step of a network stores.

    Args:
        inputs: of the layers, [elements of one example's input, how many such inputs].
        estimated: words of the layers under ``rad(keep, "same")``, for each of the shares.
        mask_words: of the ReLUs, a bit an element.
        parameter_words: of weights and biases.
        batch: examples.
    """

    inputs: list[list[int]]
    estimated: list[int]
    mask_words: int
    parameter_words: int
    batch: int

    def kept_words(self, keep: float) -> int:
        """Words of the layers' inputs where of each example's d elements ``ceil(keep d)`` are kept."""
        share = Fraction(str(keep))  # of the decimal number: .07 of 100 is 7
        return self.batch * sum(count * math.ceil(share * size) for size, count in self.inputs)

    def bytes(self, layer_words: int, *, masks: bool, loss_bytes: int = 0) -> int:
        """All of it.

        Args:
            layer_words: what the layers keep of their inputs.
            masks: whether masks are stored.
            loss_bytes: what the loss keeps of an example.

        >>> stored = Stored([[10, 1]], [], mask_words=2, parameter_words=30, batch=4)
        >>> stored.bytes(stored.kept_words(0.25), masks=True)
        176
        """
        words = layer_words + masks * self.mask_words + self.parameter_words
        return WORD_BYTES * words + self.batch * loss_bytes


def expand(experiment: MemoryExperiment, file: Path = Path()) -> list[Point]:
    """All points of an experiment.

    Args:
        experiment: from ``file``.
        file: where it is from; paths in it are relative to its folder.

    Raises:
        InputError: a network of the user's own can't be built.
    """
    common = experiment.memory.model_dump(include={"batch", "keep"})
    points = []
    for number, network in enumerate(experiment.network):
        spec = network.model_dump(exclude={"name"})
        try:
            if network.model not in NAMES:
                entries.abstract(spec, file.parent)
        except InputError as error:
            raise error.under(f"network.{number}").read_from(str(file)) from None
        points.append(
            Point(network.name, {**spec, **entries.source(network.model, file.parent), **common}, file.parent)
        )
    return points


def run(points: Sequence[Point], store: Store) -> Iterator[Stored]:
    """Each point's result; a point that is done is on the disk before the next one begins.

    Raises:
        InputError: a point can't be computed; the message says which.
    """
    for kept in store.results(KIND, points, compute):
        yield Stored(*kept)


def compute(point: Point) -> Stored:
    """A network's training step, traced.

    Raises:
        InputError: the model can't be built of this.
    """
    from jaxgrad.flax import parameter_words, step_gemms_and_masks

    spec = point.spec
    model, images = entries.abstract(spec, point.folder, spec["batch"])
    gemms, masks = step_gemms_and_masks(model, images)
    inputs = [_inputs(gemm, spec["batch"]) for gemm in gemms if gemm.needs_dw]
    estimated = [stored_words(gemms, rad(keep, "same")).total for keep in spec["keep"]]
    mask_words, weights = sum(mask.words for mask in masks), sum(parameter_words(model).values())
    return Stored(inputs, estimated, mask_words, weights, spec["batch"])


def _inputs(gemm: LayerGemm, batch: int) -> list[int]:
    words = stored_words([gemm]).total
    if words % (batch * gemm.times):
        problem = f"got {words} words of {gemm.path}"
        raise InputError("batch", batch, "give layers that keep as much of each example", problem=problem)
    return [words // (batch * gemm.times), gemm.times]
