"""One training step as a pure, jitted function of its state, the array's counters among it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax import Array
from jaxtyping import ArrayLike, Float, Int, Shaped, UInt32

from jaxgrad.autodiff import LayerCounters
from jaxgrad.flax import value_and_grad
from jaxgrad.flax.interception import traced
from jaxgrad.pipelines import two_weights, versions
from jaxgrad.pipelines.versions import STASHED, Average, Versions
from jaxgrad.training import losses, mixed_precision
from jaxgrad.training.delays import Delays
from jaxgrad.training.mixed_precision import LossScale, MixedPrecision


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Sums:
    """Sums over images, or over whatever has a label of its own, from which the means of an epoch come."""

    loss: Float[Array, ""]
    correct: UInt32[Array, ""]
    images: UInt32[Array, ""]

    @classmethod
    def zero(cls) -> Sums:
        return cls(jnp.zeros(()), jnp.zeros((), jnp.uint32), jnp.zeros((), jnp.uint32))

    def __add__(self, other: Sums) -> Sums:
        return jax.tree.map(jnp.add, self, other)

    def means(self) -> tuple[float, float]:
        """Mean loss and accuracy."""
        images = int(self.images)
        return float(self.loss) / images, int(self.correct) / images


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class State:
    """All that a step reads and writes; a checkpoint of it is enough to go on bit for bit.

    Args:
        params: the trained parameters.
        rest: the model's other variables, such as the running statistics of batch normalisation.
        opt_state: the optimizer's.
        counters: by layer, what the array has done since the run began.
        sums: of the epoch so far.
        step: steps done since the run began.
        versions: of each parameter, see ``pipelines.versions``; None without a pipeline's delays.
        average: of the updates, under ``ema`` alone.
        scale: of the loss, in float16 alone.
    """

    params: nnx.State
    rest: nnx.State
    opt_state: Any
    counters: Mapping[str, LayerCounters]
    sums: Sums
    step: UInt32[Array, ""]
    versions: Versions | None = None
    average: Average | None = None
    scale: LossScale | None = None

    def cycles(self) -> int:
        """Clock cycles of the array so far, forward and backward."""
        return sum(layer.total.cycles for layer in self.counters.values())


@dataclass(frozen=True)
class Trainer:
    """A model and an optimizer as functions.

    Args:
        initial: the state before the first step.
        step: (state, images, labels) to the next state, which takes the memory of this one's versions: they are gone.
        evaluate: (state, images, labels, counted) to the sums over the images where ``counted``.
        start: the state before the first step of a model that differs in its values alone, such as one of another seed.
        loss: (params, (rest, images, labels)) to the mean loss of a batch in training mode, by XLA alone.
        optimizer: that of the step.
    """

    initial: State
    step: Callable[[State, ArrayLike, ArrayLike], State]
    evaluate: Callable[[State, ArrayLike, ArrayLike, ArrayLike], Sums]
    start: Callable[[nnx.Module], State]
    loss: Callable[[nnx.State, tuple[nnx.State, Array, Array]], Array]
    optimizer: optax.GradientTransformation


def trainer(
    model: nnx.Module,
    optimizer: optax.GradientTransformation,
    images: Shaped[ArrayLike, "b *input"],
    labels: Int[ArrayLike, "b *inner"],
    delays: Delays | None = None,
    loss: losses.Loss = losses.cross_entropy,
    precision: MixedPrecision | None = None,
    keep: Callable[[State], State] = lambda state: state,
) -> Trainer:
    """A trainer for a model that is on the array.

    Under delays a batch meets weights that are some updates old, as ``pipelines.delayed`` says, and the newest are
    updated and evaluated. The counters are of the step at the weights of the forward pass; where the backward pass has
    others, its gradients are those of ``pipelines.two_weights``, by XLA.

    Args:
        model: from ``put_on_array``, in training mode; under a mixed precision, one that it is ``set_in``.
        optimizer: updates the parameters; it never sees the counters.
        images: a batch such as those to come, for its shape alone.
        labels: its labels, one an image or, with further axes, several.
        delays: of a pipeline; None for the plain step.
        loss: of each label, the mean of which is minimised; evaluation is by the plain cross-entropy.
        precision: that the model computes in, where it is not that of its parameters. A step whose gradients overflow
            changes no parameter, and counts as all steps.
        keep: says inside of the step where the next state lies, see ``devices.Layout``.

    Raises:
        ValueError: from the model or the array, where they can't take these shapes.
    """
    graph, params, rest = nnx.split(model, nnx.Param, ...)
    model.eval()
    evaluation_graph = nnx.graphdef(model)
    model.train()

    def lowered(tree: Any) -> Any:
        return tree if precision is None else precision.cast(tree)

    def loss_of(model: Any, images: Array, labels: Array, scale: LossScale | None = None) -> tuple[Array, Any]:
        logits = model(images)
        mean = loss(logits, labels).mean()
        return mean if scale is None else mean * scale.factor, (mean, logits)

    def gradients(params: nnx.State, rest: nnx.State, images: Array, labels: Array, scale: LossScale | None) -> Any:
        model = nnx.merge(graph, lowered(params), rest, copy=True)
        (_, (mean_loss, logits)), grads, counters = value_and_grad(loss_of, has_aux=True)(
            model, lowered(images), labels, scale
        )
        if precision is not None:
            grads = mixed_precision.unscaled(grads, scale, params)
        return mean_loss, logits, grads, counters, nnx.split(model, nnx.Param, ...)[2]

    def loss_by_xla(params: nnx.State, batch: tuple[nnx.State, Array, Array]) -> Array:
        rest, images, labels = batch
        model = nnx.merge(graph, params, rest, copy=True)
        with traced(model):
            return loss_of(model, images, labels)[0]

    late = delays.by_leaf(params) if delays else None

    stashed = jax.jit(versions.stashed)

    @partial(jax.jit, donate_argnums=1)
    def updated(state: State, kept: Versions | None, old: list[Array] | None, images: Array, labels: Array) -> State:
        """The next state.

        Args:
            state: this one but for its versions.
            kept: its versions, in whose place those of the next one are.
            old: the leaves that the batch meets; None for the newest.
            images, labels: the batch.
        """
        weights = state.params if old is None else jax.tree.unflatten(jax.tree.structure(state.params), old)
        mean_loss, logits, grads, counters, rest = gradients(weights, state.rest, images, labels, state.scale)
        average = state.average
        if delays and delays.weights not in STASHED:
            back = state.params
            if average is not None:
                back, average = average.rebuilt(back, weights, late, state.step)
            _, grads = two_weights.gradients(loss_by_xla, weights, back, (state.rest, images, labels))
        updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
        if delays and average is not None:
            average = average.updated(updates, late, delays.beta)
        params, scale = cast(nnx.State, optax.apply_updates(state.params, updates)), state.scale
        if scale is not None:
            finite = mixed_precision.all_finite(grads)
            params, opt_state = mixed_precision.where(finite, (params, opt_state), (state.params, state.opt_state))
            rest = mixed_precision.floats_where(finite, rest, state.rest)
            scale = scale.updated(finite)
        after = State(
            params=params,
            rest=rest,
            opt_state=opt_state,
            counters={path: state.counters[path] + new for path, new in counters.items()},
            sums=state.sums + _sums(mean_loss * labels.size, logits, labels, jnp.ones(labels.shape, bool)),
            step=state.step + 1,
            versions=None if kept is None else versions.advanced(kept, params, state.step),
            average=average,
            scale=scale,
        )
        return keep(after)

    def step(state: State, images: ArrayLike, labels: ArrayLike) -> State:
        # Read apart: where the step itself reads them, XLA copies all versions to update one.
        old = None if state.versions is None else stashed(state.versions, state.step)
        return updated(replace(state, versions=None), state.versions, old, images, labels)

    def evaluate(state: State, images: Array, labels: Array, counted: Array) -> Sums:
        logits = nnx.merge(evaluation_graph, lowered(state.params), state.rest, copy=True)(lowered(images))
        counted = losses.of_labels(counted, labels)
        return _sums(jnp.sum(losses.cross_entropy(logits, labels), where=counted), logits, labels, counted)

    first_scale = LossScale.first() if precision is not None and precision.scaled else None
    shapes = jax.eval_shape(gradients, params, rest, images, labels, first_scale)[3]

    def start(model: nnx.Module) -> State:
        _, params, rest = nnx.split(model, nnx.Param, ...)
        return State(
            params=params,
            rest=rest,
            opt_state=optimizer.init(params),
            counters=jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes),
            sums=Sums.zero(),
            step=jnp.zeros((), jnp.uint32),
            versions=versions.first(params, late) if delays else None,
            average=Average.zero(params) if delays and delays.weights == "ema" else None,
            scale=first_scale,
        )

    return Trainer(start(model), step, jax.jit(evaluate), start, loss_by_xla, optimizer)


def next_epoch(state: State) -> State:
    """The state with the epoch's sums back at zero."""
    return replace(state, sums=jax.tree.map(jnp.zeros_like, state.sums))


def _sums(loss: Array, logits: Array, labels: Array, counted: Array) -> Sums:
    correct = (jnp.argmax(logits, axis=-1) == labels) & counted
    return Sums(loss, jnp.sum(correct, dtype=jnp.uint32), jnp.sum(counted, dtype=jnp.uint32))
