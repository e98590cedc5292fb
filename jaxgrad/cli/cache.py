"""JAX's persistent compilation cache, in the user's cache folder: a second run starts sooner."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import jax


def turn_on() -> None:
    """Turns the cache on, unless the user has chosen one through JAX's own variable, or there is no place for it."""
    place = None if "JAX_COMPILATION_CACHE_DIR" in os.environ else folder()
    if place:
        jax.config.update("jax_compilation_cache_dir", str(place))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


def folder() -> Path | None:
    """The cache's folder, made if need be; None if it can't be written to."""
    try:
        place = _cache_home() / "jaxgrad" / "xla"
        place.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # RuntimeError: there is no home
        return None
    return place if os.access(place, os.W_OK) else None


def _cache_home() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    chosen = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # The XDG specification has relative paths ignored.
    return chosen if chosen.is_absolute() else Path.home() / ".cache"
