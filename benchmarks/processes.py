"""``python -m benchmarks.processes``: a training step over two processes against one process with the same local batch.

Each process has a core of its own and one thread. Communication aside: a process that waits for another one keeps its
core busy, so the clock of the processor does not tell the two apart. What is measured is the same partitioned program
on two devices of one process, on one core, where it never waits: processor seconds a device, against one process
alone. The whole step over two processes is by the clock on the wall, against two processes that train at the same time
without knowing of each other, so that what they share of the machine is in both.
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
    alone, partitioned = _workers([[0, 1]]), _workers([[0, 2]])
    computing = partitioned[0]["computing"] / 2 / alone[0]["computing"]
    apart = max(times["whole"] for times in _workers([[0, 1], [1, 1]]))
    port = _free_port()
    together = max(times["whole"] for times in _workers([[0, 1, port], [1, 1, port]]))
    name = f"LeNet step over 2 processes, {LOCAL_BATCH} images each"
    bound = f"two sums over both processes: {(together - apart) * 1e3:.2g} ms more than the {apart * 1e3:.3g} ms apart"
    return [
        Figure(
            f"{name}, communication aside",
            computing,
            "x one process",
            "<= 1.1",
            computing <= 1.1,
            "the same work a device; sums within the process",
        ),
        Figure(f"{name}, whole", together / apart, "x one process", "reported", True, bound),
    ]


def worker(index: int, count: int, port: int | None) -> dict[str, float]:
    """One process: the seconds of its fastest step, by the clock on the wall, and of the one that computed least.

    Args:
        index: of this process.
        count: of its devices.
        port: of the coordinator where there are two processes.
    """
    import jax

    from jaxgrad.training import data, devices, processes
    from jaxgrad.training.config import Config
    from jaxgrad.training.job import prepare

    jax.config.update("jax_num_cpu_devices", count)
    if port is not None:
        processes.join(f"127.0.0.1:{port}", 2, index, timeout_s=300)
    config = Config.model_validate({"data": {"batch_size": LOCAL_BATCH * jax.device_count()}})
    layout = devices.layout(config)
    job = prepare(config, layout)
    batch = devices.placing(layout)(next(data.batches(job.dataset, config.data.batch_size, 0, 0)))
    state = job.trainer.initial

    def step() -> None:
        nonlocal state
        state = jax.block_until_ready(job.trainer.step(state, *batch))

    step()
    whole = [seconds(step) for _ in range(STEPS)]
    computing = [seconds(step, time.process_time) for _ in range(STEPS)]
    return {"whole": min(whole), "computing": min(computing)}


def _workers(arguments: list[list[int]]) -> list[dict[str, float]]:
    """What workers measure at the same time, each on a core of its own."""
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": _ONE_THREAD}
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.processes", *map(str, words)],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for words in arguments
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
        position, devices_here, *ports = map(int, sys.argv[1:])
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[position % len(cores)]})  # before JAX starts threads
        print(json.dumps(worker(position, devices_here, *ports or [None])))
