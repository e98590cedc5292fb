"""The command ``jaxgrad`` in processes of its own, as its user has it: seconds, and the most memory it held."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks.figure import Figure, seconds


def run(*arguments: str) -> None:
    """Runs one command to its end; what it prints is dropped.

    Raises:
        FileNotFoundError: the command is not installed beside this interpreter.
        subprocess.CalledProcessError: it failed.
    """
    command = shutil.which("jaxgrad", path=Path(sys.executable).parent)
    if command is None:
        raise FileNotFoundError(f"jaxgrad is not installed beside {sys.executable}; run make setup first")
    subprocess.run([command, *arguments], capture_output=True, check=True)


def startup() -> Figure:
    """Seconds until ``jaxgrad --help`` has answered."""

    def ask() -> None:
        run("--help")

    ask()
    median_s = statistics.median(seconds(ask) for _ in range(9))
    return Figure(
        "jaxgrad --help", median_s, "s", "<= 0.3", median_s <= 0.3, "starting Python and importing typer and rich"
    )
