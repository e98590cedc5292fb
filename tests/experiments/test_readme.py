"""experiments/README.md lists every file there, once, with a command that takes it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from jaxgrad.cli import main
from tests.command import ROOT
from tests.training.data.test_sources import write_cifar10

FOLDER = ROOT / "experiments"
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (FOLDER / "README.md").read_text(encoding="utf-8").splitlines()
    if re.match(r"\| \[[^\]]+\.toml\]", line)
]


def test_every_file_is_listed_once() -> None:
    files = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.toml"))
    assert sorted(re.fullmatch(r"\[(.+)\]\(\1\)", name)[1] for name, _, _ in ROWS) == files  # pyright: ignore[reportOptionalSubscript]  # a row that is not like that fails here
    assert all(what for _, what, _ in ROWS)


@pytest.mark.parametrize(("name", "command"), [(row[0], row[2]) for row in ROWS])
def test_the_command_takes_the_file(
    name: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = command.strip("`").split()
    assert typed[0] == "jaxgrad"
    assert f"]({Path(typed[2]).relative_to('experiments').as_posix()})" in name
    if "DIR" in typed:  # the reader's folder of CIFAR-10: a small one of the same format
        typed[typed.index("DIR")] = str(tmp_path)
        for file, records in write_cifar10(tmp_path).items():
            (tmp_path / file).write_bytes(10 * records.tobytes())
    monkeypatch.chdir(ROOT)
    assert main([*typed[1:], "--check", "--store", str(tmp_path)]) == 0, capsys.readouterr().err
    assert typed[2] in capsys.readouterr().out
