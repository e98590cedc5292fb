"""Text from the command line as values."""

from __future__ import annotations

from typing import Any


def parse_text(text: str, kind: type) -> Any:
    """``text`` as an int, float or bool; where it is none it stays text, for whoever checks it to refuse by name."""
    if kind is bool:
        return {"true": True, "false": False}.get(text.strip().lower(), text)
    if kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            return text
    return text
