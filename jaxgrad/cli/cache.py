"""JAX's persistent compilation cache, in the user's cache folder: a second run starts sooner."""

from __future__ import annotations

import os
from pathlib import Path

import jax
import platformdirs


def turn_on() -> None:
    """Turns the cache on, unless the user has chosen one through JAX's own variable, or there is no place for it."""
    place = None if "JAX_COMPILATION_CACHE_DIR" in os.environ else folder()
    if place:
        jax.config.update("jax_compilation_cache_dir", str(place))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


def folder() -> Path | None:
    """The cache's folder, made if need be; None if it can't be written to."""
    try:
        # Not opinionated: on Windows beside what other releases of jaxgrad have kept there.
        place = platformdirs.user_cache_path("jaxgrad", appauthor=False, opinion=False) / "xla"
        place.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # RuntimeError: there is no home
        return None
    return place if os.access(place, os.W_OK) else None
