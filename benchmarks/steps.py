"""Training steps of ResNet-20, on the array against plain Flax and plain JAX: the variants in turn, in one process."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console
from rich.progress import track

from benchmarks.figure import Figure, seconds

PLAIN, BATCH = "plain", 64


def training(rounds: int) -> list[Figure]:
    """A training step of ResNet-20 at batch 64: each fidelity, and estimators, against plain Flax."""
    variants = _variants()
    measured = times(list(variants), rounds)
    figures = []
    for name, (_, target, bound) in variants.items():
        ratio = statistics.median(a / b for a, b in zip(measured[name], measured[PLAIN], strict=True))
        figures.append(Figure(f"ResNet-20 step, {name}", ratio, "x plain", f"<= {target}", ratio <= target, bound))
    return figures


def times(names: Sequence[str], rounds: int, batch: int = BATCH) -> dict[str, list[float]]:
    """Seconds of a training step of ResNet-20, of plain Flax and some of the variants in turn, round after round."""
    variants = _variants()
    steps = {PLAIN: _step(None, batch)} | {name: _step(variants[name][0], batch) for name in names}
    measured: dict[str, list[float]] = {name: [] for name in steps}
    for step in track(steps.values(), description="compiling", console=Console(stderr=True)):
        step()
    for _ in track(range(rounds), description="training steps", console=Console(stderr=True)):
        for name, step in steps.items():
            measured[name].append(seconds(step))
    return measured


def names() -> list[str]:
    """Of all variants but plain Flax."""
    return list(_variants())


def _variants() -> dict[str, tuple[Any, float, str]]:
    """What runs on the array, how many times as long as plain Flax it may take, and what bounds it on a CPU."""
    from jaxgrad import Accelerator, Emulation, Rule
    from jaxgrad.estimators import rad
    from jaxgrad.quantization import quantized

    return {
        "native 128x128": (
            Emulation(Accelerator(128, 128)),
            1.05,
            "counting non-zeros: one reading of x and dy a layer",
        ),
        "native 128x128, rad(0.1, same)": (
            [Rule("*", Emulation(Accelerator(128, 128)), rad(0.1, "same"))],
            1.15,
            "counting non-zeros; gathers of x and of dy",
        ),
        "tile 128x128": (Emulation(Accelerator(128, 128), fidelity="tile"), 2.0, "im2col: memory traffic"),
        "tile 16x16": (
            Emulation(Accelerator(16, 16), fidelity="tile"),
            12.0,
            "matmuls 16 wide and the psum buffer's traffic",
        ),
        "native 128x128, W1A4": (
            [Rule("*", Emulation(Accelerator(128, 128)), quantized(1, 4))],
            1.5,
            "codes, masks and scales: some readings of x and of dX a layer",
        ),
    }


def transformation(rounds: int) -> Figure:
    """A training step of ResNet-20 written in plain JAX, and the same function through ``jaxgrad.emulate_function``."""
    import jax

    from jaxgrad import Accelerator, Emulation, emulate_function

    step, arguments = _plain_step()
    plain, on_array = jax.jit(step), jax.jit(emulate_function(step, Emulation(Accelerator(128, 128))))
    ratios = []
    for run in (plain, on_array):
        jax.block_until_ready(run(*arguments))
    for _ in track(range(rounds), description="emulate_function(step)", console=Console(stderr=True)):
        times = [seconds(lambda run=run: jax.block_until_ready(run(*arguments))) for run in (plain, on_array)]
        ratios.append(times[1] / times[0])
    ratio = statistics.median(ratios)
    bound = "counting non-zeros: one reading of x and dy a layer"
    return Figure("emulate_function(ResNet-20 step), native 128x128", ratio, "x plain", "<= 1.1", ratio <= 1.1, bound)


def _step(rules: Any, batch: int) -> Callable[[], None]:
    """A jitted training step on fixed data, as one that writes it with Flax would have it."""
    import jax
    import jax.numpy as jnp
    import optax
    from flax import nnx

    import jaxgrad_models
    from jaxgrad.flax import Learned, put_on_array, value_and_grad
    from jaxgrad.quantization import blended

    model = jaxgrad_models.build("resnet20", input_shape=(32, 32, 3), classes=10, rngs=nnx.Rngs(0))
    if rules is not None:
        put_on_array(model, rules, rngs=nnx.Rngs(estimator=0))
    descent = optax.sgd(0.1, momentum=0.9)
    if nnx.state(model, Learned):
        descent = optax.chain(
            descent, blended(1e-5, 1, lambda params: jax.tree.map(lambda leaf: leaf.ndim > 1, params))
        )
    optimizer = nnx.Optimizer(model, descent, wrt=nnx.Param)
    images = jax.random.normal(jax.random.key(0), (batch, 32, 32, 3))
    labels = jnp.arange(batch) % 10

    def loss_fn(model: Any) -> jax.Array:
        return optax.softmax_cross_entropy_with_integer_labels(model(images), labels).mean()

    @nnx.jit
    def step(model: Any, optimizer: Any) -> Any:
        if rules is None:
            loss, grads = nnx.value_and_grad(loss_fn)(model)
            counters = None
        else:
            loss, grads, counters = value_and_grad(loss_fn)(model)
        optimizer.update(model, grads)
        return loss, counters

    def run() -> None:
        jax.block_until_ready(step(model, optimizer))

    return run


def _plain_step() -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """A training step as a function of arrays, and what to call it with."""
    import jax
    import jax.numpy as jnp
    import optax
    from flax import nnx

    import jaxgrad_models

    model = jaxgrad_models.build("resnet20", input_shape=(32, 32, 3), classes=10, rngs=nnx.Rngs(0))
    graph, params, rest = nnx.split(model, nnx.Param, ...)
    optimizer = optax.sgd(0.1, momentum=0.9)
    labels = jnp.arange(64) % 10

    def step(params: Any, state: Any, rest: Any, images: jax.Array) -> Any:
        def loss(params: Any) -> tuple[jax.Array, Any]:
            inner: Any = nnx.merge(graph, params, rest, copy=True)
            value = optax.softmax_cross_entropy_with_integer_labels(inner(images), labels).mean()
            return value, nnx.state(inner, nnx.Not(nnx.Param))

        (value, after), grads = jax.value_and_grad(loss, has_aux=True)(params)
        updates, state = optimizer.update(grads, state)
        return optax.apply_updates(params, updates), state, after, value

    return step, (params, optimizer.init(params), rest, jax.random.normal(jax.random.key(0), (64, 32, 32, 3)))
