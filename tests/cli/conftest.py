"""Each test of the command line works in an empty folder of its own, on one device."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jaxgrad.training import devices

LAYOUT, NOTE = devices.layout, devices.note


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test works in an empty folder of its own."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(autouse=True, scope="module")
def on_one_device() -> Iterator[None]:
    """A command sees one device, as its user would; the suite's process has four, which ``several_devices`` gives."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(devices, "layout", lambda config: None)
        patch.setattr(devices, "note", lambda layout, config: None)
        yield


@pytest.fixture
def several_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command sees all devices of the suite's process."""
    monkeypatch.setattr(devices, "layout", LAYOUT)
    monkeypatch.setattr(devices, "note", NOTE)
