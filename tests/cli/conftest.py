"""Each test of the command line works in an empty folder of its own, on one device."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test works in an empty folder of its own."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(autouse=True)
def on_one_device(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command sees one device, as its user would; the suite's process has four, which ``several_devices`` gives."""
    if "several_devices" not in request.fixturenames:
        monkeypatch.setattr("jaxgrad.training.devices.layout", lambda config: None)
        monkeypatch.setattr("jaxgrad.training.devices.note", lambda layout, config: None)


@pytest.fixture
def several_devices() -> None:
    """The command sees all devices of the suite's process."""
