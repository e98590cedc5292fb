"""Logs by name, and how they follow training."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from jaxgrad.base.errors import InputError
from jaxgrad.training import runs
from jaxgrad.training.logs import following
from jaxgrad.training.logs.base import Record
from jaxgrad.training.loop import Progress


class Notes:
    """A log that keeps what it was told."""

    def __init__(self, run: runs.Run, settings: Any) -> None:
        self.told: list[Any] = [settings]
        NOTES.append(self)

    def begin(self, records: Sequence[Record]) -> None:
        self.told.append(list(records))

    def add(self, record: Record) -> None:
        self.told.append(record)

    def close(self) -> None:
        self.told.append("closed")


NOTES: list[Notes] = []


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> runs.Run:
    NOTES.clear()
    monkeypatch.setattr(following, "_LOGS", {"notes": Notes, "csv": following._LOGS["csv"]})
    return runs.create(tmp_path / "run", "")


def training(*, fails: bool = False) -> Iterator[Progress]:
    state: Any = None
    for step in (1, 2, 3):
        yield Progress(state, step, {"epoch": step // 2, "step": step} if step % 2 == 0 else None)
    if fails:
        raise ZeroDivisionError


def test_each_is_told_of_what_was_and_of_each_epoch(run: runs.Run) -> None:
    steps = following.follow(training(), ["notes", "csv"], run, {"array": {}}, [{"epoch": 0}])
    assert [now.step for now in steps] == [1, 2, 3]
    assert NOTES[0].told == [{"array": {}}, [{"epoch": 0}], {"epoch": 1, "step": 2}, "closed"]
    assert (run.folder / "metrics.csv").read_text() == "epoch,step\n0,\n1,2\n"


def test_it_is_closed_where_training_fails_and_where_nobody_goes_on(run: runs.Run) -> None:
    with pytest.raises(ZeroDivisionError):
        list(following.follow(training(fails=True), ["notes"], run, {}, []))
    steps = following.follow(training(), ["notes"], run, {}, [])
    next(steps)
    del steps
    assert [notes.told[-1] for notes in NOTES] == ["closed", "closed"]


def test_a_finished_run_is_logged_though_nothing_is_trained(run: runs.Run) -> None:
    assert list(following.follow(iter(()), ["csv"], run, {}, [{"epoch": 4}])) == []
    assert (run.folder / "metrics.csv").read_text() == "epoch\n4\n"


def test_names_are_taken_with_commas_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert following.chosen(["csv, csv", "csv"]) == ("csv",)
    assert following.named(["wandb,csv"]) == ("wandb", "csv")
    with pytest.raises(
        InputError, match=r"--log: got 'cvs'; choose one of csv, tensorboard, wandb \(did you mean 'csv'"
    ):
        following.chosen(["csv,cvs"])
    for log, package in (("tensorboard", "tensorboardX"), ("wandb", "wandb")):
        monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
        with pytest.raises(InputError) as refused:
            following.chosen([log])
        assert str(refused.value) == (
            f"--log: got '{log}', which needs the package {package}; pip install 'jaxgrad[log]' first"
        )
