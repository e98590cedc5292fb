"""``python -m benchmarks.gpu``: whether a GPU counts and computes as the CPU does, and what the emulator costs there.

It checks first, then trains, then times. It ends with exit code 1 where counters differ, gradients are off, or a part
fails. A part that would not end within ``--budget`` is left out, with a line that says so. On a machine without a GPU
the CPU is compared with itself, which tests this script and nothing else.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import jax
import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from benchmarks import agreement, inputs, registers, steps
from benchmarks.agreement import Agreement, Device, Product
from benchmarks.figure import seconds
from jaxgrad import Accelerator, Gemm
from jaxgrad.array.emulation import FIDELITIES
from jaxgrad.array.schedules import SCHEDULES, find
from jaxgrad.training import loop, runs
from jaxgrad.training.checkpoints import Checkpoints
from jaxgrad.training.config import Config
from jaxgrad.training.job import prepare

_COLUMNS = ("what", "here", "unit", "beside it", "agrees", "bounded by")
_SGD = {"name": "sgd", "learning_rate": 1.0, "decay": "constant"}
_HOST = "host: nnx.jit splits and merges the model in Python at each call"


class Row(NamedTuple):
    """One line of the table.

    Args:
        what: was measured or checked.
        here: on this device.
        unit: of it.
        beside: what it is compared with, measured in the same run.
        agrees: of a check; None of a figure.
        bound: what bounds it.
    """

    what: str
    here: str
    unit: str
    beside: str
    agrees: bool | None = None
    bound: str = ""


class Part(NamedTuple):
    """Some rows, and about how many seconds they take where everything has to be compiled."""

    name: str
    seconds: float
    rows: Callable[[], Iterator[Row]]


def main(
    out: Annotated[Path | None, typer.Option(help="Also write the rows to this JSON file, part by part.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Alternating runs of what is timed.")] = 7,
    budget: Annotated[float, typer.Option(min=1, help="Seconds for all of it.")] = 440,
    only: Annotated[str, typer.Option(help="Parts whose name has this in it.")] = "",
    small: Annotated[bool, typer.Option(help="A few minutes' work of two CPU cores: to try this script.")] = False,
) -> None:
    """Checks a GPU against the CPU, and measures what the emulator costs there."""
    start = time.perf_counter()
    device, cpu = jax.devices()[0], jax.devices("cpu")[0]
    console, rows, left_out = Console(), list[Row](), list[str]()
    console.print(f"{device.device_kind} beside {cpu.device_kind}, jax {jax.__version__}", soft_wrap=True)
    with tempfile.TemporaryDirectory() as folder:
        _keep_compiled(Path(folder) / "compiled")
        for part in _parts(device, cpu, Path(folder), rounds, small):
            if only not in part.name:
                continue
            spent = time.perf_counter() - start
            if spent + part.seconds > budget:
                left_out.append(part.name)
                console.print(f"left out: {part.name}: {spent:.0f} of {budget:.0f} s are spent", soft_wrap=True)
                continue
            console.print(f"[{spent:.0f} s] {part.name}", markup=False, soft_wrap=True)
            for row in _whole(part):
                rows.append(row)
                console.print("   ", *(text for text in _texts(row) if text), markup=False, soft_wrap=True)
            if out is not None:
                took = time.perf_counter() - start
                facts = {"device": device.device_kind, "jax": jax.__version__, "seconds": took, "left_out": left_out}
                out.write_text(json.dumps({**facts, "rows": [row._asdict() for row in rows]}, indent=2) + "\n")
    table = Table(title=f"jaxgrad on {device.device_kind}", caption=f"{time.perf_counter() - start:.0f} s in all")
    for header in _COLUMNS:
        table.add_column(header, justify="right" if header in ("here", "beside it") else "left")
    for row in rows:
        table.add_row(*_texts(row))
    Console(width=200).print(table)
    if any(row.agrees is False for row in rows):
        raise typer.Exit(1)


def _keep_compiled(folder: Path) -> None:
    """Parts compile the same step again."""
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def _whole(part: Part) -> Iterator[Row]:
    """Its rows; a part that fails, as a driver may, leaves the others their turn."""
    try:
        yield from part.rows()
    except Exception as error:
        traceback.print_exc()
        told = (str(error).splitlines() or [""])[0][:200]
        yield Row(part.name, "failed", "", f"{type(error).__name__}: {told}", False)


def _texts(row: Row) -> list[str]:
    agrees = {None: "", True: "yes", False: "NO"}[row.agrees]
    return [row.what, row.here, row.unit, row.beside, agrees, row.bound]


def _parts(device: Device, cpu: Device, folder: Path, rounds: int, small: bool) -> Iterator[Part]:
    devices = device, cpu
    for fidelity in reversed(FIDELITIES):
        products = _products(fidelity, small)
        yield Part(f"GEMMs, {fidelity}", len(products), partial(_checked_products, products, devices))
    yield Part("integers through a network", 40, lambda: map(_checked, _networks(devices)))
    mlp = {"model": {"name": "mlp", "hidden": [16]}, "data": {"batch_size": 16}}
    kinds = {"mlp, register": (mlp, "register", 2)}
    if not small:
        kinds |= {"lenet, tile": ({}, "tile", 5), "lenet, native": ({}, "native", 20)}
    for name, (settings, fidelity, epochs) in kinds.items():
        run = partial(_trained, settings, fidelity, epochs, devices, folder / name.replace(", ", "-"))
        yield Part(f"digits, {name}", 30, run)
    if not small:
        yield Part("ResNet-20", 80, partial(_first_steps, devices, folder))
    for size in (4,) if small else (16, 64, 128):
        yield Part(f"registers {size}x{size}", 20, partial(_registers, size, 20 if small else 1000, devices, rounds))
    if not small:
        for name in steps.names():
            yield Part(f"ratio to plain Flax: {name}", 35, partial(_ratio, name, steps.BATCH, rounds))
        for name in ("native 128x128", "tile 128x128"):
            yield Part(f"ratio to plain Flax: {name}, batch 1024", 35, partial(_ratio, name, 1024, rounds))
        for batch in (steps.BATCH, 1024):
            yield Part(f"input pipeline, batch {batch}", 30, partial(_inputs, batch, rounds))
    yield Part("ratio to plain JAX", 90 if small else 30, partial(_ratio_to_jax, rounds))


def _products(fidelity: str, small: bool) -> list[Product]:
    """All schedules; at register fidelity not those that choose among the others, which run nothing of their own."""
    names = [name for name in SCHEDULES if fidelity != "register" or not find(name).among]
    sizes = [(Gemm(7, 6, 5), 4, 3)]
    if not small:
        sizes += [(Gemm(40, 9, 10), 4, 4)] if fidelity == "register" else [(Gemm(256, 150, 70), 32, 16)]
    arrays = [(gemm, Accelerator(rows, cols, double)) for gemm, rows, cols in sizes for double in (False, True)]
    if small and fidelity == "register":
        names, arrays = ["interleaved", "interleaved_k"], arrays[:1]
    return [Product(gemm, array, name, fidelity) for gemm, array in arrays for name in names]


def _checked_products(products: list[Product], devices: tuple[Device, Device]) -> Iterator[Row]:
    agreements = agreement.of_products(products, devices)
    yield from (_checked(one) for one in agreements if one.faults)
    agreeing, error = [one for one in agreements if not one.faults], max(one.error for one in agreements)
    what = f"backward passes of GEMMs, {products[0].fidelity}: {len({one.schedule for one in products})} schedules"
    told = "counters equal; integers to the bit, floats within rounding"
    yield Row(what, f"{len(agreeing)} of {len(agreements)}", "cases", told, len(agreeing) == len(agreements))
    yield Row(f"largest error of a gradient, {products[0].fidelity}", f"{error:.2g}", "of the rounding bound", "1")


def _networks(devices: tuple[Device, Device]) -> Iterator[Agreement]:
    return (agreement.of_network(fidelity, devices) for fidelity in FIDELITIES)


def _checked(one: Agreement) -> Row:
    return Row(one.what, f"{one.error:.2g}", "of what is allowed", "; ".join(one.faults) or "the CPU's", not one.faults)


def _config(settings: dict[str, Any], fidelity: str, **sections: Any) -> Config:
    return Config.model_validate({**settings, "emulation": {"fidelity": fidelity}, **sections})


def _trained(
    settings: dict[str, Any], fidelity: str, epochs: int, devices: tuple[Device, Device], folder: Path
) -> Iterator[Row]:
    """The first step beside the CPU's, then whole epochs by the loop that ``jaxgrad train`` runs."""
    others = [name for name in ("native", "tile") if name != fidelity]
    configs = [_config(settings, name, optimizer=_SGD) for name in (fidelity, others[0])]
    yield _checked(agreement.of_steps(configs, devices)[0])
    config = _config(settings, fidelity, train={"epochs": epochs, "checkpoint_every": 10_000})
    ends = []
    for number in range(2):
        job = prepare(config)
        run = runs.create(Path(f"{folder}-{number}"), config.to_toml())
        with Checkpoints(run.checkpoints, config.settings()) as checkpoints:
            state, per_epoch = job.trainer.initial, job.plan.steps_per_epoch(job.dataset)
            times = []
            for now in loop.fit(job.trainer, state, job.dataset, job.plan, run, checkpoints):
                state = now.state
                if now.record is not None:
                    times.append(time.perf_counter())
        ends.append(state)
    rate = (len(times) - 1) * per_epoch / (times[-1] - times[0])
    accuracy = f"{100 * run.metrics()[-1]['test_accuracy']:.1f} % of the test images"
    what = f"digits, {config.model.name}, {fidelity}, {epochs} epochs"
    yield Row(what, f"{rate:.0f}", "steps/s", accuracy, bound="evaluation between epochs included")
    same = all(np.array_equal(one, other) for one, other in zip(*map(jax.tree.leaves, ends), strict=True))
    yield Row(f"{what}, run again", "yes" if same else "no", "the same bits", "", bound="cuDNN's choice of algorithms")


