"""The script for GPUs, its parts exchanged: what it leaves out, what fails it, and what it writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from benchmarks import gpu
from benchmarks.gpu import Part, Row


def part(name: str, row: Row, seconds: float = 0.0) -> Part:
    return Part(name, seconds, lambda: iter([row]))


def failing() -> Iterator[Row]:
    yield Row("before", "1", "s", "")
    raise RuntimeError("no such kernel")


FIGURE, AGREED, DIFFERS = (Row("a row", "1", "s", "", agrees) for agrees in (None, True, False))
PARTS = {
    "good": [part("one", FIGURE), part("two", AGREED)],
    "differs": [part("one", DIFFERS), part("two", AGREED)],
    "fails": [Part("broken", 0.0, failing), part("two", AGREED)],
    "long": [part("endless", DIFFERS, 1e6), part("two", AGREED)],
}


@pytest.mark.parametrize(
    ("kind", "rows", "fails"), [("good", 2, 0), ("differs", 2, 1), ("fails", 3, 1), ("long", 1, 0)]
)
def test_a_part_that_differs_or_fails_fails_the_run_after_the_others(
    kind: str,
    rows: int,
    fails: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(gpu, "_parts", lambda *_: iter(PARTS[kind]))
    monkeypatch.setattr(gpu, "_keep_compiled", lambda folder: None)
    out = tmp_path / "gpu.json"
    try:
        gpu.main(out, rounds=1, budget=60, only="", small=True)
        code = 0
    except typer.Exit as stop:
        code = stop.exit_code
    assert code == fails
    written = json.loads(out.read_text())
    assert len(written["rows"]) == rows
    assert written["left_out"] == (["endless"] if kind == "long" else [])
    told = capsys.readouterr().out
    assert ("left out: endless" in told) == (kind == "long")
    assert ("RuntimeError: no such kernel" in told) == (kind == "fails")
