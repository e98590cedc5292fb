"""The run directory: made whole or not at all, and a log that goes back to where a checkpoint left it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jaxgrad.base.errors import InputError
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
    run.append_metrics({"epoch": 1})
    first = run.metrics_mark()
    run.append_metrics({"epoch": 2})
    run.rewind_metrics(first)
    assert run.metrics() == [{"epoch": 1}]
    run.rewind_metrics(runs.START)
    assert (run.folder / runs.METRICS).stat().st_size == 0
    with pytest.raises(ValueError, match=r"metrics.jsonl: got 0 bytes; the checkpoint was taken at 13"):
        run.rewind_metrics(first)


def test_a_log_that_is_not_what_it_was_is_refused_whole(tmp_path: Path) -> None:
    run = runs.create(tmp_path / "run", "")
    run.append_metrics({"epoch": 1})
    mark = run.metrics_mark()
    broken = b'{"epoch": 1\n' + b'{"epoch": 2}\n'  # a line that is none, and as many bytes and more
    (run.folder / runs.METRICS).write_bytes(broken)
    with pytest.raises(InputError, match=r"metrics.jsonl: got other lines than the run wrote .*; restore the file"):
        run.rewind_metrics(mark)
    assert (run.folder / runs.METRICS).read_bytes() == broken


@pytest.mark.parametrize("name", [runs.CHECKPOINTS, runs.METRICS, runs.COUNTERS])
def test_what_can_not_be_written_is_found_as_the_run_is_opened_again(tmp_path: Path, name: str) -> None:
    place = runs.create(tmp_path / "run", "").folder / name
    if name == runs.CHECKPOINTS:
        place.write_text("a file")
    else:
        place.mkdir()
    with pytest.raises(InputError, match=rf"run/{name}: got what is not a (file|folder); move it away"):
        runs.reopen(tmp_path / "run")


def test_processes_that_ask_for_a_number_at_the_same_time_have_one_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = runs.vacant

    def overtaken(parent: Path, name: str) -> Path:
        """Another process has the folder first."""
        folder = free(parent, name)
        if folder.name == "run-1":
            runs.create(folder, "theirs")
        return folder

    monkeypatch.setattr(runs, "vacant", overtaken)
    assert runs.create_numbered(tmp_path, "run", "ours").folder == tmp_path / "run-2"
    assert [(tmp_path / f"run-{number}" / runs.CONFIG).read_text() for number in (1, 2)] == ["theirs", "ours"]
    with pytest.raises(InputError, match="is not a folder"):
        runs.create_numbered(tmp_path / "run-1" / runs.CONFIG, "run", "")


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
    assert (run.folder / ".tables.123.tmp.txt").exists()  # another process may be writing it
    with again.alone():
        assert {path.name for path in again.folder.iterdir()} >= {".hidden", "notes.tmp.txt"}
        assert not (run.folder / ".tables.123.tmp.txt").exists()
        with pytest.raises(InputError, match="is at work"), runs.reopen(run.folder).alone():
            pytest.fail("two in one run")
