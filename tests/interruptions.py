"""``make interruptions``: Ctrl-C at random moments of every command, and what came of each signal.

A command runs once whole, to know how long it takes; then again and again, each time in an empty folder and with one
SIGINT at a moment drawn by chance. The moment is one of processor time, so that it lies within the run however busy the
machine has become since. Right is: exit code 130 within two seconds, one line on stderr, no file but whole
ones, and a hint that goes on when it is pasted into a shell. With ``--full-disk`` each run gets a disk (a small tmpfs,
which takes root or a user namespace) that fills up at a random moment instead, and right is exit code 2 in one line.
"""

from __future__ import annotations

import json
import os
import random
import re
import resource
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, NamedTuple

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.command import ENVIRONMENT, ROOT

WITHIN_S = 2.0
FOLDER = "a run's"
"""Of results: a name that a shell reads only where it is quoted."""

_COMMAND = [sys.executable, "-m", "jaxgrad"]
_STARTED_S = 0.05  # of processor time; before, it is Python itself that starts, and none of our code is there
_LOOK_S = 0.01
_WAITS_S = 0.1  # a run uses no processor time while it waits for a disk: a signal comes up to so much later
_LIMIT_S = 600
_HINT = "go on with: "
_EXPERIMENT = """
title = "Small"
question = "What does an interruption leave?"
baseline = "WS"
compare = "backward"

[workload]
networks = ["lenet", "resnet20"]
batch = 8

[machine]
rows = 16
cols = 16
precision = "bf16"
technology = "horowitz-45nm"

[machine.memory]
sram_kib = 128
dram_gb_per_s = 4.0

[[variant]]
name = "WS"
schedule = "ws_only"

[[variant]]
name = "interleaved"
schedule = "interleaved"

[[sweep]]
name = "batch"
keys = ["workload.batch"]
values = [8, 16]
"""
_SPACE = """
title = "Small"

[workload]
networks = ["lenet"]
batch = [8]

[space]
rows = [4, 8, 16]
cols = [4, 8]
schedule = ["interleaved", "ws_only"]
sram_kib = [32, 64, 128]
dram_gb_per_s = [1.0, 4.0]

[machine]
technology = "horowitz-45nm"

[descent]
objective = "edp"
"""
_FUNCTION = """
import jax


def step(w, x):
    return jax.grad(lambda w: (x @ w).sum())(w)
"""
_RUN = """
model.name = "mlp"
data.name = "digits"
emulation.schedule = "interleaved"
emulation.fidelity = "native"
train.epochs = 2
"""


# A working directory of 16 MiB, in a mount namespace of its own, which fills up after $1 seconds; what is then in it is
# copied out of it, to be looked at.
_ON_A_SMALL_DISK = [
    "unshare",
    "--map-root-user",
    "--mount",
    "bash",
    "-c",
    """
    outside=$PWD; files=$(mktemp -d); cp -r . $files;
    mkdir disk; mount -t tmpfs -o size=16m tmpfs disk; cp -r $files/. disk; rm -rf $files; cd disk
    (sleep "$1"; exec dd if=/dev/zero of=.rest bs=4k status=none 2>/dev/null) & filling=$!
    shift; "$@"; code=$?
    kill $filling 2>/dev/null; rm -f .rest; mkdir $outside/kept; cp -r . $outside/kept; exit $code
    """,
    "small-disk",
]


_TRAIN = ["train", "--model", "mlp", "--epochs", "3", "--checkpoint-every", "5"]


class Case(NamedTuple):
    """A command line to interrupt.

    Args:
        arguments: after ``jaxgrad``.
        files: what it reads, by name.
        before: of a command that runs first, to its end.
    """

    arguments: Sequence[str]
    files: Mapping[str, str] = MappingProxyType({})
    before: Sequence[str] = ()


