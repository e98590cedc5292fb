"""All that a training step of an NNX model asks of an accelerator: its GEMMs, and its vector unit's work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax import Array
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun

from jaxgrad import programs
from jaxgrad.flax.interception import traced
from jaxgrad.flax.layers import with_weights
from jaxgrad.programs import Edge, Graph, LayerGemm, ReluMask, VectorWork, collector, kinds


@dataclass(frozen=True)
class StepWork:
    """What a training step asks for.

    Args:
        gemms: of the array, in the order in which the model computes them; see ``step_gemms``.
        vector: of the vector unit, a record a kind, module and phase.
        trace: of the step.
    """

    gemms: list[LayerGemm]
    vector: list[VectorWork]
    trace: ClosedJaxpr = field(repr=False, compare=False)

    @cached_property
    def graph(self) -> Graph:
        """Which of the GEMMs feeds which, a node a call of a layer; read off the trace when it is first asked for."""
        with collector.at_rest():
            return programs.step_graph(self.trace)

    @cached_property
    def masks(self) -> list[ReluMask]:
        """Of the ReLUs; read off the trace when they are first asked for."""
        with collector.at_rest():
            return programs.step_masks(self.trace)

    @property
    def edges(self) -> tuple[Edge, ...]:
        """What goes from one GEMM to the next; see ``programs.Edge``."""
        return self.graph.edges


def cross_entropy(logits: Any) -> Array:
    """Mean softmax cross-entropy of the logits and one label a row, as classifiers are trained."""
    labels = jnp.zeros(logits.shape[:-1], jnp.int32)
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def step_work(
    model: nnx.Module,
    *inputs: Any,
    optimizer: optax.GradientTransformation | None = None,
    loss: Callable[[Any], Array] = cross_entropy,
    wrt: Any = nnx.Param,
) -> StepWork:
    """What one training step of a model asks for, from a trace: nothing is computed, no array allocated.

    Args:
        model: on the array or not, in training mode for batch statistics and dropout; it is left as it is, and may
            come from ``nnx.eval_shape``.
        inputs: what the model is called with; ``jax.ShapeDtypeStruct`` will do.
        optimizer: whose update counts; None for a step that ends with the gradients.
        loss: of the model's output.
        wrt: an NNX filter, what is trained.
    """
    graph, params, rest = nnx.split(model, wrt, ...)

    def forward(params: nnx.State, rest: nnx.State, inputs: tuple[Any, ...]) -> tuple[Array, nnx.State]:
        inner: Any = nnx.merge(graph, params, rest, copy=True)
        with traced(inner):
            out = inner(*inputs)
        with kinds.scope("loss"):
            value = loss(out)
        return value, nnx.state(inner, nnx.Not(wrt))

    with collector.at_rest():
        work = _read(forward, params, (rest, inputs), optimizer)
    return replace(work, gemms=with_weights(work.gemms, model))


def _read(
    forward: Callable[..., tuple[Array, nnx.State]],
    params: nnx.State,
    others: tuple[nnx.State, tuple[Any, ...]],
    optimizer: optax.GradientTransformation | None,
) -> StepWork:
    traced = jaxpr_as_fun(kinds.labelled(jax.make_jaxpr(forward)(params, *others)))
    inputs = jax.tree.leaves(others)

    def step(leaves: list[Array], inputs: list[Array], state: Any) -> Any:
        def loss_of(leaves: list[Array]) -> tuple[Array, list[Array]]:
            value, *after = traced(*leaves, *inputs)
            return value, after

        (value, after), gradients = jax.value_and_grad(loss_of, has_aux=True)(leaves)
        if optimizer is None:
            return value, after, gradients
        with kinds.scope("update"):
            updates, state = optimizer.update(gradients, state, leaves)
            return value, after, optax.apply_updates(leaves, updates), state

    leaves = jax.tree.leaves(params)
    state = None if optimizer is None else jax.eval_shape(optimizer.init, leaves)
    jaxpr = jax.make_jaxpr(step)(leaves, inputs, state)
    return StepWork(programs.step_gemms(jaxpr), programs.vector_work(jaxpr), jaxpr)