def _first_steps(devices: tuple[Device, Device], folder: Path) -> Iterator[Row]:
    file, rng = folder / "synthetic.npz", np.random.default_rng(0)
    labels = np.arange(320) % 10
    np.savez(file, x_train=rng.integers(0, 256, (320, 32, 32, 3), np.uint8), y_train=labels)
    settings = {"model": {"name": "resnet20"}, "data": {"name": str(file), "batch_size": 64}}
    settings["array"] = {"rows": 128, "cols": 128}
    configs = [_config(settings, fidelity, optimizer=_SGD) for fidelity in ("native", "tile")]
    yield from map(_checked, agreement.of_steps(configs, devices))


def _registers(size: int, batch: int, devices: tuple[Device, Device], rounds: int) -> Iterator[Row]:
    for double_buffered in (False, True):
        speeds = []
        for device in devices:
            with jax.default_device(device):
                run, pe_cycles = registers.register_run(size, batch, 1, double_buffered=double_buffered)
                run()
                speeds.append(statistics.median(pe_cycles / seconds(run) for _ in range(min(rounds, 3))))
        here, there = (f"{speed / 1e9:.3g}" for speed in speeds)
        what = f"registers {size}x{size}, {'double' if double_buffered else 'single'}-buffered"
        yield Row(what, here, "G PE-cycles/s", f"{there} on this CPU", bound="launches of kernels: a scan over cycles")


def _ratio(name: str, batch: int, rounds: int) -> Iterator[Row]:
    measured = steps.times([name], rounds, batch)
    ratio = statistics.median(a / b for a, b in zip(measured[name], measured[steps.PLAIN], strict=True))
    plain = f"plain Flax {1e3 * statistics.median(measured[steps.PLAIN]):.2f} ms"
    yield Row(f"ResNet-20 step, batch {batch}, {name}", f"{ratio:.3g}", "x plain", plain, bound=_HOST)


def _inputs(batch: int, rounds: int) -> Iterator[Row]:
    for figure in inputs.figures(rounds, batch, 20):
        yield Row(figure.name, f"{figure.value:.3g}", figure.unit, f"{figure.target} on CPU", bound=figure.bound)


def _ratio_to_jax(rounds: int) -> Iterator[Row]:
    figure = steps.transformation(rounds)
    yield Row(figure.name, f"{figure.value:.3g}", figure.unit, f"{figure.target} on CPU", bound=figure.bound)


if __name__ == "__main__":
    typer.run(main)
