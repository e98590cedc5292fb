"""Speed of costing: networks traced and costed from a cold start, costed again, plans searched, SCALE-Sim's reports."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import commands
from benchmarks.figure import Figure, seconds

_SCHEDULES = ("interleaved", "sequential", "ws_only", "os_only", "auto")


def figures(rounds: int) -> list[Figure]:
    """All of them; each cold start is a process of its own."""
    cold = _fresh("cost_network", "inception-v4", "1")
    deep = _fresh("trace_step", "densenet264", "1")
    again, search = _warm(rounds)
    reports = statistics.median(_scalesim() for _ in range(3))
    swept = _sweep()
    speed = _throughput(rounds)
    stored = _with_memory()
    slopes = _slopes(rounds)
    return [
        Figure(
            "Inception-v4's step under all schedules, cold", cold["seconds"], "s", "<= 5", cold["seconds"] <= 5,
            "Flax and JAX tracing the network, and importing them",
        ),
        Figure(
            "the same, memory", cold["peak_mb"], "MB", "<= 1000", cold["peak_mb"] <= 1000, "JAX, and the trace",
        ),
        Figure("the same, once traced", again * 1000, "ms", "<= 50", again <= 0.05, "closed forms in Python integers"),
        Figure(
            "best order and blocks of Inception-v4, interleaved", search, "s", "<= 1", search <= 1,
            "integer arithmetic on arrays of candidates: memory traffic",
        ),
        Figure(
            "DenseNet-264's train step traced, cold", deep["seconds"], "s", "<= 10", deep["seconds"] <= 10,
            "Flax and JAX tracing 265 layers, forward and backward",
        ),
        Figure(
            "SCALE-Sim's reports of ResNet-50, cold", reports, "s", "<= 2", reports <= 2,
            "DRAM fillings of overlapping windows, in numpy",
        ),
        Figure(
            "exact costing without a memory, interleaved", speed / 1e6, "M layer-designs/s", ">= 10", speed >= 1e7,
            "integer divisions: 64 bits wide, one at a time",
        ),
        Figure(
            "sweep with a memory, ResNet-50's step", stored / 1e3, "k layer-designs/s", ">= 120", stored >= 1.2e5,
            "every nest of every block in every scratchpad: vector instructions",
        ),
        Figure(
            "sweep of ResNet-50's step, 107,100 designs, cold", swept["seconds"], "s", "<= 60", swept["seconds"] <= 60,
            "XLA compiling: some 5 s a schedule",
        ),
        Figure("the same, memory", swept["peak_mb"], "MB", "<= 2000", swept["peak_mb"] <= 2000, "counts of a chunk"),
        Figure(
            "descent on ResNet-20's EDP: gradients", slopes, "designs/s", ">= 500", slopes >= 500,
            "the choice of plans, every fifth step: memory traffic",
        ),
    ]  # fmt: skip


def cost_network(name: str, batch: str) -> None:
    """Traces a network, forward and backward, and costs its step under all schedules."""
    from jaxgrad.array.emulation import Emulation
    from jaxgrad.costs import step_cost
    from jaxgrad.hardware import Accelerator

    step_cost(_gemms(name, int(batch)), Emulation(Accelerator(128, 128)), _SCHEDULES)


def trace_step(name: str, batch: str) -> None:
    """Traces a network's whole training step: loss, gradients and update."""
    import optax

    from jaxgrad.flax import step_work

    step_work(*_traced(name, int(batch)), optimizer=optax.sgd(0.1, momentum=0.9))


def _warm(rounds: int) -> tuple[float, float]:
    """Seconds of costing what is traced, and of searching orders and blocks; medians."""
    from jaxgrad.array.emulation import Emulation
    from jaxgrad.costs import step_cost
    from jaxgrad.hardware import Accelerator, Machine, Memory, Precision

    gemms = _gemms("inception-v4", 1)
    array = Accelerator(128, 128)
    machine = Machine(array, Memory(1 << 22, 100.0), Precision.of("bf16"))
    emulation = Emulation(array)
    step_cost(gemms, emulation, _SCHEDULES)
    again = [seconds(lambda: step_cost(gemms, emulation, _SCHEDULES)) for _ in range(rounds)]
    search = [seconds(lambda: step_cost(gemms, emulation, ["interleaved"], machine=machine)) for _ in range(rounds)]
    return statistics.median(again), statistics.median(search)


def _scalesim() -> float:
    """Seconds of a fresh process that writes SCALE-Sim's reports for ResNet-50's forward GEMMs."""
    with tempfile.TemporaryDirectory() as folder:
        topology, config = Path(folder) / "resnet50.csv", Path(folder) / "array.cfg"
        topology.write_text(_topology("resnet50"))
        config.write_text(_CFG)
        typed = ["scalesim", "-c", str(config), "-t", str(topology), "-i", "gemm", "-p", folder]
        return seconds(lambda: commands.run(*typed))


_CFG = """[general]
run_name = bench
[architecture_presets]
ArrayHeight: 128
ArrayWidth: 128
IfmapSramSzkB: 512
FilterSramSzkB: 512
OfmapSramSzkB: 256
IfmapOffset: 0
FilterOffset: 10000000
OfmapOffset: 20000000
Bandwidth: 10
Dataflow: ws
[run_presets]
InterfaceBandwidth: CALC
"""


