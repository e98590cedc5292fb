"""Dask clusters by the text that names them: workers on this machine, a scheduler's address, a file for a batch system.

Only here and in ``dask`` is Dask imported.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import socket
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jaxgrad.base.errors import InputError, one_of, positive_integer
from jaxgrad.base.schema import read_toml

if TYPE_CHECKING:
    from distributed import Client

    from jaxgrad.studies.executors.dask import Dask

CONNECTING_S = 5.0
_DASHBOARD = "127.0.0.1:8787"
_INSTALL = "pip install 'jaxgrad[cluster]' first"


@contextmanager
def connected(where: str, retries: int, prepare: Callable[[], None]) -> Iterator[Dask]:
    """The workers that a text names, for as long as the block runs; those that it starts end with it.

    Args:
        where: ``local``, one worker for each core, or ``local:8``; the address of a scheduler; a TOML file.
        retries: how often what fails is tried again, and how many workers may be lost over it.
        prepare: what a worker does before a task.

    Raises:
        InputError: Dask is not installed, the scheduler does not answer, or the file will not do.
    """
    try:
        from dask import config as dask_config
        from distributed import Client  # noqa: F401  (is it there?)

        from jaxgrad.studies.executors.dask import Dask
    except ModuleNotFoundError:
        raise InputError("--cluster", where, _INSTALL) from None
    for name in ("distributed", "distributed.client", "tornado", "asyncio"):  # what matters comes as an error of ours
        logging.getLogger(name).setLevel(logging.CRITICAL)
    settings = {
        "distributed.scheduler.allowed-failures": retries,
        "distributed.comm.timeouts.connect": f"{CONNECTING_S}s",
        # A worker holds no results that it could be rid of: one that is paused for its memory would stay so for ever.
        "distributed.worker.memory.pause": False,
    }
    with dask_config.set(settings), ExitStack() as ending:
        if "://" in where:
            client = _client(where)
        elif where.endswith(".toml"):
            client = _of_batch_system(Path(where), ending)
        else:
            client = _here(where, ending)
        ending.callback(client.close, timeout=1)
        yield Dask(client, where, retries, prepare, client.dashboard_link or None)


def _client(address: str) -> Client:
    from distributed import Client

    try:
        parts = urlsplit(address)
        if parts.scheme == "tcp":  # Dask asks again where it is refused, and waits for ever where nothing is said
            with socket.create_connection((parts.hostname or "", parts.port or 8786), CONNECTING_S) as asked:
                if not asked.recv(1):  # a scheduler speaks first
                    raise TimeoutError
        return Client(address, timeout=CONNECTING_S, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        reason = getattr(error, "strerror", None) or f"no answer within {CONNECTING_S:g} s"
        problem = f"got {address!r}, where no Dask scheduler answers ({reason})"
        raise InputError("--cluster", address, "start one there: dask scheduler", problem=problem) from None


def _here(where: str, ending: ExitStack) -> Client:
    """Processes of this machine, each with one thread."""
    from distributed import Client, LocalCluster

    number = where.partition(":")[2]
    # Where this process ends at once, what tracks its semaphores frees them, and need not say so.
    sys.warnoptions.append("ignore:resource_tracker:UserWarning")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Port .* is already in use")
        cluster = LocalCluster(
            n_workers=int(number or os.cpu_count() or 1),
            threads_per_worker=1,
            dashboard_address=_DASHBOARD,
            silence_logs=logging.CRITICAL,
            env=_of_threads(1) | {"JAX_PLATFORMS": os.environ.get("JAX_PLATFORMS", "cpu")},
        )
    # After Ctrl-C they go with this process, at once.
    ending.push(_unless_interrupted(cluster.close))
    return Client(cluster, timeout=CONNECTING_S, set_as_default=False)


def _of_batch_system(file: Path, ending: ExitStack) -> Client:
    """Jobs of a batch system, as many as ``workers`` says; ``kind`` says which system, and the rest is dask-jobqueue's.

    Raises:
        InputError: something in the file will not do, or this machine has no such system.
    """
    try:
        import dask_jobqueue
    except ModuleNotFoundError:
        raise InputError("--cluster", str(file), _INSTALL) from None
    from distributed import Client

    tree = dict(read_toml(file, "--cluster"))
    kinds = {
        name.removesuffix("Cluster").lower(): getattr(dask_jobqueue, name)
        for name in dir(dask_jobqueue)
        if re.fullmatch(r"[A-Z]\w+Cluster", name) and name != "JobQueueCluster"
    }
    try:
        kind = kinds[one_of("kind", tree.pop("kind", None), sorted(kinds))]
        count = positive_integer("workers", tree.pop("workers", 1))
        command = (getattr(kind.job_cls, "submit_command", None) or "sh").split()[0]
        if shutil.which(command) is None:
            raise InputError("kind", tree, "type it where jobs are submitted", problem=f"got no {command} here")
        try:
            cluster = kind(**_with_threads(tree))
        except (TypeError, ValueError) as error:
            raise InputError(
                "keys", tree, "see dask-jobqueue", problem=f"got some that {kind.__name__} refuses ({error})"
            ) from None
    except InputError as error:
        raise error.read_from(str(file)) from None
    ending.callback(cluster.close, timeout=1)  # takes the jobs back
    cluster.scale(jobs=count)
    return Client(cluster, timeout=CONNECTING_S, set_as_default=False)


def _with_threads(settings: Mapping[str, Any]) -> dict[str, Any]:
    """A job's settings, in which XLA has as many threads as Dask has."""
    threads = max(1, int(settings.get("cores") or 1) // int(settings.get("processes") or 1))
    prologue = [f"export {name}={value}" for name, value in _of_threads(threads).items()]
    return {**settings, "job_script_prologue": [*prologue, *settings.get("job_script_prologue", ())]}


def _of_threads(number: int) -> dict[str, str]:
    """The environment in which XLA computes in so many threads."""
    return {"NPROC": str(number)}


def _unless_interrupted(close: Callable[[], object]) -> Callable[..., bool]:
    def end(kind: type[BaseException] | None, *_: object) -> bool:
        if kind is None or not issubclass(kind, KeyboardInterrupt):
            close()
        return False

    return end
