"""A file of another command is named as such, and the command it is for is one to copy."""

from __future__ import annotations

from pathlib import Path

import pytest

from jaxgrad.cli import main
from jaxgrad.training.config import resolve
from tests.studies.cases import tree, write
from tests.studies.memory.cases import tree as on_memory
from tests.studies.pipelines.cases import tree as with_pipelines

SPACE = {"workload": {"layers": [[40, 24]]}, "space": {"rows": [4], "cols": [4]}}
FILES = {
    "experiment.toml": ("an experiment", "jaxgrad run experiment.toml"),
    "pipelines.toml": ("an experiment with pipelines", "jaxgrad run pipelines.toml"),
    "memory.toml": ("an experiment on memory", "jaxgrad run memory.toml"),
    "space.toml": ("a design space", "jaxgrad sweep space.toml or jaxgrad search space.toml"),
    "training.toml": ("a training run's configuration", "jaxgrad train --config training.toml"),
}
COMMANDS = {
    "run": ("CONFIG", ["experiment.toml", "pipelines.toml", "memory.toml"]),
    "sweep": ("CONFIG", ["space.toml"]),
    "search": ("CONFIG", ["space.toml"]),
    "train": ("--config", ["training.toml"]),
}


@pytest.fixture
def files(elsewhere: Path) -> Path:
    write(elsewhere, tree(), "experiment.toml")
    write(elsewhere, with_pipelines(), "pipelines.toml")
    write(elsewhere, on_memory(), "memory.toml")
    write(elsewhere, SPACE, "space.toml")
    (elsewhere / "training.toml").write_text(resolve().to_toml())
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
    assert "in mine.toml: got none; give one" in capsys.readouterr().err
