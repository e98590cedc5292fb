"""Results by their content's address."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jaxgrad.studies import store
from jaxgrad.studies.store import Store


def test_what_was_computed_is_not_computed_again(tmp_path: Path) -> None:
    kept, calls = Store(tmp_path), []

    def compute() -> list[int]:
        calls.append(1)
        return [1, 2]

    assert kept.cached("points", {"a": 1}, compute) == [1, 2] == Store(tmp_path).cached("points", {"a": 1}, compute)
    assert len(calls) == 1
    kept.cached("points", {"a": 2}, compute)
    kept.cached("traces", {"a": 1}, compute)
    assert len(calls) == 3


def test_an_address_depends_on_the_data_alone_and_on_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Store(tmp_path)
    assert kept.path("points", {"a": 1, "b": 2}) == kept.path("points", {"b": 2, "a": 1})
    here = kept.path("points", {"a": 1})
    monkeypatch.setattr(store, "fingerprint", lambda: "another version")
    assert kept.path("points", {"a": 1}) != here


def test_a_file_that_cannot_be_read_is_computed_anew(tmp_path: Path) -> None:
    kept = Store(tmp_path)
    kept.put("points", {"a": 1}, [3])
    kept.path("points", {"a": 1}).write_text('[3, "torn', encoding="utf-8")
    assert kept.get("points", {"a": 1}) is None
    assert kept.cached("points", {"a": 1}, lambda: [4]) == [4]
    assert json.loads(kept.path("points", {"a": 1}).read_text()) == [4]