CASES: dict[str, Case] = {
    "train": Case([*_TRAIN, "--out", FOLDER]),
    "train, diagnostics": Case([*_TRAIN, "--diagnostics", "20", "--out", FOLDER]),
    "train, register": Case(
        ["train", "--model", "mlp", "--hidden", "16", "--epochs", "1", "--fidelity", "register", "--out", FOLDER]
    ),
    "gemm": Case(["gemm"]),
    "gemm, register": Case(["gemm", "--fidelity", "register", "--batch", "512", "--in-features", "256"]),
    "explain": Case(["explain"]),
    "compare": Case(["compare", "--model", "resnet50", "--out", FOLDER]),
    "run": Case(["run", "small.toml", "--out", FOLDER], {"small.toml": _EXPERIMENT}),
    "run, training": Case(
        ["run", "short.toml", "--out", FOLDER],
        {"short.toml": (ROOT / "experiments/training_run.toml").read_text().replace("epochs = 10", "epochs = 1")},
    ),
    "sweep": Case(["sweep", "space.toml", "--out", f"{FOLDER}.csv"], {"space.toml": _SPACE}),
    "search": Case(["search", "space.toml", "--out", f"{FOLDER}.csv"], {"space.toml": _SPACE}),
    "pipeline": Case(["pipeline", "--model", "resnet20", "--out", FOLDER]),
    "trace": Case(["trace", "--out", FOLDER]),
    "scalesim": Case(["scalesim", "--model", "resnet20", "--path", FOLDER]),
    "diagnose": Case(["diagnose", FOLDER], before=[*_TRAIN, "--keep-checkpoints", "all", "--out", FOLDER]),
    "profile": Case(["profile", "mine.py:step", "--arg", "f32[64,32]", "--arg", "f32[128,64]"], {"mine.py": _FUNCTION}),
    "runs": Case(["runs", "."], {"config.toml": _RUN}),
    "diff": Case(["diff", ".", "."], {"config.toml": _RUN}),
    "schema": Case(["schema", "--out", FOLDER]),
    "rtl": Case(["rtl", "--schedule", "best", "--out", FOLDER]),  # whether Verilator is there or not
}


class Outcome(NamedTuple):
    """What came of a signal.

    Args:
        moment_s: when it was sent, in processor time (of a disk that fills up, by the clock).
        code: the exit code.
        took_s: from the signal to the end.
        faults: what was not right.
        said: on stderr.
    """

    moment_s: float
    code: int
    took_s: float
    faults: Sequence[str]
    said: str


class Whole(NamedTuple):
    """What a run takes that nothing interrupts, in s.

    Args:
        clock_s: from its start to its end.
        processor_s: of all its threads together.
    """

    clock_s: float
    processor_s: float


def main(
    cases: Annotated[list[str] | None, typer.Argument(help=f"Some of: {'; '.join(CASES)}. All of them.")] = None,
    signals: Annotated[int, typer.Option(min=1, help="To each case.")] = 50,
    seed: Annotated[int, typer.Option(help="Which moments are drawn.")] = 0,
    every: Annotated[int, typer.Option(min=1, help="How often a hint is followed: once in so many signals.")] = 10,
    workers: Annotated[int, typer.Option(min=1, help="Runs at a time.")] = 1,
    full_disk: Annotated[bool, typer.Option("--full-disk", help="A disk that fills up in place of a signal.")] = False,
) -> None:
    """Interrupts commands; ends with 1 where something was not right."""
    console = Console(width=max(80, Console().width))
    unknown = set(cases or ()) - CASES.keys()
    if unknown:
        console.print(f"interruptions: got {unknown.pop()!r}; give some of: {'; '.join(CASES)}", markup=False)
        raise typer.Exit(2)
    try_once = fill_up if full_disk else interrupt
    table, faults = Table(title="Disks that filled up" if full_disk else "Signals"), 0
    for header in ("command", "whole run [s]", "sent", "ended before", "longest end [s]", "not right"):
        table.add_column(header, justify="left" if header == "command" else "right")
    for name in cases or CASES:
        case = CASES[name]
        whole = measure(case)
        chance = random.Random(f"{seed} {name}")
        last_s = whole.clock_s if full_disk else whole.processor_s
        moments = [chance.uniform(_STARTED_S, last_s) for _ in range(signals)]
        followed = [number % every == 0 for number in range(signals)]
        with ThreadPoolExecutor(workers) as pool:
            tried = pool.map(partial(try_once, case), moments, followed)
            outcomes = list(track(tried, name, total=signals, console=console, transient=True))
        wrong = [outcome for outcome in outcomes if outcome.faults]
        over = [outcome for outcome in outcomes if outcome.code == 0]
        longest = max((outcome.took_s for outcome in outcomes if outcome.code), default=0.0)
        table.add_row(name, f"{whole.clock_s:.1f}", f"{signals}", f"{len(over)}", f"{longest:.2f}", f"{len(wrong)}")
        for outcome in wrong:
            console.print(f"{name}, at {outcome.moment_s:.2f} s: {'; '.join(outcome.faults)}", markup=False)
            console.print(outcome.said, markup=False, highlight=False, soft_wrap=True)
        faults += len(wrong)
    console.print(table)
    raise typer.Exit(faults > 0)


def measure(case: Case) -> Whole:
    """What a case takes that nothing interrupts, its programs compiled before."""
    for _ in range(2):
        with tempfile.TemporaryDirectory() as folder:
            process = _begin(case, Path(folder), _COMMAND)
            begun, used = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
            _, said = process.communicate(timeout=_LIMIT_S)
            whole_s, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
            if process.returncode:
                raise RuntimeError(f"{case.arguments} ended with {process.returncode}: {said}")
    return Whole(whole_s, after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime)


