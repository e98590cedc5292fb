"""Training with exactly the delayed gradients that a pipeline causes, on one device.

Stage s meets a batch with weights that are D_s updates old. With W_s^(n) its weights after n updates, n clipped at 0:

- ``stash``: forward and backward pass of batch t have ``W_s^(t - D_s)``, which the pipeline keeps for it.
- ``vertical_sync``: the same with the largest delay for all stages, so that a batch meets one version everywhere.
- ``current``: the forward pass has ``W_s^(t - D_s)``; on the way back cotangents go through ``W_s^(t)``, and dW is
  made of the saved activations. Nothing is kept.
- ``ema``: as ``current``, through weights that are rebuilt from a moving average of the updates (LayerPipe2, arXiv
  2512.08160): ``W^(t - n) = W^(t) - (the last n updates) ~ W^(t) - n u``, ``u <- beta u + (1 - beta) update``.

The update is the optimizer's, of the newest weights, in all of them. A stage keeps a ring of D_s + 1 versions, no more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array
from jaxtyping import Float, UInt32

from jaxgrad.base.errors import InputError, one_of, whole_number
from jaxgrad.pipelines import two_weights
from jaxgrad.pipelines.two_weights import Loss

WEIGHTS: tuple[str, ...] = ("stash", "current", "ema", "vertical_sync")
BETAS: dict[str, Callable[[int], float]] = {
    "n/(n+1)": lambda delay: delay / (delay + 1),
    "(n-1)/(n+1)": lambda delay: max(0, delay - 1) / (delay + 1),
}
"""Decay of ``ema`` by delay. The paper's rule is not known to us."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class State:
    """What a delayed step reads and writes; a checkpoint of it is enough to go on bit for bit.

    Args:
        params: the newest.
        versions: by leaf of the parameters, a ring of D + 1 versions of it along a first axis.
        opt_state: the optimizer's.
        average: by leaf the moving average of its updates; None but for ``ema``.
        step: updates so far.
        rebuilding_error: how far ``ema`` was off in the last step: the distance of the rebuilt weights from the stashed
            ones over that of the newest; 0 where nothing is rebuilt.
    """

    params: Any
    versions: Any
    opt_state: Any
    average: Any
    step: UInt32[Array, ""]
    rebuilding_error: Float[Array, ""]


Step = Callable[[State, Any], tuple[State, Array]]


def delayed(
    loss: Loss,
    optimizer: optax.GradientTransformation,
    delays: Any,
    weights: str = "stash",
    *,
    beta: str = "n/(n+1)",
) -> tuple[Callable[[Any], State], Step]:
    """An initialiser and a pure step, ``step(state, batch) -> (state, loss)``, to be jitted.

    Args:
        loss: (params, batch) to a scalar.
        optimizer: whose state is each leaf's own, such as ``optax.sgd``.
        delays: a pytree prefix of the parameters with a whole number a stage: by how many updates its weights are old.
        weights: which ones the backward pass has, one of ``WEIGHTS``.
        beta: of ``ema``, one of ``BETAS``.

    Raises:
        InputError: a delay is none, or is no prefix of the parameters (when ``init`` meets them).

    A stage that is one update behind, of ``w <- w - w``:

    >>> init, step = delayed(lambda w, batch: w**2 / 2, optax.sgd(1.0), 1)
    >>> state, values = init(jnp.float32(8)), []
    >>> for _ in range(4):
    ...     state, value = step(state, None)
    ...     values.append(float(state.params))
    >>> values
    [0.0, -8.0, -8.0, 0.0]
    """
    one_of("weights", weights, WEIGHTS)
    one_of("beta", beta, tuple(BETAS))

    def behind(params: Any) -> Any:
        """The delay of each leaf."""
        leaves = jax.tree.leaves(delays)
        if not leaves:
            raise InputError("delays", delays, "give a whole number for each stage")
        for delay in leaves:
            whole_number("delays", delay, least=0)
        try:
            each = jax.tree.map(lambda delay, part: jax.tree.map(lambda _: delay, part), delays, params)
        except ValueError:
            raise InputError("delays", delays, "give a pytree prefix of the parameters") from None
        return jax.tree.map(lambda _: max(leaves), params) if weights == "vertical_sync" else each

    def init(params: Any) -> State:
        return State(
            params,
            jax.tree.map(lambda leaf, delay: jnp.repeat(jnp.asarray(leaf)[None], delay + 1, 0), params, behind(params)),
            optimizer.init(params),
            jax.tree.map(jnp.zeros_like, params) if weights == "ema" else None,
            jnp.zeros((), jnp.uint32),
            jnp.zeros(()),
        )

    def step(state: State, batch: Any) -> tuple[State, Array]:
        delay = behind(state.params)
        # The oldest of D + 1 versions, in whose place the next one goes.
        slot = jax.tree.map(lambda leaf: (state.step + 1) % len(leaf), state.versions)
        stashed = jax.tree.map(lambda leaf, place: leaf[place], state.versions, slot)
        error = state.rebuilding_error
        if weights in ("stash", "vertical_sync"):
            value, gradients = jax.value_and_grad(loss)(stashed, batch)
        else:
            back = state.params
            if weights == "ema":
                back = _rebuilt(state, delay)
                error = _distance(back, stashed) / jnp.maximum(_distance(state.params, stashed), jnp.finfo(float).tiny)
            value, gradients = two_weights.gradients(loss, stashed, back, batch)
        updates, opt_state = optimizer.update(gradients, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        average = state.average
        if weights == "ema":
            average = jax.tree.map(lambda mean, new, n: _mixed(mean, new, BETAS[beta](n)), average, updates, delay)
        versions = jax.tree.map(lambda ring, new, place: ring.at[place].set(new), state.versions, params, slot)
        return replace(
            state,
            params=params,
            versions=versions,
            opt_state=opt_state,
            average=average,
            step=state.step + 1,
            rebuilding_error=error,
        ), value

    return init, step


def _rebuilt(state: State, delay: Any) -> Any:
    """The weights of D updates ago, of which the first steps have fewer, from the average update."""

    def rebuilt(leaf: Array, mean: Array, most: int) -> Array:
        return leaf - jnp.minimum(state.step, most).astype(leaf.dtype) * mean

    return jax.tree.map(rebuilt, state.params, state.average, delay)


def _mixed(mean: Array, new: Array, beta: float) -> Array:
    return beta * mean + (1 - beta) * new


def _distance(one: Any, other: Any) -> Array:
    return optax.tree.norm(jax.tree.map(jnp.subtract, one, other))
