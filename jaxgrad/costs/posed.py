"""What a record of a step asks of the array, by the estimator of its gradients: problems, and how often each runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from jaxgrad.autodiff.estimators import EXACT, Estimator
from jaxgrad.autodiff.estimators.asked import Estimators, of_record
from jaxgrad.autodiff.layer import GemmRun
from jaxgrad.base.errors import InputError, shown
from jaxgrad.costs.problems import Problem, problem_of
from jaxgrad.hardware import Machine
from jaxgrad.programs import LayerGemm

Runs = tuple[tuple[Problem, int], ...]
"""Problems, and how often each runs in a step."""


class Posed(NamedTuple):
    """What a record asks for.

    Args:
        path: the layer's place in the model.
        forward: products of the forward pass.
        products: those of the backward pass that are no gradients of a product.
        gradients: of which weights are updated with them, where they are those of the layer.
        updates: weights that are updated beside the array, since no problem's dW is theirs.
    """

    path: str
    forward: Runs
    products: Runs
    gradients: Runs
    updates: Runs = ()

    @property
    def problems(self) -> Iterator[Problem]:
        return (problem for problem, _ in (*self.forward, *self.products, *self.gradients))


def posed(record: LayerGemm, machine: Machine, estimators: Estimators = EXACT) -> Posed:
    """What the record asks for. A GEMM of the layer's own size reads the layer's input as it lies in memory, any other
    one a matrix of its own.

    Args:
        record: of a step.
        machine: whose memory says how a convolution's input lies.
        estimators: of all layers, or of each by its path.

    Raises:
        ValueError: a convolution's estimator poses something of its own, and the record has no geometry; or the
            estimator is for products with weights, and this one has none.
    """
    whole = problem_of(record, machine)
    estimator = estimators if isinstance(estimators, Estimator) else estimators(record.path)
    if estimator == EXACT:
        return Posed(record.path, ((whole, record.times + record.recomputed),), (), ((whole, record.times),))
    if estimator.of_weights and not record.weights:
        got = f"got {shown(estimator)} for {record.path}, of whose operands none are weights"
        raise InputError("estimator", estimator, "give one by path that leaves it exact", problem=got)
    told = of_record(record, estimator)
    calls, again = (number // told.contraction.groups for number in (record.times, record.recomputed))

    def problem(run: GemmRun) -> Problem:
        gemm, dx, dw = run.gemm, "dx" in run.results, "dw" in run.results
        columns = gemm.in_features if run.columns is None else run.columns
        k = gemm.in_features if dx or not dw else columns
        x_words = whole.x_words if gemm == record.gemm and columns == gemm.in_features else gemm.batch * k
        of_some = columns if dx and dw and columns < k else None
        weights = run.updates and record.weights
        return Problem(gemm.batch, k, gemm.out_features, x_words, dx, dw, weights, of_some)

    def runs(some: tuple[GemmRun, ...], repeats: int) -> Runs:
        return tuple((problem(run), run.groups * repeats) for run in some)

    products = tuple(run for run in told.backward if run.results == ("y",))
    gradients = tuple(run for run in told.backward if run.results != ("y",))
    apart = record.needs_dw and record.weights and not any(run.updates for run in gradients)
    return Posed(
        record.path,
        runs(told.forward, calls + again),
        runs(products, calls),
        runs(gradients, calls),
        ((whole, record.times),) if apart else (),
    )
