"""``python -m benchmarks.bench``: what the emulator costs, as ratios measured side by side, and what bounds each.

Training steps run in one process, the variants in turn, round after round; a figure is the median of the rounds'
ratios to plain Flax. The register engines run in a process pinned to one core.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks import bench_costs
from benchmarks.bench_figure import Figure

_REGISTER = "--registers-only"


def main(
    out: Annotated[Path | None, typer.Option(help="Also write the figures to this JSON file.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Alternating runs of each training step.")] = 7,
    registers_only: Annotated[
        bool, typer.Option(_REGISTER, help="Print the register engines' figures as JSON.")
    ] = False,
) -> None:
    """Measures training steps, register engines and start-up."""
    if registers_only:
        print(json.dumps([figure._asdict() for figure in registers()]))
        return
    console = Console()
    pinned = subprocess.run(
        [sys.executable, "-m", "benchmarks.bench", _REGISTER], capture_output=True, text=True, check=True
    )
    figures = [
        *training(rounds),
        transformation(rounds),
        *(Figure(**fields) for fields in json.loads(pinned.stdout)),
        startup(),
        *bench_costs.figures(rounds),
    ]
    table = Table(
        title="jaxgrad benchmark", caption="Medians of alternating runs; a ratio of 1 is plain Flax's own step."
    )
    for header in ("what", "measured", "target", "met", "bounded by"):
        table.add_column(header, justify="right" if header in ("measured", "target") else "left")
    for figure in figures:
        table.add_row(
            figure.name, f"{figure.value:.3g} {figure.unit}", figure.target, "yes" if figure.met else "NO", figure.bound
        )
    console.print(table)
    report = json.dumps([figure._asdict() for figure in figures], indent=2)
    console.print_json(report)
    if out is not None:
        out.write_text(report + "\n")


def training(rounds: int) -> list[Figure]:
    """A training step of ResNet-20 at batch 64: each fidelity against plain Flax."""
    from jaxgrad import Accelerator, Emulation

    variants = {
        "native 128x128": (
            Emulation(Accelerator(128, 128)),
            1.05,
            "counting non-zeros: one reading of x and dy a layer",
        ),
        "tile 128x128": (Emulation(Accelerator(128, 128), fidelity="tile"), 2.0, "im2col: memory traffic"),
        "tile 16x16": (
            Emulation(Accelerator(16, 16), fidelity="tile"),
            12.0,
            "matmuls 16 wide and the psum buffer's traffic",
        ),
    }
    steps = {"plain": _step(None)} | {name: _step(emulation) for name, (emulation, *_) in variants.items()}
    times: dict[str, list[float]] = {name: [] for name in steps}
    for step in track(steps.values(), description="compiling", console=Console(stderr=True)):
        step()
    for _ in track(range(rounds), description="training steps", console=Console(stderr=True)):
        for name, step in steps.items():
            times[name].append(_seconds(step))
    figures = []
    for name, (_, target, bound) in variants.items():
        ratio = statistics.median(a / b for a, b in zip(times[name], times["plain"], strict=True))
        figures.append(Figure(f"ResNet-20 step, {name}", ratio, "x plain", f"<= {target}", ratio <= target, bound))
    return figures


def transformation(rounds: int) -> Figure:
    """A training step of ResNet-20 written in plain JAX, and the same function through ``jaxgrad.emulated``."""
    import jax

    from jaxgrad import Accelerator, Emulation, emulated

    step, arguments = _plain_step()
    plain, on_array = jax.jit(step), jax.jit(emulated(step, Emulation(Accelerator(128, 128))))
    ratios = []
    for run in (plain, on_array):
        jax.block_until_ready(run(*arguments))
    for _ in track(range(rounds), description="emulated(step)", console=Console(stderr=True)):
        one, other = (_seconds(lambda run=run: jax.block_until_ready(run(*arguments))) for run in (plain, on_array))
        ratios.append(other / one)
    ratio = statistics.median(ratios)
    bound = "counting non-zeros: one reading of x and dy a layer"
    return Figure("emulated(ResNet-20 step), native 128x128", ratio, "x plain", "<= 1.1", ratio <= 1.1, bound)


def registers() -> list[Figure]:
    """PE-cycles a second of one core's own time in the register engine, and how its memory grows with B."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    bounds = {
        128: "second-level cache bandwidth: 5 planes of 64 KB move in every cycle",
        16: "dispatch: about two XLA kernels a cycle, 0.15 us each",
    }
    figures = []
    for size, batch, columns, target in ((128, 8000, 1, 4e9), (16, 4000, 16, 1e9)):
        run, pe_cycles = _register_run(size, batch, columns)
        run()
        speed = statistics.median(pe_cycles / _seconds(run, time.process_time) for _ in range(7))
        name = f"registers {size}x{size}, interleaved, {columns} tile(s)"
        figures.append(
            Figure(name, speed / 1e9, "G PE-cycles/s", f">= {target / 1e9:g}", speed >= target, bounds[size])
        )
    small, large = _temporary_bytes(16, 2_000), _temporary_bytes(16, 32_000)
    growth = (large - small) / (30_000 * 16)
    figures.append(
        Figure(
            "registers 16x16, memory a streamed word",
            growth,
            "bytes",
            "<= 64",
            growth <= 64,
            "skewed copies of the edges",
        )
    )
    return figures


