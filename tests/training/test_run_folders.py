"""Run folders as they are found: each state, what is broken, and no JAX on the way."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from jaxgrad.base.errors import InputError
from jaxgrad.training import runs
from jaxgrad.training.config import Config
from jaxgrad.training.run_folders import CAN_GO_ON, DIVERGED, FINISHED, TRAINING, listed, read, records_of


def made(folder: Path, epochs: int, *records: dict[str, Any], **keys: Any) -> runs.Run:
    config = Config()
    config = config.model_copy(update={"train": config.train.model_copy(update={"epochs": epochs, **keys})})
    run = runs.create(folder, config.to_toml())
    for number, record in enumerate(records, 1):
        run.append_metrics({"epoch": number, "cycles": 10 * number, **record})
    return run


def test_what_a_run_was_asked_for_and_how_far_it_is(tmp_path: Path) -> None:
    made(tmp_path / "run", 3, {"test_accuracy": 0.5}, {"test_accuracy": 0.75})
    run = read(tmp_path / "run")
    assert (run.model, run.data, run.schedule, run.fidelity) == ("lenet", "digits", "interleaved", "native")
    assert (run.epochs, run.done, run.test_accuracy, run.cycles) == (3, 2, 0.75, 20)
    made(tmp_path / "new", 3)
    new = read(tmp_path / "new")
    assert (new.done, new.test_accuracy, new.cycles, new.state) == (0, None, None, CAN_GO_ON)


def test_the_state_of_each(tmp_path: Path) -> None:
    made(tmp_path / "half", 3, {}, {})
    made(tmp_path / "whole", 2, {}, {})
    made(tmp_path / "nan", 2, {}, {"train_loss": 1.0, "test_loss": None})
    made(tmp_path / "stopped", 2, {}).write_json(runs.STOPPED, {"reason": "diverged"})
    made(tmp_path / "now", 2, {}, {})
    with runs.reopen(tmp_path / "now").alone():
        found, broken = listed(tmp_path)
    assert {run.folder.name: run.state for run in found} == {
        "half": CAN_GO_ON, "whole": FINISHED, "nan": DIVERGED, "stopped": DIVERGED, "now": TRAINING,
    }  # fmt: skip
    assert broken == []
    assert read(tmp_path / "now").state == FINISHED


def test_a_run_that_is_out_of_patience_is_finished(tmp_path: Path) -> None:
    losses = [{"test_loss": loss, "test_accuracy": 1 - loss} for loss in (0.5, 0.5, 0.25, 0.5)]
    made(tmp_path / "waits", 9, *losses, patience=2)
    made(tmp_path / "stopped", 9, *losses, patience=1)
    made(tmp_path / "better", 9, *losses[:3], patience=2, patience_for="accuracy")
    assert {run.folder.name: run.state for run in listed(tmp_path)[0]} == {
        "waits": CAN_GO_ON, "stopped": FINISHED, "better": CAN_GO_ON,
    }  # fmt: skip
    made(tmp_path / "other", 9, {}, patience=1)
    with pytest.raises(InputError, match="has a line without test_loss"):
        read(tmp_path / "other")


def test_the_one_that_changed_last_is_first_and_what_is_no_run_is_passed_over(tmp_path: Path) -> None:
    for age, name in ((30, "b"), (10, "c"), (20, "a")):
        made(tmp_path / name, 2, {})
        os.utime(tmp_path / name / "metrics.jsonl", (1e9 - age, 1e9 - age))
    (tmp_path / "results").mkdir()
    (tmp_path / "notes.txt").write_text("")
    assert [run.folder.name for run in listed(tmp_path)[0]] == ["c", "a", "b"]
    assert [run.folder.name for run in listed(tmp_path / "a")[0]] == ["a"]
    assert listed(tmp_path)[0][0].changed == 1e9 - 10


BROKEN = {
    "[model\n": "config.toml: can't be read: ",
    'model = "mlp"\n': "config.toml: has values where tables belong; ",
    '[model]\nname = "mlp"\n': "config.toml: has no data; ",
}


@pytest.mark.parametrize(("text", "said"), BROKEN.items())
def test_a_broken_configuration_is_named(text: str, said: str, tmp_path: Path) -> None:
    made(tmp_path / "whole", 2)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.toml").write_text(text)
    found, broken = listed(tmp_path)
    assert [run.folder.name for run in found] == ["whole"]
    assert [str(error).startswith(f"{tmp_path / 'broken'}/{said}") for error in broken] == [True]
    assert "\n" not in str(broken[0])


def test_a_line_that_a_killed_process_has_begun_is_no_epoch(tmp_path: Path) -> None:
    run = made(tmp_path / "run", 3, {}, {})
    with (run.folder / "metrics.jsonl").open("a") as log:
        log.write('{"epoch": 3, "cyc')
    assert read(run.folder).done == 2
    assert [record["epoch"] for record in records_of(run.folder)] == [1, 2]
    for line in ("{", json.dumps({"step": 3})):
        (run.folder / "metrics.jsonl").write_text(line + "\n")
        with pytest.raises(InputError, match=r"metrics.jsonl: has a last line that is "):
            read(run.folder)


def test_a_line_in_the_middle_that_is_broken_is_named(tmp_path: Path) -> None:
    run = made(tmp_path / "run", 3, {})
    with (run.folder / "metrics.jsonl").open("a") as log:
        log.write("[2]\n")
    run.append_metrics({"epoch": 3})
    assert read(run.folder).done == 3
    with pytest.raises(InputError, match=r"metrics.jsonl: has a line 2 that is of no epoch; restore the file"):
        records_of(run.folder)
