"""A real process, killed with SIGKILL at whatever moment, and started again by the same command line until it has
finished, ends bit for bit as one never killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.command import COMMAND, ENVIRONMENT

TRAIN = [
    *COMMAND, "train", "--model", "mlp", "--epochs", "6", "--batch-size", "32",
    "--checkpoint-every", "7", "--rows", "8", "--seed", "3", "--log", "csv",
]  # fmt: skip
DEADLINE_S = 120


def finish(folder: Path, *more: str) -> None:
    subprocess.run([*TRAIN, *more], cwd=folder, check=True, capture_output=True, timeout=DEADLINE_S, env=ENVIRONMENT)


def kill(folder: Path, moment: Callable[[], bool], *more: str) -> bool:
    """Runs the command until ``moment`` and kills it there; returns whether it was in time."""
    child = subprocess.Popen(
        [*TRAIN, *more], cwd=folder, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + DEADLINE_S
    while child.poll() is None and not moment():
        assert time.monotonic() < deadline
        time.sleep(0.0005)
    child.send_signal(signal.SIGKILL)
    return child.wait() == -signal.SIGKILL


def files(run: Path) -> dict[str, bytes]:
    """All that a run leaves behind, byte by byte, but for the storage format of the checkpoints."""
    return {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}


def arrays(run: Path) -> dict[str, bytes]:
    """The arrays in the last checkpoint: parameters, optimizer state, counters and sums."""
    import orbax.checkpoint as ocp

    with ocp.CheckpointManager((run / "checkpoints").absolute()) as manager:
        step = manager.latest_step()
        assert step == 6 * (1437 // 32)
        state = manager.restore(step, args=ocp.args.Composite(state=ocp.args.StandardRestore())).state
    return {path: value.tobytes() for path, value in state.items()}


@pytest.mark.slow
def test_killed_anywhere_and_resumed(tmp_path: Path) -> None:
    finish(tmp_path, "--out", "whole")
    run, chance = tmp_path / "killed", random.Random(0)
    checkpoints, log = run / "checkpoints", run / "metrics.jsonl"

    def names() -> list[str]:
        return os.listdir(checkpoints) if checkpoints.exists() else []

    def saving(after: int) -> Callable[[], bool]:
        """While a checkpoint is being written, once there has been one past ``after``."""
        return lambda: (
            any(int(name) > after for name in names() if name.isdigit()) and any("tmp" in name for name in names())
        )

    def lines(count: int) -> Callable[[], bool]:
        def reached() -> bool:
            if not log.exists() or log.read_bytes().count(b"\n") < count:
                return False
            time.sleep(chance.uniform(0, 0.15))
            return True

        return reached

    killed = kill(tmp_path, run.exists, "--resume", "killed")  # which begins it; before any checkpoint
    for moment in (saving(30), lines(3), saving(150)):
        killed += kill(tmp_path, moment, "--resume", "killed")
    assert killed == 4
    kill(tmp_path, (run / "counters.json").exists, "--resume", "killed")  # while the report is written
    finish(tmp_path, "--resume", "killed")

    assert arrays(run) == arrays(tmp_path / "whole")
    assert files(run) == files(tmp_path / "whole")
