"""Where ``jaxgrad train`` looks for a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from jaxgrad.base.errors import InputError
from jaxgrad.cli import training_run
from jaxgrad.training.runs import Run


def test_a_run_begins_where_nothing_is_and_nowhere_else(elsewhere: Path) -> None:
    assert training_run.place(elsewhere, "") == training_run.place(None, str(elsewhere)) == elsewhere
    assert training_run.existing(elsewhere) is None
    assert training_run.existing(elsewhere / "missing") is None
    (elsewhere / "config.toml").write_text("")
    assert training_run.existing(elsewhere) == Run(elsewhere)
    (elsewhere / "config.toml").rename(elsewhere / "notes.toml")
    with pytest.raises(InputError, match="there is no run in it"):
        training_run.existing(elsewhere)
