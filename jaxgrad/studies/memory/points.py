"""The points of an experiment on memory, a network each, and what its training step stores."""

from __future__ import annotations

import functools
import importlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

from jaxgrad.autodiff.estimators import stored_words
from jaxgrad.base.errors import InputError
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
        spec: all that decides the result, as plain data: a network's keys but its name, and ``batch``.
    """

    network: str
    spec: Mapping[str, Any]


class Stored(NamedTuple):
    """What a training step of a network stores.

    Args:
        inputs: of the layers, [elements of one example's input, how many such inputs].
        mask_words: of the ReLUs, a bit an element.
        parameter_words: of weights and biases.
        batch: examples.
    """

    inputs: list[list[int]]
    mask_words: int
    parameter_words: int
    batch: int

    def bytes(self, keep: float, *, loss_bytes: int = 0) -> int:
        """All of it where each layer keeps a share of its input.

        Where that is all, the masks are not stored: a ReLU's output, which the next layer keeps, tells them.

        Args:
            keep: the share; of each example's d elements ``ceil(keep d)``.
            loss_bytes: what the loss keeps of an example.

        >>> Stored([[10, 1]], mask_words=2, parameter_words=30, batch=4).bytes(0.25)
        176
        """
        share = Fraction(str(keep))  # of the decimal number: .07 of 100 is 7
        words = self.batch * sum(count * math.ceil(share * size) for size, count in self.inputs)
        masks = self.mask_words if keep < 1 else 0
        return WORD_BYTES * (words + masks + self.parameter_words) + self.batch * loss_bytes


def expand(experiment: MemoryExperiment) -> list[Point]:
    """All points of an experiment."""
    batch = experiment.memory.batch
    return [
        Point(network.name, {**network.model_dump(exclude={"name"}), "batch": batch}) for network in experiment.network
    ]


def run(points: Sequence[Point], store: Store) -> Iterator[Stored]:
    """Each point's result; a point that is done is on the disk before the next one begins.

    Raises:
        InputError: a point can't be computed; the message says which.
    """
    for point in points:
        try:
            kept = store.cached(KIND, point.spec, functools.partial(compute, point))
        except InputError as error:
            raise error.within(point.network) from None
        yield Stored(*kept)


def compute(point: Point) -> Stored:
    """A network's training step, traced.

    Raises:
        InputError: the model can't be built of this.
    """
    import jax
    import jax.numpy as jnp

    from jaxgrad.flax import parameter_words, step_gemms_and_masks

    spec = point.spec
    model = _abstract(spec)
    images = jax.ShapeDtypeStruct((spec["batch"], *spec["input_shape"]), jnp.float32)
    gemms, masks = step_gemms_and_masks(model, images)
    inputs = [_inputs(gemm, spec["batch"]) for gemm in gemms if gemm.needs_dw]
    return Stored(inputs, sum(mask.words for mask in masks), sum(parameter_words(model).values()), spec["batch"])


def _inputs(gemm: LayerGemm, batch: int) -> list[int]:
    words = stored_words([gemm]).total
    if words % (batch * gemm.times):
        problem = f"got {words} words of {gemm.path}"
        raise InputError("batch", batch, "give layers that keep as much of each example", problem=problem)
    return [words // (batch * gemm.times), gemm.times]


def _abstract(spec: Mapping[str, Any]) -> Any:
    import jaxgrad_models
    from jaxgrad_models import shapes
    from jaxgrad_models.errors import BuildError

    module, constructor = (jaxgrad_models.MODELS | jaxgrad_models.PAPERS)[spec["model"]].split(":")
    build = getattr(importlib.import_module(module), constructor)
    try:
        return shapes.of(lambda rngs: build(tuple(spec["input_shape"]), spec["classes"], rngs=rngs, **spec["options"]))
    except BuildError as error:
        raise InputError(error.field, error.value, error.remedy) from None
    except TypeError as error:
        problem = f"got {', '.join(spec['options'])}: {error}"
        raise InputError("options", spec["options"], f"give what {spec['model']} takes", problem=problem) from None
