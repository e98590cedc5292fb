"""The run directory: made whole or not at all, and a log that goes back to where a checkpoint left it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jaxgrad.training import runs


def test_a_run_is_there_with_its_configuration(tmp_path: Path) -> None:
    run = runs.create(tmp_path / "a" / "b", "x = 1\n")
    assert run.config() == "x = 1\n"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]
    assert runs.reopen(tmp_path / "a" / "b").config() == "x = 1\n"


def test_an_empty_folder_will_do(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    assert runs.create(tmp_path / "run", "").config() == ""


def test_a_folder_in_use_will_not(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for taken in (tmp_path, tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(ValueError, match="--out: got "):
            runs.create(taken, "")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_run_that_fails_to_be_made_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(ValueError, match="No space left on device"):
        runs.create(tmp_path / "run", "x = 1\n")
    assert list(tmp_path.iterdir()) == []


def test_only_a_folder_with_a_configuration_is_a_run(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"--resume: got .*; there is no run in it"):
        runs.reopen(tmp_path)


def test_numbers_go_on_from_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "run-1").mkdir()
    (tmp_path / "run-2").write_text("")
    assert runs.vacant(tmp_path, "run") == tmp_path / "run-3"


def test_the_log_goes_back_to_where_it_was(tmp_path: Path) -> None:
    run = runs.create(tmp_path / "run", "")
    assert run.metrics() == []
    first = run.append_metrics({"epoch": 1})
    run.append_metrics({"epoch": 2})
    run.truncate_metrics(first)
    assert run.metrics() == [{"epoch": 1}]
    run.truncate_metrics(0)
    assert run.metrics_length() == 0
    with pytest.raises(ValueError, match=r"metrics.jsonl: got 0 bytes; the checkpoint was taken at 5"):
        run.truncate_metrics(5)


def test_json_is_replaced_whole(tmp_path: Path) -> None:
    run = runs.create(tmp_path / "run", "")
    run.write_json("counters.json", {"old": 1})
    with pytest.raises(TypeError):
        run.write_json("counters.json", {"new": object()})
    assert json.loads((tmp_path / "run" / "counters.json").read_text()) == {"old": 1}


def test_reopened_it_has_nothing_half_written_left(tmp_path: Path) -> None:
    run = runs.create(tmp_path / "run", "config")
    for name in (".tables.123.tmp.txt", ".hidden", "notes.tmp.txt"):
        (run.folder / name).write_text("x")
    again = runs.reopen(run.folder)
    assert {path.name for path in again.folder.iterdir()} >= {".hidden", "notes.tmp.txt"}
    assert not (run.folder / ".tables.123.tmp.txt").exists()