def startup() -> Figure:
    """Seconds until ``jaxgrad --help`` has answered."""
    command = [sys.executable, "-c", "import sys; from jaxgrad.cli import main; sys.exit(main(['--help']))"]

    def run() -> None:
        subprocess.run(command, capture_output=True, check=True)

    run()
    seconds = statistics.median(_seconds(run) for _ in range(9))
    return Figure(
        "jaxgrad --help", seconds, "s", "<= 0.3", seconds <= 0.3, "starting Python and importing typer and rich"
    )


def _step(emulation: Any) -> Callable[[], None]:
    """A jitted training step on fixed data, as one that writes it with Flax would have it."""
    import jax
    import jax.numpy as jnp
    import optax
    from flax import nnx

    import jaxgrad_models
    from jaxgrad.flax import put_on_array, value_and_grad

    model = jaxgrad_models.build("resnet20", input_shape=(32, 32, 3), classes=10, rngs=nnx.Rngs(0))
    if emulation is not None:
        put_on_array(model, emulation)
    optimizer = nnx.Optimizer(model, optax.sgd(0.1, momentum=0.9), wrt=nnx.Param)
    images = jax.random.normal(jax.random.key(0), (64, 32, 32, 3))
    labels = jnp.arange(64) % 10

    def loss_fn(model: Any) -> jax.Array:
        return optax.softmax_cross_entropy_with_integer_labels(model(images), labels).mean()

    @nnx.jit
    def step(model: Any, optimizer: Any) -> Any:
        if emulation is None:
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


def _register_run(size: int, batch: int, columns: int) -> tuple[Callable[[], None], int]:
    import jax

    from jaxgrad import Accelerator, Gemm, count

    x, w, dy = _operands(size, batch, columns)
    compiled = _compiled(size, batch, columns)
    cycles = count(Gemm(batch, size * columns, size), Accelerator(size, size)).as_dict()["cycles"]
    pe_cycles = cycles * size * size
    return lambda: jax.block_until_ready(compiled(x, w, dy)), pe_cycles


def _temporary_bytes(size: int, batch: int) -> int:
    return _compiled(size, batch, 1).memory_analysis().temp_size_in_bytes


def _operands(size: int, batch: int, columns: int) -> tuple[Any, Any, Any]:
    import jax

    keys = jax.random.split(jax.random.key(0), 3)
    shapes = ((batch, size * columns), (size * columns, size), (batch, size))
    x, w, dy = (jax.random.normal(key, shape) for key, shape in zip(keys, shapes, strict=True))
    return x, w, dy


def _compiled(size: int, batch: int, columns: int) -> Any:
    import jax

    from jaxgrad import Accelerator, Emulation, backward

    emulation = Emulation(Accelerator(size, size), fidelity="register")
    return jax.jit(lambda x, w, dy: backward(x, w, dy, emulation)).lower(*_operands(size, batch, columns)).compile()


def _seconds(run: Callable[[], None], clock: Callable[[], float] = time.perf_counter) -> float:
    start = clock()
    run()
    return clock() - start


if __name__ == "__main__":
    typer.run(main)
