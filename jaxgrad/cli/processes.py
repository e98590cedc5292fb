"""A command that is one of several processes: how it joins them, what it says, and how it ends."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import traceback
import warnings
from typing import Any, NoReturn

from jaxgrad.base.errors import InputError
from jaxgrad.cli import native_log
from jaxgrad.cli.errors import BAD_INPUT, CHECK_FAILED, report

JOINING_S = 60
_joined = threading.Event()
_LOST = re.compile(r"gloo|nccl|connection (closed|reset|refused)|coordination|heartbeat", re.IGNORECASE)


def join(coordinator: str | None, count: int | None, index: int | None) -> None:
    """Joins the processes that the options or the cluster name, if they name several. The first one writes and prints.

    Raises:
        InputError: one option without the others, or values that do not go together.
    """
    from jaxgrad.training import processes

    _check(coordinator, count, index)
    if count == 1 or (coordinator is None and processes.cluster() is None):
        return
    _joined.set()
    if os.name != "nt":
        _filter_native_log()
    came = threading.Event()
    threading.Thread(target=_give_up, args=(came, coordinator or processes.cluster(), index), daemon=True).start()
    try:
        processes.join(coordinator, count, index, timeout_s=2 * JOINING_S)
    finally:
        came.set()
    if not processes.is_writer():
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  (to the end of the process)
        warnings.simplefilter("ignore")


def say_if_lost(hint: str) -> None:
    """Has ``hint`` said where another process is lost."""
    if _joined.is_set():
        print(f"{native_log.HINT}{hint}", file=_native(), flush=True)


def end(error: Exception) -> NoReturn:
    """Ends on an error that nothing has an answer to; of one of several processes, with one line if others are lost."""
    if not _joined.is_set():
        raise error
    if _LOST.search(str(error)):
        print(native_log.LOST, file=_native(), flush=True)
    else:
        traceback.print_exception(error)
    leave(CHECK_FAILED)
    raise error


def leave(code: int) -> int:
    """``code``; of a process of several that fails, ends it at once: JAX would wait for the others first."""
    if code and _joined.is_set():
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)
    return code


def _check(coordinator: str | None, count: int | None, index: int | None) -> None:
    options = {"--coordinator": coordinator, "--processes": count, "--process-id": index}
    lacking = [name for name, value in options.items() if value is None]
    if count == 1 and coordinator is None and index is None:
        return
    if lacking and len(lacking) < len(options):
        name = next(name for name, value in options.items() if value is not None)
        raise InputError(name, options[name], f"it needs {' and '.join(lacking)} as well")
    if coordinator is not None and not re.fullmatch(r".+:\d{1,5}", coordinator):
        raise InputError("--coordinator", coordinator, "give HOST:PORT of process 0, such as 10.0.0.1:1234")
    if count is not None and index is not None and index >= count:
        raise InputError("--process-id", index, f"of {count} processes it is 0 to {count - 1}")


def _give_up(came: threading.Event, coordinator: str | None, index: int | None) -> None:
    """Ends the process if the others do not come. JAX ends it too, later, with pages of text."""
    if came.wait(JOINING_S):
        return
    if index == 0:
        problem = f"got {coordinator!r}, where not all processes came within {JOINING_S} s"
        remedy = "start as many as --processes says"
    else:
        problem = f"got {coordinator!r}, which does not answer within {JOINING_S} s"
        remedy = "start process 0 there, and the others at the same time"
    report(InputError("--coordinator", coordinator, remedy, problem=problem))
    leave(BAD_INPUT)


def _filter_native_log() -> None:
    """What native code prints goes through ``native_log``; what Python does, as before."""
    command = [sys.executable, "-I", native_log.__file__]
    reader = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert reader.stdin is not None
    sys.stdout, sys.stderr = (os.fdopen(os.dup(file), "w", buffering=1) for file in (1, 2))
    for file in (1, 2):
        os.dup2(reader.stdin.fileno(), file)
    reader.stdin.close()


def _native() -> Any:
    """Standard error of native code."""
    return os.fdopen(os.dup(2), "w")
