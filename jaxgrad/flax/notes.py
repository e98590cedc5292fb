"""What a model's products on the array are not, or may not be: one warning a trace."""

from __future__ import annotations

import warnings
from collections.abc import Iterable


def say(notes: Iterable[str]) -> None:
    """Warns of the notes, if there are any."""
    text = "; ".join(notes)
    if text:
        warnings.warn(f"on the array: {text}", stacklevel=3)
