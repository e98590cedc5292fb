"""The record of where a run was extended."""

from __future__ import annotations

from pathlib import Path

import pytest

from jaxgrad.base.errors import InputError
from jaxgrad.training import runs
from jaxgrad.training.extension import EXTENSIONS, Extension, extensions, record


def asked(epochs: int) -> dict[str, dict[str, int]]:
    return {"train": {"epochs": epochs}}


def test_a_run_that_goes_on_as_asked_has_none(tmp_path: Path) -> None:
    run = runs.create(tmp_path / "run", "")
    assert record(run, 5, asked(2), 2) is None
    assert extensions(run.folder) == []
    assert not (run.folder / EXTENSIONS).exists()


def test_each_is_recorded_once_whenever_the_process_was_killed(tmp_path: Path) -> None:
    run = runs.create(tmp_path / "run", "")
    for _ in range(2):  # killed before the next checkpoint
        assert record(run, 5, asked(2), 4) == Extension(5, 2)
    assert record(run, 8, asked(4), 4) is None
    assert record(run, 9, asked(4), 6) == Extension(9, 4)
    assert extensions(run.folder) == [Extension(5, 2), Extension(9, 4)]


def test_what_is_done_again_is_recorded_again(tmp_path: Path) -> None:
    """The newest checkpoint was damaged, and the run goes on from the one before."""
    run = runs.create(tmp_path / "run", "")
    record(run, 5, asked(2), 4)
    record(run, 9, asked(4), 6)
    assert record(run, 8, asked(4), 6) == Extension(8, 4)
    assert extensions(run.folder) == [Extension(5, 2), Extension(8, 4)]
    assert record(run, 0, asked(6), 6) is None
    assert extensions(run.folder) == []


@pytest.mark.parametrize(
    "text", ["", "null", "[{}]", '[{"step": 1, "epochs": "two"}]', '[{"step": 1, "epochs": 2, "x": 3}]']
)
def test_a_file_that_no_run_wrote_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / EXTENSIONS).write_text(text)
    with pytest.raises(InputError, match=r"extensions\.json: is not what a run writes; restore the file") as raised:
        extensions(tmp_path)
    assert len(str(raised.value).splitlines()) == 1
