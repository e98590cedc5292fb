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
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array
from jaxtyping import UInt32

from jaxgrad.base.errors import one_of
from jaxgrad.pipelines import two_weights, versions
from jaxgrad.pipelines.two_weights import Loss
from jaxgrad.pipelines.versions import BETAS, STASHED, WEIGHTS, Average, Versions


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class State:
    """What a delayed step reads and writes; a checkpoint of it is enough to go on bit for bit.

    Args:
        params: the newest.
        versions: of each leaf of the parameters its D + 1 versions, see ``pipelines.versions``.
        opt_state: the optimizer's.
        average: of the updates; None but for ``ema``.
        step: updates so far.
    """

    params: Any
    versions: Versions
    opt_state: Any
    average: Average | None
    step: UInt32[Array, ""]


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

    def init(params: Any) -> State:
        kept = versions.first(params, versions.by_leaf(params, delays, weights))
        average = Average.zero(params) if weights == "ema" else None
        return State(params, kept, optimizer.init(params), average, jnp.zeros((), jnp.uint32))

    def step(state: State, batch: Any) -> tuple[State, Array]:
        late = versions.by_leaf(state.params, delays, weights)
        old = jax.tree.unflatten(jax.tree.structure(state.params), versions.stashed(state.versions, state.step))
        average = state.average
        if weights in STASHED:
            value, gradients = jax.value_and_grad(loss)(old, batch)
        else:
            back = state.params
            if average is not None:
                back, average = average.rebuilt(back, old, late, state.step)
            value, gradients = two_weights.gradients(loss, old, back, batch)
        updates, opt_state = optimizer.update(gradients, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        if average is not None:
            average = average.updated(updates, late, beta)
        return State(
            params, versions.advanced(state.versions, params, state.step), opt_state, average, state.step + 1
        ), value

    return init, step
