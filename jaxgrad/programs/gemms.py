"""What a training step asks of the array, layer by layer, read off a trace of its gradient: no data, no arithmetic.

Where the step is traced for reading, each product is wrapped in a ``jax.jit`` whose name says whose it is; see
``autodiff.marks``. The jaxpr of the gradient then tells what really runs: a gradient that no one wants is not there, a
loop's body is there once with its length, and what ``jax.checkpoint`` runs anew is there again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Literal

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn

from jaxgrad.array.gemm import Gemm
from jaxgrad.programs import jaxprs

Phase = Literal["forward", "dx", "dw"]
PREFIX = "jaxgrad:"  # of the names of marked products


@dataclass(frozen=True)
class LayerGemm:
    """GEMMs of one shape that a layer poses in a training step.

    A layer has several of these where it is called on different shapes, or on the network's input too.

    Args:
        path: the layer's place in the model.
        gemm: the shape; for a grouped convolution, of one group.
        times: GEMMs of that shape a step: groups, times calls.
        needs_dx: whether the input's gradient is wanted; not at the network's input.
        needs_dw: whether the weights' gradient is wanted; not where they are frozen.
        kind: name of the operation.
        recomputed: forward GEMMs a step beyond ``times``, which ``jax.checkpoint`` runs for the backward pass.
        x_words: elements of X before it is lowered, for one of these GEMMs: a convolution's input feature map (of one
            group), whose patches overlap. 0 where X is the GEMM's own, as of a dense layer.
        weights: whether W is weights, which an update changes; not where it is activations too, as in attention.
    """

    path: str
    gemm: Gemm
    times: int
    needs_dx: bool
    needs_dw: bool = True
    kind: str = "dot_general"
    recomputed: int = 0
    x_words: int = 0
    weights: bool = True

    @property
    def input_words(self) -> int:
        """Elements of X as it lies in memory, for one of these GEMMs."""
        return self.x_words or self.gemm.batch * self.gemm.in_features


@jax.tree_util.register_static
@dataclass(frozen=True)
class Mark:
    """What the name of a wrapped product says.

    Args:
        path, kind: whose, and of what sort.
        gemm: batch, in_features, out_features.
        groups: GEMMs in one product.
        x_words: as in ``LayerGemm``.
        dx, dw: which gradients are wanted.
    """

    path: str
    kind: str
    gemm: tuple[int, int, int]
    groups: int
    x_words: int = 0
    dx: bool = False
    dw: bool = False

    def name(self, phase: Phase, size: int) -> str:
        """The name of the product of that phase, whose result has ``size`` elements."""
        return PREFIX + json.dumps([asdict(self), phase, size])


def layer_gemms(jaxpr: ClosedJaxpr) -> list[LayerGemm]:
    """The records of a traced gradient, in the order in which the model calls its layers.

    Every branch of a ``lax.cond`` is taken to run.
    """
    return list(by_mark(jaxpr).values())


def by_mark(jaxpr: ClosedJaxpr) -> dict[Mark, LayerGemm]:
    """The same, by what the products' names say."""
    runs: dict[Mark, dict[Phase, int]] = {}
    for mark, phase, count in _marked(jaxpr.jaxpr, 1):
        phases = runs.setdefault(mark, {"forward": 0, "dx": 0, "dw": 0})
        phases[phase] += count
    return {mark: _record(mark, phases) for mark, phases in runs.items() if phases["forward"]}


def is_marked(equation: JaxprEqn) -> bool:
    """Whether an equation is a wrapped product."""
    return str(equation.params.get("name", "")).startswith(PREFIX)


def mark_of(equation: JaxprEqn) -> tuple[Mark, Phase, int]:
    """What the name of a wrapped product says, in which phase it runs, and the elements of one result."""
    fields, phase, size = json.loads(equation.params["name"].removeprefix(PREFIX))
    return Mark(**fields | {"gemm": tuple(fields["gemm"])}), phase, size


def _record(mark: Mark, phases: dict[Phase, int]) -> LayerGemm:
    backward = max(phases["dx"], phases["dw"])
    calls = backward or phases["forward"]
    return LayerGemm(
        path=mark.path,
        gemm=Gemm(*mark.gemm),
        times=calls * mark.groups,
        needs_dx=phases["dx"] > 0,
        needs_dw=phases["dw"] > 0,
        kind=mark.kind,
        recomputed=(phases["forward"] - calls) * mark.groups,
        x_words=mark.x_words,
    )


def _marked(jaxpr: Jaxpr, times: int) -> Iterator[tuple[Mark, Phase, int]]:
    """The marked products of a jaxpr, and how often each runs; vmap shows as a result of many times the size."""
    for equation in jaxpr.eqns:
        if is_marked(equation):
            mark, phase, size = mark_of(equation)
            if equation.outvars:
                shape = equation.outvars[0].aval.shape  # pyright: ignore[reportAttributeAccessIssue]  # arrays all
                yield mark, phase, times * math.prod(shape) // size
        else:
            for inner in jaxprs.inner(equation):
                yield from _marked(inner, times * jaxprs.runs(equation))
