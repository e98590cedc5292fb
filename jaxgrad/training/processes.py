"""Several processes that train one run: how they find each other, agree, and which of them writes."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import jax
import numpy as np

from jaxgrad.base.errors import Elsewhere, InputError

Value = TypeVar("Value")

HEARTBEAT_S = 30  # after which a process that is silent is taken for lost


def cluster(environment: Mapping[str, str] = os.environ) -> str | None:
    """The cluster that started this process as one of several and that JAX gets the others' addresses from; None
    without one.

    Of Slurm it is the step that counts (``srun``): in a batch script itself there is one process, whatever the job has
    asked for. Under Kubernetes it is an indexed Job, for which JAX needs the package ``kubernetes``.

    >>> cluster({"SLURM_JOB_ID": "7", "SLURM_STEP_NODELIST": "n[1-2]", "SLURM_STEP_NUM_TASKS": "2"})
    'Slurm'
    >>> cluster({"SLURM_JOB_ID": "7", "SLURM_NTASKS": "2"})  # sbatch, and no srun
    >>> cluster({"OMPI_MCA_orte_hnp_uri": "1.0;tcp://10.0.0.1:3", "OMPI_COMM_WORLD_SIZE": "4"})
    'Open MPI'
    >>> cluster({"KUBERNETES_SERVICE_HOST": "10.0.0.1", "JOB_COMPLETION_INDEX": "0"})
    'Kubernetes'
    """
    if "SLURM_STEP_NODELIST" in environment and _number(environment, "SLURM_STEP_NUM_TASKS") > 1:
        return "Slurm"
    if "OMPI_MCA_orte_hnp_uri" in environment and _number(environment, "OMPI_COMM_WORLD_SIZE") > 1:
        return "Open MPI"
    if {"KUBERNETES_SERVICE_HOST", "JOB_COMPLETION_INDEX"} <= environment.keys():
        return "Kubernetes"
    return None


def join(coordinator: str | None, count: int | None, index: int | None, timeout_s: int) -> None:
    """Makes this process one of several; before JAX has looked for devices.

    Args:
        coordinator: HOST:PORT of process 0; None has JAX ask the cluster, for the other two as well.
        count: of processes.
        index: of this one.
        timeout_s: how long to wait for the others.

    Raises:
        InputError: the cluster or the address won't do.
    """
    if index == 0 and coordinator is not None:
        _check_free(coordinator)
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    try:
        jax.distributed.initialize(
            coordinator, count, index, initialization_timeout=timeout_s, heartbeat_timeout_seconds=HEARTBEAT_S
        )
    except (RuntimeError, ValueError, OSError) as error:
        raise _no_address(coordinator or cluster(), error) from None


def _check_free(coordinator: str) -> None:
    """JAX's own server crashes where its port is taken."""
    with socket.socket() as place:
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            place.bind(("", int(coordinator.rpartition(":")[2])))
        except (OSError, OverflowError) as error:
            raise _no_address(coordinator, error) from None


def _no_address(address: str | None, error: Exception) -> InputError:
    problem = f"got {address!r} ({' '.join(str(error).split())})"
    return InputError("--coordinator", address, "give HOST:PORT that process 0 can have", problem=problem)


def several() -> bool:
    """Whether there are other processes."""
    return jax.process_count() > 1


def is_writer() -> bool:
    """Whether this process writes: files, and on the screen."""
    return jax.process_index() == 0


def together(action: Callable[[], Value]) -> Value:
    """What ``action`` returns, once it has done so in every process; all of them call this.

    Raises:
        InputError: it failed here, and in no process before this one.
        Elsewhere: it failed in another process.
    """
    if not several():
        return action()
    error: InputError | OSError | None = None
    value: Any = None
    try:
        value = action()
    except (InputError, OSError) as failure:
        error = failure
    failed = [index for index, text in enumerate(_texts("failed" if error else "")) if text]
    if not failed:
        return value
    if error is not None and failed[0] == jax.process_index():
        raise error
    raise Elsewhere(f"process {failed[0]}")


def by_writer(action: Callable[[], Value]) -> Value | None:
    """What ``action`` returns in the one process that writes, None in the others; all of them call this."""
    return together(lambda: action() if is_writer() else None)


def told(value: Any) -> Any:
    """The writer's ``value``, which JSON can hold, in every process."""
    return json.loads(_texts(json.dumps(value) if is_writer() else "")[0]) if several() else value


def told_array(array: np.ndarray) -> np.ndarray:
    """The writer's array in every process, each of which gives one of that shape and type."""
    if not several():
        return array
    from jax.experimental import multihost_utils

    return np.asarray(multihost_utils.broadcast_one_to_all(array))


def _texts(text: str) -> list[str]:
    """Each process's text, in every process."""
    from jax.experimental import multihost_utils

    content = np.frombuffer(text.encode(), np.uint8)
    lengths = np.asarray(multihost_utils.process_allgather(np.asarray([content.size], np.int32))).ravel()
    padded = np.zeros(max(1, int(lengths.max())), np.uint8)
    padded[: content.size] = content
    rows = np.asarray(multihost_utils.process_allgather(padded)).reshape(len(lengths), -1)
    return [bytes(row[:length]).decode() for row, length in zip(rows, lengths, strict=True)]


def _number(environment: Mapping[str, str], name: str) -> int:
    text = environment.get(name, "")
    return int(text) if text.isdigit() else 0
