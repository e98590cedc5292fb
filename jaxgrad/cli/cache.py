"""JAX's persistent compilation cache, in the user's cache folder: a second run starts sooner."""

from __future__ import annotations

import os

import jax

from jaxgrad.base.cache_folder import cache_folder


def turn_on() -> None:
    """Turns the cache on, unless the user has chosen one through JAX's own variable, or there is no place for it."""
    place = None if "JAX_COMPILATION_CACHE_DIR" in os.environ else cache_folder("xla")
    if place:
        jax.config.update("jax_compilation_cache_dir", str(place))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
