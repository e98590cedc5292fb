"""Speed of pipelines: optimal partitions, simulation, and a training step with delayed gradients."""

from __future__ import annotations

import statistics
import time
from typing import Any

from benchmarks.figure import Figure, seconds

_DELAY = 14


def figures(rounds: int) -> list[Figure]:
    """All of them."""
    partitioned, simulated, delayed = _partitions(), _simulation(), _delayed_step(rounds)
    return [
        Figure(
            "partitions of DenseNet-264 onto 2 to 64 arrays", partitioned, "s", "<= 1", partitioned <= 1,
            "one maximum and minimum for each pair of cuts and number of arrays: memory traffic",
        ),
        Figure(
            "1,000 batches simulated on 16 arrays", simulated, "s", "<= 2", simulated <= 2,
            "a few dictionary look-ups an operation, in Python",
        ),
        Figure(
            f"training step under a delay of {_DELAY}, stashed", delayed, "x plain step", "<= 1.1", delayed <= 1.1,
            "reading and writing one version of the weights more",
        ),
    ]  # fmt: skip


def _partitions() -> float:
    import jax
    import jax.numpy as jnp

    import jaxgrad_models
    from jaxgrad import Accelerator, Emulation
    from jaxgrad.flax import step_work
    from jaxgrad.pipelines import Chain, network, partitions

    name = "densenet264"
    images = jax.ShapeDtypeStruct((1, *jaxgrad_models.INPUT_SHAPES[name]), jnp.float32)
    graph = step_work(jaxgrad_models.abstract(name), images).graph
    traced = network(graph, Emulation(Accelerator(128, 128), "sequential"), time="macs")

    def run() -> None:
        for grain in ("layers", "halves"):
            partitions(Chain(traced, grain), 64)

    return seconds(run)


def _simulation() -> float:
    from jaxgrad.pipelines.pipeline import Shape, find
    from jaxgrad.pipelines.simulator import Stage, simulate

    stages = [Stage({"F": 50 + number, "B": 110 - number}) for number in range(16)]
    return seconds(lambda: simulate(find("layerpipe"), stages, Shape(16, batches=1000)).period())


def _delayed_step(rounds: int) -> float:
    """A wide MLP's step with a ring of versions over the plain one, in turn."""
    import jax
    import jax.numpy as jnp
    import optax

    from jaxgrad.pipelines import delayed

    width, optimizer = 1024, optax.sgd(0.01, momentum=0.9)
    keys = jax.random.split(jax.random.key(0), 5)
    params = [jax.random.normal(key, (width, width)) / width**0.5 for key in keys[:4]]
    batch = jax.random.normal(keys[4], (256, width))

    def loss(params: Any, x: jax.Array) -> jax.Array:
        for w in params:
            x = jnp.tanh(x @ w)
        return jnp.mean(x**2)

    init, step = delayed(loss, optimizer, _DELAY)

    def plain(state: tuple[Any, Any], x: jax.Array) -> tuple[tuple[Any, Any], jax.Array]:
        weights, opt_state = state
        value, gradients = jax.value_and_grad(loss)(weights, x)
        updates, opt_state = optimizer.update(gradients, opt_state, weights)
        return (optax.apply_updates(weights, updates), opt_state), value

    functions = [jax.jit(step, donate_argnums=0), jax.jit(plain, donate_argnums=0)]
    states: list[Any] = [jax.tree.map(jnp.copy, state) for state in (init(params), (params, optimizer.init(params)))]
    times: list[list[float]] = [[], []]
    for _ in range(rounds + 1):
        for number, function in enumerate(functions):
            started = time.perf_counter()
            for _ in range(5):
                states[number], value = function(states[number], batch)
            jax.block_until_ready((states[number], value))
            times[number].append(time.perf_counter() - started)
    return statistics.median(slow / fast for slow, fast in zip(times[0][1:], times[1][1:], strict=True))
