"""Several processes on this machine: they train as one, end together, and a run goes on with however many there are."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from jaxgrad.cli import main, native_log
from tests.command import COMMAND, ENVIRONMENT

TRAIN = [
    *("train", "--model", "mlp", "--hidden", "24", "--batch-norm", "--batch-size", "32", "--rows", "8", "--cols", "8"),
    *("--epochs", "2", "--checkpoint-every", "10"),
]
DEADLINE_S = 240


def free_port() -> int:
    with socket.socket() as place:
        place.bind(("", 0))
        return place.getsockname()[1]


def start(folder: Path, *more: str, command: list[str] = COMMAND) -> list[subprocess.Popen[str]]:
    """Two processes of a run; the first one writes."""
    coordinator = f"127.0.0.1:{free_port()}"
    options = [*TRAIN, "--coordinator", coordinator, "--processes", "2", *more]
    return [
        subprocess.Popen(
            [*command, *options, "--process-id", str(index)],
            cwd=folder, env=ENVIRONMENT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for index in range(2)
    ]  # fmt: skip


def end(children: list[subprocess.Popen[str]]) -> list[tuple[int, str, str]]:
    """Exit code, output and errors of each."""
    try:
        told = [child.communicate(timeout=DEADLINE_S) for child in children]
    finally:
        for child in children:
            child.kill()
    return [(child.returncode, *texts) for child, texts in zip(children, told, strict=True)]


def records(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def assert_as_one(run: Path, alone: Path) -> None:
    assert (run / "counters.json").read_bytes() == (alone / "counters.json").read_bytes()
    for record, other in zip(records(run), records(alone), strict=True):
        assert record == pytest.approx(other, rel=1e-4)


@pytest.mark.slow
def test_two_processes_of_which_one_is_killed_go_on_and_end_as_one_alone(elsewhere: Path) -> None:
    assert main([*TRAIN, "--out", "alone"]) == 0
    alone = elsewhere / "alone"

    children = start(elsewhere, "--out", "killed", "--shard-parameters")
    wait_for(elsewhere / "killed" / "checkpoints" / "10" / "sha256.json")
    children[1].send_signal(signal.SIGKILL)
    since = time.monotonic()
    (code, _, errors), (other_code, *_) = end(children)
    assert time.monotonic() - since < 30
    assert code not in (0, 2)
    assert other_code == -signal.SIGKILL
    lost = "error: another process has ended, or can't be reached; go on with: jaxgrad train --resume killed\n"
    assert errors == lost
    assert not (elsewhere / "killed" / "counters.json").exists()

    # With two again.
    (code, output, errors), (other_code, other_output, other_errors) = end(start(elsewhere, "--resume", "killed"))
    assert (code, other_code, errors, other_errors, other_output) == (0, 0, "", "", "")
    assert "On 2 devices in 2 processes: 16 of 32 images each" in output
    assert_as_one(elsewhere / "killed", alone)

    assert main(["train", "--resume", "killed"]) == 0  # with one, which finds nothing left to do
    assert_as_one(elsewhere / "killed", alone)


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--devices 9", "--devices: got 9; there are 4: give at most that"),
        ("--devices 0", "--devices: got 0; give a whole number of at least 1, or all"),
        ("--devices few", "--devices: got 'few'; give a whole number of at least 1, or all"),
        ("--set devices.count=3", "--set devices.count: got 3; a batch of 32 images can't be split among them: give 1"),
        ("--coordinator a:1", "--coordinator: got 'a:1'; it needs --processes and --process-id as well"),
        ("--processes 2", "--processes: got 2; it needs --coordinator and --process-id as well"),
        ("--process-id 0", "--process-id: got 0; it needs --coordinator and --processes as well"),
        (
            "--coordinator a --processes 2 --process-id 0",
            "--coordinator: got 'a'; give HOST:PORT of process 0, such as",
        ),
        ("--coordinator a:1 --processes 2 --process-id 2", "--process-id: got 2; of 2 processes it is 0 to 1"),
    ],
)
@pytest.mark.usefixtures("several_devices")
def test_what_does_not_go_together_is_refused(
    options: str, message: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *options.split()]) == 2
    assert capsys.readouterr().err.startswith(f"error: {message}")
    assert not list(elsewhere.iterdir())


@pytest.mark.usefixtures("several_devices")
def test_a_run_goes_on_with_other_devices(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = [*TRAIN, "--epochs", "1", "--devices", "2", "--out", "run"]
    assert main(options) == 0
    assert "On 2 of 4 devices: 16 of 32 images each" in capsys.readouterr().out
    assert "count = 2" in (elsewhere / "run" / "config.toml").read_text()
    counters = (elsewhere / "run" / "counters.json").read_bytes()
    assert main(["train", "--resume", "run", "--devices", "all"]) == 0
    assert "On 4 devices: 8 of 32 images each" in capsys.readouterr().out
    assert (elsewhere / "run" / "counters.json").read_bytes() == counters


# The command, not waiting for long.
IMPATIENT = [
    sys.executable,
    "-c",
    "import sys; from jaxgrad.cli import main, processes; processes.JOINING_S = 2; sys.exit(main())",
]


@pytest.mark.slow
@pytest.mark.parametrize("index", [0, 1])
def test_who_comes_alone_does_not_wait_for_ever(index: int, elsewhere: Path) -> None:
    place = f"127.0.0.1:{free_port()}"
    options = ["train", "--coordinator", place, "--processes", "2", "--process-id", str(index)]
    child = subprocess.run(
        [*IMPATIENT, *options], cwd=elsewhere, env=ENVIRONMENT, capture_output=True, text=True, timeout=DEADLINE_S
    )
    problems = (
        "where not all processes came within 2 s; start as many as --processes says",
        "which does not answer within 2 s; start process 0 there, and the others at the same time",
    )
    assert (child.returncode, child.stdout) == (2, "")
    assert child.stderr == f"error: --coordinator: got '{place}', {problems[index]}\n"
    assert not list(elsewhere.iterdir())


@pytest.mark.slow
def test_a_port_that_is_taken_is_refused(elsewhere: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        options = ["train", "--coordinator", place, "--processes", "2", "--process-id", "0"]
        child = subprocess.run(
            [*COMMAND, *options], cwd=elsewhere, env=ENVIRONMENT, capture_output=True, text=True, timeout=DEADLINE_S
        )
    assert child.returncode == 2
    assert re.fullmatch(rf"error: --coordinator: got '{place}' \(.*in use.*\); give HOST:PORT .*\n", child.stderr)


FATAL = "F1128 1 client.h:80] Terminating process because the JAX distributed service detected fatal errors.\n"


@pytest.mark.parametrize(
    ("written", "passed_on"),
    [
        ("[Gloo] Rank 0 is connected to 1 peer ranks.\nout of memory\n", "out of memory\n"),
        (f"{FATAL}*** Check failure stack trace: ***\n", "error: another process has ended, or can't be reached\n"),
        (
            f"{native_log.HINT}try again\n{native_log.LOST}\n{FATAL}",
            "error: another process has ended, or can't be reached; try again\n",
        ),
    ],
)
def test_pages_of_native_text_are_one_line(written: str, passed_on: str) -> None:
    command = [sys.executable, "-I", os.fspath(native_log.__file__)]
    assert subprocess.run(command, input=written, capture_output=True, text=True).stderr == passed_on
