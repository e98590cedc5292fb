"""A file of another command is named as such, and the command it is for is one to copy."""

from __future__ import annotations

from pathlib import Path

import pytest

from jaxgrad.cli import kinds, main
from jaxgrad.training.config import Config, Override, resolve
from tests.studies.cases import tree, write
from tests.studies.dynamics.cases import tree as on_dynamics
from tests.studies.learning.cases import tree as that_trains
from tests.studies.memory.cases import tree as on_memory
from tests.studies.pipelines.cases import tree as with_pipelines

SPACE = {"workload": {"layers": [[40, 24]]}, "space": {"rows": [4], "cols": [4]}}
FILES = {
    "experiment.toml": ("an experiment", "jaxgrad run experiment.toml"),
    "pipelines.toml": ("an experiment with pipelines", "jaxgrad run pipelines.toml"),
    "learning.toml": ("an experiment that trains", "jaxgrad run learning.toml"),
    "memory.toml": ("an experiment on memory", "jaxgrad run memory.toml"),
    "dynamics.toml": ("an experiment on the dynamics of training", "jaxgrad run dynamics.toml"),
    "space.toml": ("a design space", "jaxgrad sweep space.toml or jaxgrad search space.toml"),
    "training.toml": ("a training run's configuration", "jaxgrad train --config training.toml"),
}
COMMANDS = {
    "run": ("CONFIG", ["experiment.toml", "pipelines.toml", "learning.toml", "memory.toml", "dynamics.toml"]),
    "sweep": ("CONFIG", ["space.toml"]),
    "search": ("CONFIG", ["space.toml"]),
    "train": ("--config", ["training.toml"]),
}


@pytest.fixture
def files(elsewhere: Path) -> Path:
    write(elsewhere, tree(), "experiment.toml")
    write(elsewhere, with_pipelines(), "pipelines.toml")
    write(elsewhere, that_trains(), "learning.toml")
    write(elsewhere, on_memory(), "memory.toml")
    write(elsewhere, on_dynamics(), "dynamics.toml")
    write(elsewhere, SPACE, "space.toml")
    pipeline = [Override("pipeline.name", "gpipe", "")]
    (elsewhere / "training.toml").write_text(resolve(overrides=pipeline).to_toml())
    return elsewhere


@pytest.mark.parametrize(
    ("command", "file"), [(command, file) for command in COMMANDS for file in FILES if file not in COMMANDS[command][1]]
)
def test_it_is_named_and_nothing_is_done(
    command: str, file: str, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(files.iterdir())
    option = COMMANDS[command][0]
    assert main([command, "--config", file] if option == "--config" else [command, file]) == 2
    kind, remedy = FILES[file]
    assert capsys.readouterr().err == f"error: {option}: got '{file}', which is {kind}; {remedy}\n"
    assert sorted(files.iterdir()) == before


@pytest.mark.parametrize(
    ("command", "file"), [(command, file) for command in ("run", "sweep", "search") for file in COMMANDS[command][1]]
)
def test_a_command_takes_its_own(command: str, file: str, files: Path) -> None:
    assert main([command, file, "--check"]) == 0


def test_a_file_of_no_kind_is_told_what_it_lacks(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (elsewhere / "mine.toml").write_text("title = 'mine'\n")
    assert main(["run", "mine.toml"]) == 2
    assert "in mine.toml: got none; give one" in capsys.readouterr().err
    (elsewhere / "mine.toml").write_text("")
    assert main(["sweep", "mine.toml"]) == 2
    assert "workload in mine.toml: got none; give a table, [workload]" in capsys.readouterr().err


@pytest.mark.parametrize("file", ["experiment.toml", "pipelines.toml"])
def test_a_folder_of_data_is_for_an_experiment_that_trains(
    file: str, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", file, "--folder", "images"]) == 2
    kind = FILES[file][0]
    said = f"error: --folder: got 'images'; {file} is {kind}, and trains on no data: leave it out\n"
    assert capsys.readouterr().err == said


def test_every_section_of_a_training_run_is_known_as_one() -> None:
    assert kinds.TRAINING.holds(dict.fromkeys(Config.model_fields))
