"""What the benchmark runs as its user would; its figures depend on the machine and are no test."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import commands
from tests.command import ENVIRONMENT, ROOT


def test_startup_is_measured() -> None:
    figure = commands.startup()
    assert figure.value > 0
    assert figure.met == (figure.value <= 0.3)


def test_a_command_that_fails_is_no_figure() -> None:
    with pytest.raises(subprocess.CalledProcessError):
        commands.run("sweep", "nowhere.toml")


def test_the_benchmark_starts_and_says_what_it_takes() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "--registers-only" in said.stdout


@pytest.mark.slow
def test_the_memory_of_a_sweep_is_that_of_the_command(tmp_path: Path) -> None:
    """The process that starts the command holds some 20 MB; JAX alone takes the command past 80."""
    (tmp_path / "small.toml").write_text(
        '[workload]\nlayers = [[4, 3]]\nbatch = [2]\n[space]\nrows = [2]\ncols = [2]\nschedule = ["ws_only"]\n'
    )
    command = [sys.executable, "-m", "benchmarks.costs", "sweep_designs", str(tmp_path / "small.toml"), str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    assert 80 < json.loads(done.stdout)["peak_mb"] < 2000
    assert (tmp_path / "table.csv").read_text().startswith("network,")
