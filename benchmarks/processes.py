"""``python -m benchmarks.processes``: a training step over two processes against one process with the same local batch.

Each process has a core of its own and one thread. The baseline are two processes that train at the same time without
knowing of each other, so that what they share of the machine (caches, memory) is in both figures. Communication aside,
a step takes what its process computes, by the processor's clock: waiting for the other process and for the network is
not in it. The whole step, by the clock on the wall, is told beside.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time

from benchmarks.figure import Figure, seconds

LOCAL_BATCH = 256
STEPS = 40
_ONE_THREAD = "--xla_cpu_multi_thread_eigen=false"


def figures() -> list[Figure]:
    """LeNet on digits, native fidelity; the fastest of ``STEPS`` steps each."""
    alone, together = _pair(None), _pair(_free_port())
    computing = max(times["computing"] for times in together) / max(times["computing"] for times in alone)
    waiting_s = max(times["whole"] - times["computing"] for times in together)
    whole = max(times["whole"] for times in together) / max(times["whole"] for times in alone)
    bound = f"sums over both processes, by loopback: {waiting_s * 1e3:.2g} ms of waiting in a step"
    name = f"LeNet step over 2 processes, {LOCAL_BATCH} images each"
    return [
        Figure(f"{name}, communication aside", computing, "x one process", "<= 1.1", computing <= 1.1, bound),
        Figure(f"{name}, whole", whole, "x one process", "reported", True, bound),
    ]


def worker(index: int, port: int | None) -> dict[str, float]:
    """One process: the seconds of its fastest step, by the clock on the wall, and of the one that computed least."""
    import jax

    from jaxgrad.training import data, devices, processes
    from jaxgrad.training.config import Config
    from jaxgrad.training.job import prepare

    if port is not None:
        processes.join(f"127.0.0.1:{port}", 2, index, timeout_s=300)
    config = Config.model_validate({"data": {"batch_size": LOCAL_BATCH * jax.process_count()}})
    layout = devices.layout(config)
    job = prepare(config, layout)
    images, labels = next(data.batches(job.dataset, config.data.batch_size, 0, 0))
    batch = layout.place(images, labels) if layout else (images, labels)
    state = job.trainer.initial

    def step() -> None:
        nonlocal state
        state = jax.block_until_ready(job.trainer.step(state, *batch))

    step()
    whole = [seconds(step) for _ in range(STEPS)]
    computing = [seconds(step, time.process_time) for _ in range(STEPS)]
    return {"whole": min(whole), "computing": min(computing)}


def _pair(port: int | None) -> list[dict[str, float]]:
    """What two workers measure at the same time, each on a core of its own."""
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": _ONE_THREAD}
    arguments = [] if port is None else [str(port)]
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.processes", str(index), *arguments],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for index in range(2)
    ]  # fmt: skip
    told = [worker.communicate() for worker in workers]
    for process, (_, errors) in zip(workers, told, strict=True):
        if process.returncode:
            raise RuntimeError(errors)
    return [json.loads(output.splitlines()[-1]) for output, _ in told]


def _free_port() -> int:
    with socket.socket() as place:
        place.bind(("", 0))
        return place.getsockname()[1]


if __name__ == "__main__":
    if len(sys.argv) == 1:
        for figure in figures():
            print(f"{figure.name}: {figure.value:.3g} {figure.unit} ({figure.target}; {figure.bound})")
    else:
        position = int(sys.argv[1])
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[position % len(cores)]})  # before JAX starts threads
        print(json.dumps(worker(position, int(sys.argv[2]) if len(sys.argv) > 2 else None)))
