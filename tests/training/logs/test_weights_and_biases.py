"""Weights & Biases by a stand-in that takes steps as the real one does: only those that grow, from where it was."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from jaxgrad.base.errors import InputError
from jaxgrad.training import runs
from jaxgrad.training.logs.weights_and_biases import WeightsAndBiases

SETTINGS = {"array": {"rows": 8}}
RECORDS = [{"epoch": epoch, "step": epoch, "test_loss": 1 / epoch} for epoch in (1, 2, 3)]  # a step an epoch


class There:
    """A run in the service.

    Args:
        step: the next one that it takes.
    """

    def __init__(self, step: int) -> None:
        self.step, self.finished = step, 0
        self.logged: dict[int, dict[str, float]] = {}

    def log(self, values: dict[str, float], *, step: int, commit: bool) -> None:
        assert commit
        assert step >= self.step, "a step that it would drop with a warning"
        self.logged[step], self.step = values, step + 1

    def finish(self) -> None:
        self.finished += 1


class Service(ModuleType):
    """The package; online, a run goes on where it was."""

    def __init__(self, *, online: bool) -> None:
        super().__init__("wandb")
        self.errors = SimpleNamespace(Error=type("Error", (Exception,), {}))
        self.Settings = dict
        self.online = online
        self.begun: list[tuple[dict[str, Any], There]] = []

    def init(self, **arguments: Any) -> There:
        earlier = [there.step for asked, there in self.begun if asked["id"] == arguments["id"]]
        self.begun.append((arguments, There(earlier[-1] if earlier and self.online else 0)))
        return self.begun[-1][1]


def trained(run: runs.Run, done: int, until: int) -> None:
    log = WeightsAndBiases(run, SETTINGS)
    log.begin(RECORDS[:done])
    for record in RECORDS[done:until]:
        log.add(record)
    log.close()


@pytest.mark.parametrize("online", [True, False])
def test_a_run_that_goes_on_has_each_epoch_once(online: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(online=online)
    monkeypatch.setitem(sys.modules, "wandb", service)
    run = runs.create(tmp_path / "run", "")
    trained(run, 0, 2)
    trained(run, 1, 3)  # from the checkpoint after the first epoch
    (asked, first), (again, second) = service.begun
    everything = {epoch: {"epoch": epoch, "test_loss": 1 / epoch} for epoch in (1, 2, 3)}
    assert first.logged == {step: everything[step] for step in (1, 2)}
    assert second.logged == ({3: everything[3]} if online else everything)
    assert asked == again
    assert asked["id"] == json.loads((run.folder / "wandb.json").read_text())["id"]
    kept = {key: asked[key] for key in ("project", "name", "resume", "dir", "config")}
    assert kept == {
        "project": "jaxgrad", "name": "run", "resume": "allow", "dir": str(run.folder), "config": SETTINGS,
    }  # fmt: skip
    assert (first.finished, second.finished) == (1, 1)


def test_a_loss_that_diverged_is_nan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(online=True)
    monkeypatch.setitem(sys.modules, "wandb", service)
    log = WeightsAndBiases(runs.create(tmp_path / "run", ""), SETTINGS)
    log.begin([{"epoch": 1, "step": 5, "test_loss": None}])
    assert math.isnan(service.begun[0][1].logged[5]["test_loss"])


def test_what_it_refuses_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(online=True)

    def refuse(**_: Any) -> None:
        raise service.errors.Error("No API key\nconfigured.")

    monkeypatch.setattr(service, "init", refuse)
    monkeypatch.setitem(sys.modules, "wandb", service)
    log = WeightsAndBiases(runs.create(tmp_path / "run", ""), SETTINGS)
    with pytest.raises(InputError) as refused:
        log.begin([])
    assert str(refused.value) == (
        "--log: got 'wandb', which says: No API key configured.; log in (wandb login), or set WANDB_MODE=offline"
    )
    log.close()
