"""The benchmark's own choice of an engine; its figures depend on the machine and are no test."""

from __future__ import annotations

import os

import pytest

from benchmarks import golden
from jaxgrad.array.registers import VARIABLE


def test_the_engine_is_chosen_for_the_measurement_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def register_run(*_: int, double_buffered: bool) -> tuple[object, int]:
        seen.append(os.environ[VARIABLE])
        return (lambda: sum(range(10_000))), 10

    monkeypatch.setattr(golden, "register_run", register_run)
    monkeypatch.setenv(VARIABLE, "auto")
    for choice in ("scan", "kernel"):
        assert golden.emulated(choice, 2, 3, double_buffered=False, rounds=1) > 0
    assert seen == ["scan", "kernel"]
    assert os.environ[VARIABLE] == "auto"