def sweep_designs(file: str, folder: str) -> None:
    """Runs a sweep, its results in a new folder."""
    commands.run("sweep", file, "--out", f"{folder}/table.csv", "--store", f"{folder}/store")


def _sweep() -> dict[str, float]:
    """The example with 10^5 designs, nothing compiled before."""
    file = Path(__file__).resolve().parents[1] / "experiments" / "sweeps" / "resnet50.toml"
    with tempfile.TemporaryDirectory() as folder:
        return _fresh("sweep_designs", str(file), folder, XDG_CACHE_HOME=folder)


def _throughput(rounds: int) -> float:
    """Layers of ResNet-50's backward pass, times arrays, a second."""
    import numpy as np

    from jaxgrad.designs import direct
    from jaxgrad.designs.problems import problems
    from jaxgrad.designs.questions import Arrays, Question
    from jaxgrad.hardware import Precision

    layers = problems(_gemms("resnet50", 4), patches_in_dram=True)
    side = np.arange(1, 301, dtype=np.int64)
    rows, cols = (axis.ravel() for axis in np.meshgrid(side, side))
    question = Question(None, "interleaved", "", False, True, Precision.of("bf16"))
    arrays = Arrays(rows, cols, False)
    direct.without_memory(question, layers, arrays)
    median = statistics.median(seconds(lambda: direct.without_memory(question, layers, arrays)) for _ in range(rounds))
    return len(layers.shapes.b) * len(rows) / median


def _with_memory(rounds: int = 3) -> float:
    """Layers of ResNet-50's step, times designs, a second of processor time: the first chunk of the example.

    The target is half of what the coarse search did that looked at a sixth to a tenth of the blocks.
    """
    from jaxgrad.designs import schema, space, sweep
    from jaxgrad.designs.problems import problems

    file = Path(__file__).resolve().parents[1] / "experiments" / "sweeps" / "resnet50.toml"
    asked, gemms = schema.load(file), _gemms("resnet50", 4)
    chunk, technology = space.chunks(asked)[0], space.technology(asked, file.parent)

    def run() -> None:
        sweep.compute(chunk, asked, gemms, technology)

    run()
    median = statistics.median(seconds(run, time.process_time) for _ in range(rounds))
    return len(problems(gemms, patches_in_dram=False)) * chunk.points / median


def _slopes(rounds: int) -> float:
    """Relaxed costs with their gradients, of ResNet-20's step, a second; plans chosen anew as a search does."""
    import jax
    import numpy as np

    from jaxgrad.designs import schema, space
    from jaxgrad.designs.descent import Slopes
    from jaxgrad.designs.goal import Goal

    file = Path(__file__).resolve().parents[1] / "experiments" / "sweeps" / "search.toml"
    sweep = schema.load(file)
    slopes = Slopes(Goal(space.kinds(sweep)[0], sweep, _gemms("resnet20", 32), space.technology(sweep, file.parent)))
    lower, upper = (np.log2([pick(values) for values in sweep.axes.values()]) for pick in (min, max))
    starts, steps = np.random.default_rng(0).uniform(lower, upper, (16, len(lower))), 20
    with jax.enable_x64(True):
        slopes.descend(starts, lower, upper, steps)
        again = [seconds(lambda: slopes.descend(starts, lower, upper, steps)) for _ in range(rounds)]
    return len(starts) * steps / statistics.median(again)


def _topology(name: str) -> str:
    from jaxgrad.interop.scalesim.topology import write_gemms
    from jaxgrad.interop.scalesim.training import products

    return write_gemms(products(_gemms(name, 1), "forward"))


def _gemms(name: str, batch: int) -> list[Any]:
    from jaxgrad.flax import step_gemms

    return step_gemms(*_traced(name, batch))


def _traced(name: str, batch: int) -> tuple[Any, Any]:
    """A network in shapes, and its images."""
    import jax
    import jax.numpy as jnp

    import jaxgrad_models

    return jaxgrad_models.abstract(name), jax.ShapeDtypeStruct((batch, *jaxgrad_models.INPUT_SHAPES[name]), jnp.float32)


def _fresh(function: str, *arguments: str, **environment: str) -> dict[str, float]:
    """Seconds from the start of a process to its end, and the most memory it held."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.costs", function, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
    )
    return {"seconds": time.perf_counter() - started, **json.loads(done.stdout)}


def _peak_mb() -> float:
    """The most memory that this process held, or a command it ran."""
    commanded = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    status = Path("/proc/self/status")
    if not status.exists():
        return max(commanded, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    # Not ``ru_maxrss``: that begins with what this process's parent held.
    peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return max(commanded, int(peak.split()[1]) / 1024)


if __name__ == "__main__":
    {"cost_network": cost_network, "trace_step": trace_step, "sweep_designs": sweep_designs}[sys.argv[1]](*sys.argv[2:])
    print(json.dumps({"peak_mb": _peak_mb()}))
