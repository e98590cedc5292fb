"""The log as a table: whole at each epoch, and that of the run's own log whatever it was before."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from jaxgrad.training.logs.table import Table

RECORDS = [{"epoch": 1, "test_loss": 0.1 + 0.2}, {"epoch": 2, "test_loss": None}]


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_line_an_epoch_as_it_ends(tmp_path: Path) -> None:
    table = Table(tmp_path)
    table.begin([])
    assert rows(tmp_path) == []
    for number, record in enumerate(RECORDS, 1):
        table.add(record)
        assert len(rows(tmp_path)) == number
    assert rows(tmp_path) == [{"epoch": "1", "test_loss": repr(0.1 + 0.2)}, {"epoch": "2", "test_loss": ""}]


def test_epochs_that_are_trained_again_are_there_once(tmp_path: Path) -> None:
    before = Table(tmp_path)
    before.begin(RECORDS)
    after = Table(tmp_path)
    after.begin(RECORDS[:1])  # the run's own log was cut back to its checkpoint
    assert [row["epoch"] for row in rows(tmp_path)] == ["1"]
    after.add({"epoch": 2, "test_loss": 0.5, "rate": 0.1})
    assert rows(tmp_path)[1] == {"epoch": "2", "test_loss": "0.5", "rate": "0.1"}
    assert rows(tmp_path)[0]["rate"] == ""


def test_a_full_disk_leaves_the_table_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(tmp_path)
    table.begin(RECORDS)
    before = (tmp_path / "metrics.csv").read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        table.add({"epoch": 3})
    assert (tmp_path / "metrics.csv").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1