def interrupt(case: Case, moment_s: float, follow: bool) -> Outcome:
    """Runs a case, and interrupts it after some seconds of processor time; ``follow``: then does what it hints at."""
    with tempfile.TemporaryDirectory() as folder:
        process = _begin(case, Path(folder), _COMMAND)
        while process.poll() is None and _used_s(process.pid) < moment_s:
            with suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=_LOOK_S)
        time.sleep(random.Random(moment_s).uniform(0, _WAITS_S))
        process.send_signal(signal.SIGINT)
        sent = time.monotonic()
        said = process.communicate(timeout=_LIMIT_S)[1]
        took_s = time.monotonic() - sent
        faults = [*half_written(Path(folder)), *_left_running(folder)]
        if process.returncode != 0:
            faults += judged(process.returncode, said, took_s)
            if follow and _HINT in said:
                faults += goes_on(said.strip().split(_HINT)[1], Path(folder))
        return Outcome(moment_s, process.returncode, took_s, faults, said)


def fill_up(case: Case, moment_s: float, follow: bool) -> Outcome:
    """Runs a case on a small disk that fills up after some seconds; ``follow``: then a run resumes with room again."""
    with tempfile.TemporaryDirectory() as folder:
        process = _begin(case, Path(folder), [*_ON_A_SMALL_DISK, str(moment_s), *_COMMAND])
        said = process.communicate(timeout=_LIMIT_S)[1]
        kept, resumed = (Path(folder) / name for name in ("kept", "resumed"))
        faults = [*half_written(kept)]
        if process.returncode not in (0, 2):
            faults.append(f"exit code {process.returncode}")
        if process.returncode and len(said.splitlines()) != 1:
            faults.append(f"{len(said.splitlines())} lines")
        if follow and process.returncode and (kept / FOLDER / "config.toml").exists():
            kept.rename(resumed)
            faults += goes_on(shlex.join(["jaxgrad", case.arguments[0], "--resume", FOLDER]), resumed)
        return Outcome(moment_s, process.returncode, 0.0, faults, said)


def _used_s(process: int) -> float:
    """The processor time that a process has used, of all its threads together."""
    counted = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, counted[11:13])) / os.sysconf("SC_CLK_TCK")


def _begin(case: Case, folder: Path, command: Sequence[str]) -> subprocess.Popen[str]:
    for name, text in case.files.items():
        (folder / name).write_text(text)
    if case.before:
        subprocess.run([*_COMMAND, *case.before], cwd=folder, env=ENVIRONMENT, stdout=subprocess.DEVNULL, check=True)
    return subprocess.Popen(
        [*command, *case.arguments],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def judged(code: int, said: str, took_s: float) -> list[str]:
    lines = said.splitlines()
    faults = [] if code == 130 else [f"exit code {code}"]
    if len(lines) != 1 or not lines[0].startswith("interrupted"):
        faults.append(f"{len(lines)} lines")
    if took_s > WITHIN_S:
        faults.append(f"{took_s:.1f} s")
    return faults


def half_written(folder: Path) -> list[str]:
    """The files that can't be read whole; hidden ones are no results yet."""
    readers: dict[str, Callable[[str], Any]] = {".json": _documents, ".jsonl": _documents, ".toml": tomllib.loads}
    broken = []
    for path in folder.rglob("*"):
        visible = not any(re.match(r"\.|.*tmp", part) for part in path.relative_to(folder).parts)
        if visible and path.is_file() and path.suffix in readers:
            try:
                readers[path.suffix](path.read_text())
            except ValueError as error:
                broken.append(f"{path.relative_to(folder)} is not whole: {error}")
    return broken


def _documents(text: str) -> list[Any]:
    """JSON, one document or several, one after the other."""
    documents, rest = [], text.lstrip()
    while rest:
        document, end = json.JSONDecoder().raw_decode(rest)
        documents.append(document)
        rest = rest[end:].lstrip()
    return documents


def _left_running(folder: str) -> list[str]:
    """The processes that the command began in the folder and did not end."""
    left = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.readlink(process / "cwd") == folder:
                left.append(f"process {process.name} still runs")
    return left


def goes_on(hint: str, folder: Path) -> list[str]:
    """Whether what was hinted at goes on, to the end, when it is pasted into a shell."""
    script = f'jaxgrad() {{ {shlex.join(_COMMAND)} "$@"; }}\n{hint}\n'
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=_LIMIT_S,
        check=False,
    )
    return [] if done.returncode == 0 else [f"{hint!r} ended with {done.returncode}: {done.stderr.strip()[-200:]}"]


if __name__ == "__main__":
    typer.run(main)
