"""Folders for what can be made again, in the user's cache folder."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def cache_folder(name: str) -> Path | None:
    """One of them, made if need be; None if it can't be written to."""
    try:
        # Not opinionated: on Windows beside what other releases of jaxgrad have kept there.
        place = platformdirs.user_cache_path("jaxgrad", appauthor=False, opinion=False) / name
        place.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # RuntimeError: there is no home
        return None
    return place if os.access(place, os.W_OK) else None
