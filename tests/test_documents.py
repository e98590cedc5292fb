"""Paths that the documents name are there."""

from __future__ import annotations

import re

import pytest

from tests.command import ROOT

PLACES = (
    ROOT,
    ROOT / "experiments",
    *(folder for folder in (ROOT / "jaxgrad").glob("**/") if folder.name != "__pycache__"),
)


@pytest.mark.parametrize(
    "document",
    [
        "README.md",
        "jaxgrad/DESIGN.md",
        "experiments/README.md",
        "docs/when-interleaving-pays.md",
        "docs/diagnostics.md",
        "docs/releasing.md",
    ],
)
def test_paths_in_a_document_are_there(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    linked = re.findall(r"\]\(([^)#:]+)\)", text)
    named = [word for span in re.findall(r"`([^`\n]+)`", text) for word in span.split() if is_path(word)]
    assert linked or named
    lost = [path for path in linked if not ((ROOT / document).parent / path).exists()]
    lost += [path for path in named if not any((place / path).exists() for place in PLACES)]
    assert not lost


def is_path(word: str) -> bool:
    """Files and folders of the repository; results, and files of the reader's own, are none."""
    return re.fullmatch(r"[\w./-]+(/|\.py|\.toml|\.md)", word) is not None and not word.startswith(
        ("results/", "runs/")
    )
