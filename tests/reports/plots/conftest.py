"""The figures that a plot makes, to look into."""

from __future__ import annotations

from pathlib import Path

import pytest

from jaxgrad.reports.pages import Page
from jaxgrad.reports.plots import canvas


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Page]:
    """Figures that are kept and not written, which takes most of the time."""
    kept: list[Page] = []

    def keep(figure: Page, path: Path, title: str) -> list[Path]:
        kept.append(figure)
        return []

    monkeypatch.setattr(canvas, "save", keep)
    return kept


@pytest.fixture
def saved(monkeypatch: pytest.MonkeyPatch) -> list[Page]:
    """Figures that are kept and written."""
    kept: list[Page] = []
    save = canvas.save

    def keep(figure: Page, path: Path, title: str) -> list[Path]:
        kept.append(figure)
        return save(figure, path, title)

    monkeypatch.setattr(canvas, "save", keep)
    return kept
