"""The commands as such: help, version, output that no one reads."""

from __future__ import annotations

import inspect
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import jaxgrad
import jaxgrad_models
from jaxgrad.array.emulation import FIDELITIES
from jaxgrad.cli import main
from jaxgrad.cli.app import COMMANDS, app
from jaxgrad.cli.options import IN_SOURCES
from jaxgrad.costs import TRAINING_SCHEDULES
from jaxgrad.training import data, learning_rates, optimizers
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
    for choice in (*TRAINING_SCHEDULES, *FIDELITIES, *optimizers.NAMES, *learning_rates.DECAYS, *data.NAMES):
        assert choice in text
    exponential, step = (learning_rates.DEFAULTS[name] for name in (learning_rates.EXPONENTIAL, learning_rates.STEP))
    assert f"{exponential['decay_factor']} and {step['decay_factor']}" in text
    assert str(step["decay_at"]).replace(" ", "") in text


def options(command: str) -> dict[str, Any]:
    """The declared options of a command, by parameter."""
    callbacks = [each.callback for each in app.registered_commands if each.callback is not None]
    function = next(each for each in callbacks if each.__name__ == command)
    declared = {name: each.annotation for name, each in inspect.signature(function).parameters.items()}
    return {name: each.__metadata__[0] for name, each in declared.items() if hasattr(each, "__metadata__")}


@pytest.mark.parametrize("command", COMMANDS)
def test_help_lists_every_choice_there_is(command: str) -> None:
    """The texts are written by hand, since help does not wait for the rooms that have the lists."""
    for name, info in options(command).items():
        if info.autocompletion is not None and "..." not in info.help:
            lacking = [
                each
                for each in info.autocompletion("")
                if not re.search(rf"(?<!\w){re.escape(each)}(?!\w)", info.help + info.metavar)
            ]
            assert (lacking, info.autocompletion("") != []) == ([], True), name


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_where_files_are_that_a_wheel_leaves_out(command: str) -> None:
    ours = re.compile(r"\b(benchmarks|docs|examples|experiments|models|tests)/")
    texts = [info.help for info in options(command).values() if ours.search(info.help)]
    assert [text for text in texts if IN_SOURCES not in text] == []
    assert (texts != []) == (command in ("run", "sweep", "search"))


def test_help_shows_brackets_as_they_are(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    for command, shown in (("compare", "a section [machine] as"), ("profile", "f32[32,784], i32[32], bf16[8,16]")):
        main([command, "--help"])
        assert shown in capsys.readouterr().out


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "jaxgrad", "--version"], capture_output=True, text=True, env=ENVIRONMENT
    )
    assert (done.returncode, done.stdout) == (0, f"jaxgrad {jaxgrad.__version__}\n")
    done = subprocess.run(
        [sys.executable, "-m", "jaxgrad", "gemm", "--rows", "x"], capture_output=True, env=ENVIRONMENT
    )
    assert done.returncode == 2


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("jaxgrad tr", {"train", "trace"}),
        ("jaxgrad train --optimizer ad", {"adam", "adamw"}),
        ("jaxgrad gemm --fid", {"--fidelity"}),
    ],
)
def test_the_shell_completes_commands_options_and_choices(typed: str, offered: set[str]) -> None:
    words = typed.split()
    shell = {"_JAXGRAD_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(len(words) - 1)}
    done = subprocess.run(COMMAND, capture_output=True, text=True, env=ENVIRONMENT | shell)
    assert set(done.stdout.split()) == offered


def test_the_packages_are_typed() -> None:
    for package in (jaxgrad, jaxgrad_models):
        assert (Path(package.__file__ or "").parent / "py.typed").is_file()


def test_a_reader_that_goes_away_is_no_error() -> None:
    line = f"{shlex.join(COMMAND)} gemm | true"
    ended = subprocess.run(line, shell=True, capture_output=True, text=True, env=ENVIRONMENT)
    assert ended.stderr == ""
