"""Python's collector of garbage while a trace is taken."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def at_rest() -> Iterator[None]:
    """Within it, Python looks for no cycles of garbage: a trace makes millions of small objects that all live on, and
    going through them again and again takes a quarter of its time."""
    at_work = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if at_work:
            gc.enable()
