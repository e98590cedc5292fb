"""The commands as such: help, version, output that no one reads."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys

import pytest

from jaxgrad.array.emulation import FIDELITIES
from jaxgrad.cli import main
from jaxgrad.cli.app import COMMANDS
from jaxgrad.costs import TRAINING_SCHEDULES
from jaxgrad.training import data, optimizers
from jaxgrad.training.config import Config
from tests.command import COMMAND, ENVIRONMENT


def test_help_starts_without_the_heavy_libraries_and_soon() -> None:
    """Processor time, the interpreter's own start included: on an idle machine as long as the wait."""
    code = (
        "import sys, time\n"
        "from jaxgrad.cli import main; main(['--help'])\n"
        "print('took', time.process_time())\n"
        "print('heavy', sorted({name.split('.')[0] for name in sys.modules} & "
        "{'jax', 'flax', 'numpy', 'matplotlib', 'pydantic', 'optax', 'orbax', 'sklearn'}))\n"
    )
    started = [sys.executable, "-c", code]
    runs = [subprocess.run(started, capture_output=True, text=True, env=ENVIRONMENT) for _ in range(3)]
    assert all("heavy []" in run.stdout and "train" in run.stdout for run in runs), runs[0]
    assert min(float(re.findall(r"took (.*)", run.stdout)[0]) for run in runs) < 0.3


@pytest.mark.parametrize("typed", ["", "--help", "-h", *(f"{name} --help" for name in COMMANDS), "--version"])
def test_help_and_version_succeed(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(typed.split()) == 0
    assert "jaxgrad" in capsys.readouterr().out


def test_help_tells_the_defaults_and_choices_there_are(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    main(["train", "--help"])
    text = capsys.readouterr().out
    defaults = Config()
    stated = {
        flag: re.search(rf"--{flag}\b.*\[default: ([\w.]+)", text)
        for flag in ("model", "data", "batch-size", "rows", "cols", "schedule", "fidelity", "forward", "optimizer",
                     "weight-update", "objective", "decay", "epochs", "seed", "checkpoint-every")
    }  # fmt: skip
    assert {flag: match and match[1] for flag, match in stated.items()} == {
        "model": defaults.model.name,
        "data": defaults.data.name,
        "batch-size": str(defaults.data.batch_size),
        "rows": str(defaults.array.rows),
        "cols": str(defaults.array.cols),
        "schedule": defaults.emulation.schedule,
        "fidelity": defaults.emulation.fidelity,
        "forward": defaults.emulation.forward,
        "optimizer": defaults.optimizer.name,
        "weight-update": defaults.emulation.weight_update,
        "objective": defaults.emulation.objective,
        "decay": defaults.optimizer.decay,
        "epochs": str(defaults.train.epochs),
        "seed": str(defaults.train.seed),
        "checkpoint-every": str(defaults.train.checkpoint_every),
    }
    assert f"{defaults.optimizer.learning_rate} for adam" in text
    for choice in (*TRAINING_SCHEDULES, *FIDELITIES, *optimizers.NAMES, *optimizers.DECAYS, *data.NAMES):
        assert choice in text


def test_a_reader_that_goes_away_is_no_error() -> None:
    line = f"{shlex.join(COMMAND)} gemm | true"
    ended = subprocess.run(line, shell=True, capture_output=True, text=True, env=ENVIRONMENT)
    assert ended.stderr == ""
